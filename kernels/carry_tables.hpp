// Fake quantization by one addition: the tables, and the proof that they decide as the rule does.
//
// Cut an octave into 2S pieces of equal width; each holds one threshold at most. Every piece has a number that, added
// to the bit pattern of a magnitude in it, brings the nearest step k into the fraction's top bits: S bins, which they
// number. A magnitude at or above the piece's threshold reaches the next bin, and the step S carries into the exponent,
// which thus takes care of itself. The bin then looks up the value's fraction.
//
// In the upper half of an octave the thresholds lie so far apart that pieces of twice the width will do as well.
#ifndef GFPQ_KERNELS_CARRY_TABLES_HPP
#define GFPQ_KERNELS_CARRY_TABLES_HPP

#include "ladder.hpp"

namespace gfpq {

/// The pieces of an octave, by the last bits of a number shifted right. In the high words of doubles the fraction is
/// shorter.
template <class Width, int fraction_bits_>
struct Pieces {
  static constexpr int fraction_bits = fraction_bits_;
  static constexpr int count = 2 * Width::steps;
  static constexpr int wide_count = Width::steps / 2;
  static constexpr int bin_shift = fraction_bits - floor_log2(Width::steps); ///< to the bin, and to the wide piece
  static constexpr int piece_shift = bin_shift - 1;
  static_assert(piece_shift >= 0, "a fraction has the bits of a piece's number");
};

/// The sum that has the nearest step in its bin, and the value that it looks up, for tables wherever they lie.
template <class Float, class Width>
struct NearestByPiece {
  using F = Format<Float>;
  using Bits = typename F::Bits;
  using P = Pieces<Width, F::fraction_bits>;

  GFPQ_HOST_DEVICE static constexpr Bits binned(Bits magnitude, const Bits* carry) {
    return magnitude + carry[magnitude >> P::piece_shift & (P::count - 1)];
  }
  static constexpr Bits binned_by_wide_piece(Bits magnitude, const Bits* wide_carry) {
    return magnitude + wide_carry[magnitude >> P::bin_shift & (P::wide_count - 1)];
  }
  GFPQ_HOST_DEVICE static constexpr Bits value_of(Bits binned, const Bits* value) {
    return (binned & F::infinity) | value[binned >> P::bin_shift & (Width::steps - 1)];
  }
};

template <class Float, class Width>
struct CarryTables {
  using F = Format<Float>;
  using Bits = typename F::Bits;
  using P = Pieces<Width, F::fraction_bits>;

  alignas(64) Bits carry[P::count];
  alignas(64) Bits wide_carry[P::wide_count]; ///< of the pieces of twice the width, for the octave's upper half
  alignas(64) Bits value[Width::steps];       ///< fraction fields

  constexpr CarryTables() : carry(), wide_carry(), value() {
    for (int piece = 0; piece < P::count; ++piece)
      carry[piece] = carry_of(Bits(piece) << P::piece_shift, Bits(1) << P::piece_shift);
    for (int piece = 0; piece < P::wide_count; ++piece)
      wide_carry[piece] = carry_of(Bits(P::wide_count + piece) << P::bin_shift, Bits(1) << P::bin_shift);
    for (int step = 0; step < Width::steps; ++step)
      value[step] = octave.value[step];
  }

  /// Whether the tables give the value nearest to each magnitude of the octave [1, 2), and so of every other: only the
  /// exponent differs there.
  ///
  /// Within a piece, the nearest step k and the sum's bin both never fall as the magnitude grows, and k rises at
  /// thresholds alone. So where they agree at both ends of the piece and to both sides of each threshold in it, they
  /// agree in all of it. Every value is compared on the way: each follows some threshold.
  ///
  /// A piece without threshold has room: its carry could be larger. That it begins its bin leaves one carry alone.
  constexpr bool decide_as_the_rule() const {
    for (int piece = 0; piece < P::count; ++piece) {
      const Bits first = Bits(piece) << P::piece_shift, last = first + (Bits(1) << P::piece_shift) - 1;
      const bool has_threshold = count_below(octave.middle, first) != count_below(octave.middle, last);
      if (!has_threshold && (first + carry[piece]) % (Bits(1) << P::bin_shift) != 0)
        return false;
    }
    return all_decisions(P::count, 0, [this](Bits field) {
      return is_step_of(one + field, NearestByPiece<Float, Width>::binned(one + field, carry));
    });
  }

  /// The same for the wide pieces of [1.5, 2).
  constexpr bool decide_by_wide_pieces_as_the_rule() const {
    return all_decisions(2 * P::wide_count, P::wide_count, [this](Bits field) {
      return is_step_of(one + field, NearestByPiece<Float, Width>::binned_by_wide_piece(one + field, wide_carry));
    });
  }

  /// Whether `predicate` holds for the first and the last number of each of `pieces` equal pieces of an octave, from
  /// `first_piece` on, and for both neighbours of every threshold in them. Numbers are fraction fields.
  template <class Predicate>
  static constexpr bool all_decisions(int pieces, int first_piece, const Predicate& predicate) {
    constexpr Bits end = Bits(1) << F::fraction_bits;
    const Bits width = end / Bits(pieces), begin = width * Bits(first_piece);
    for (Bits first = begin; first < end; first += width)
      if (!predicate(first) || !predicate(first + width - 1))
        return false;
    for (const Bits middle : octave.middle)
      if (middle >= begin && !(predicate(middle) && predicate(middle + 1)))
        return false;
    return true;
  }

  /// Whether 0, which stands for what becomes zero, has the value 0.
  constexpr bool keep_zero() const {
    return NearestByPiece<Float, Width>::value_of(NearestByPiece<Float, Width>::binned(0, carry), value) == 0;
  }

private:
  static constexpr Octave<Float, Width> octave{};
  static constexpr Bits one = Bits(F::bias) << F::fraction_bits;

  static constexpr Bits carry_of(Bits first, Bits width) {
    const int step = count_below(octave.middle, first);
    const bool has_threshold = step < Width::steps && octave.middle[step] < first + width - 1;
    return has_threshold ? (Bits(step + 1) << P::bin_shift) - (octave.middle[step] + 1) //
                         : (Bits(step) << P::bin_shift) - first;
  }

  constexpr bool is_step_of(Bits magnitude, Bits binned) const {
    const int step = ladder<Float, Width>.nearest_exponent(magnitude);
    return (binned - one) >> P::bin_shift == Bits(step) &&
           NearestByPiece<Float, Width>::value_of(binned, value) == ladder<Float, Width>.value(step);
  }
};

template <class Float, class Width>
inline constexpr CarryTables<Float, Width> carry_tables{};

/// The tables for double, cut into words of 32 bits. Only the high word of the sum is needed: it is the sum of the high
/// words, plus one where the low words' sum carries. That takes one comparison instead of an addition: a low word
/// carries where it is above ~carry.
template <class Width>
struct CarryWords {
  using Word = unsigned int;
  using Tables = CarryTables<double, Width>;
  using Bits = typename Tables::Bits;
  using P = Pieces<Width, Tables::P::fraction_bits - 32>; ///< of the high words

  struct Half {
    alignas(64) Word carry[P::count];
    alignas(64) Word wide_carry[P::wide_count];
    alignas(64) Word value[Width::steps];
  };
  Half high, low; ///< a low word carries where it is above low.carry, both less 2^31 so as to compare them as signed

  constexpr CarryWords() : high(), low() {
    constexpr const Tables& tables = carry_tables<double, Width>;
    split(tables.carry, high.carry, low.carry);
    split(tables.wide_carry, high.wide_carry, low.wide_carry);
    split(tables.value, high.value, low.value);
    for (Word& word : low.carry)
      word ^= 0x7fffffffu;
    for (Word& word : low.wide_carry)
      word ^= 0x7fffffffu;
  }

  /// Whether the words' sums are the high words of the doubles' sums for all numbers, and the values' halves the
  /// values.
  ///
  /// In an entry's piece the high words are added alike, and whether the low word carries changes at one low word
  /// alone. So the sums are the same for all if they are so for the least and the largest low word and to both sides of
  /// that.
  constexpr bool agree_with_the_doubles() const {
    constexpr const Tables& tables = carry_tables<double, Width>;
    for (int i = 0; i < P::count; ++i)
      if (!are_sums(tables.carry[i], high.carry[i], low.carry[i]))
        return false;
    for (int i = 0; i < P::wide_count; ++i)
      if (!are_sums(tables.wide_carry[i], high.wide_carry[i], low.wide_carry[i]))
        return false;
    for (int i = 0; i < Width::steps; ++i)
      if ((Bits(high.value[i]) << 32 | low.value[i]) != tables.value[i])
        return false;
    return P::piece_shift + 32 == Tables::P::piece_shift;
  }

private:
  template <int size>
  static constexpr void split(const Bits (&entries)[size], Word (&high_words)[size], Word (&low_words)[size]) {
    for (int i = 0; i < size; ++i) {
      high_words[i] = Word(entries[i] >> 32);
      low_words[i] = Word(entries[i]);
    }
  }

  static constexpr bool are_sums(Bits carry, Word high_carry, Word low_carry) {
    const Word last_without = ~Word(carry);
    const Word words[] = {0, last_without, last_without + 1, ~Word(0)};
    for (const Word word : words) {
      const bool carries = int(word ^ 0x80000000u) > int(low_carry);
      if (high_carry + carries != Word((carry + word) >> 32))
        return false;
    }
    return true;
  }
};

template <class Width>
inline constexpr CarryWords<Width> carry_words{};

#define GFPQ_INSTANTIATE(Float, Width)                                                                                 \
  static_assert(carry_tables<Float, Width>.decide_as_the_rule(),                                                       \
                "the carry tables give the nearest value of every " #Float " in " #Width);                             \
  static_assert(carry_tables<Float, Width>.keep_zero(), "the carry tables give 0 for 0 in " #Width);                   \
  static_assert(carry_tables<Float, Width>.decide_by_wide_pieces_as_the_rule(),                                        \
                "the wide pieces give the nearest value of every " #Float " in [1.5, 2) in " #Width);
GFPQ_INSTANTIATE_ALL
#undef GFPQ_INSTANTIATE

#define GFPQ_PROVE_WORDS(bits, ...)                                                                                    \
  static_assert(carry_words<Width##bits>.agree_with_the_doubles(),                                                     \
                "the words of the carry tables give the sums of Width" #bits);
GFPQ_FOR_EACH_WIDTH(GFPQ_PROVE_WORDS)
#undef GFPQ_PROVE_WORDS

} // namespace gfpq

#endif
