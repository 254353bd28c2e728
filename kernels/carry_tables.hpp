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

constexpr int floor_log2(int number) { return number > 1 ? 1 + floor_log2(number / 2) : 0; }

template <class Float, class W>
struct CarryTables {
  using F = Format<Float>;
  using Bits = typename F::Bits;

  static constexpr int pieces = 2 * W::steps;
  static constexpr int bin_shift = F::fraction_bits - floor_log2(W::steps);
  static constexpr int piece_shift = bin_shift - 1;

  alignas(64) Bits carry[pieces];
  alignas(64) Bits wide_carry[W::steps / 2]; ///< of the pieces of twice the width, for the octave's upper half
  alignas(64) Bits value[W::steps];          ///< fraction fields

  constexpr CarryTables() : carry(), wide_carry(), value() {
    for (int piece = 0; piece < pieces; ++piece)
      carry[piece] = carry_of(Bits(piece) << piece_shift, Bits(1) << piece_shift);
    for (int piece = 0; piece < W::steps / 2; ++piece)
      wide_carry[piece] = carry_of(Bits(W::steps / 2 + piece) << bin_shift, Bits(1) << bin_shift);
    for (int step = 0; step < W::steps; ++step)
      value[step] = octave.value[step];
  }

private:
  static constexpr Octave<Float, W> octave{};

  static constexpr Bits carry_of(Bits first, Bits width) {
    const int step = count_below(octave.middle, first);
    const bool has_threshold = step < W::steps && octave.middle[step] < first + width - 1;
    return has_threshold ? (Bits(step + 1) << bin_shift) - (octave.middle[step] + 1) //
                         : (Bits(step) << bin_shift) - first;
  }
};

template <class Float, class W>
inline constexpr CarryTables<Float, W> carry_tables{};

/// The tables for double, cut into words of 32 bits. Only the high word of the sum is needed: it is the sum of the high
/// words, plus one where the low words' sum carries. That takes one comparison instead of an addition.
template <class W>
struct CarryWords {
  using Word = unsigned int;
  using Tables = CarryTables<double, W>;

  struct Half {
    alignas(64) Word carry[Tables::pieces];
    alignas(64) Word wide_carry[W::steps / 2];
    alignas(64) Word value[W::steps];
  };
  Half high, low; ///< a low word carries where it is above low.carry, both less 2^31 so as to compare them as signed

  constexpr CarryWords() : high(), low() {
    constexpr const Tables& tables = carry_tables<double, W>;
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

template <class W>
inline constexpr CarryWords<W> carry_words{};

} // namespace gfpq

#endif
