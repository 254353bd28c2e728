// Quantization by one addition: the tables.
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

private:
  static constexpr Octave<Float, Width> octave{};

  static constexpr Bits carry_of(Bits first, Bits width) {
    const int step = count_below(octave.middle, first);
    const bool has_threshold = step < Width::steps && octave.middle[step] < first + width - 1;
    return has_threshold ? (Bits(step + 1) << P::bin_shift) - (octave.middle[step] + 1) //
                         : (Bits(step) << P::bin_shift) - first;
  }
};

template <class Float, class Width>
inline constexpr CarryTables<Float, Width> carry_tables{};

/// The tables for double, cut into words of 32 bits. Only the high word of the sum is needed: it is the sum of the high
/// words, plus one where the low words' sum carries. That takes one comparison instead of an addition.
template <class Width>
struct CarryWords {
  using Word = unsigned int;
  using Tables = CarryTables<double, Width>;
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

private:
  template <int size>
  static constexpr void split(const typename Tables::Bits (&entries)[size], Word (&high)[size], Word (&low)[size]) {
    for (int i = 0; i < size; ++i) {
      high[i] = Word(entries[i] >> 32);
      low[i] = Word(entries[i]);
    }
  }
};

template <class Width>
inline constexpr CarryWords<Width> carry_words{};

} // namespace gfpq

#endif
