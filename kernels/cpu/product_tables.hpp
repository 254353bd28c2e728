// Fake quantization by products: the tables, for widths of which a table of all pieces does not fit the registers, and
// the proof that they decide as the rule does.
//
// A magnitude m in [1, 2) is guessed to be `guess` steps above 1, by a line in each of 8 pieces of the octave. The
// lines are good to half a step: the nearest step is the guess or the one after it, and one exact comparison with the
// threshold between them tells. Cut the guess into 16 coarse and S/16 fine steps: threshold and values are products of
// a coarse and a fine power, and the fine ones are the same in each coarse step. They are formed as
//
//     base + (base * fine + rest)
//
// where base + rest is the coarse power and `fine` a fine power less 1. The fused sum in brackets is small, so that it
// is good to 1/64 of the last place of the whole. This compares and rounds rightly all but the few numbers that lie so
// near to a decision; a bit more or less `rest` sets those right. The constructor looks for it; whether it found one,
// and whether the lines are good enough, is for the two functions to say that end the class.
#ifndef GFPQ_KERNELS_CPU_PRODUCT_TABLES_HPP
#define GFPQ_KERNELS_CPU_PRODUCT_TABLES_HPP

#include <type_traits>

#include "../carry_tables.hpp"

namespace gfpq {

template <class Float, class Width>
class ProductTables {
  using F = Format<Float>;
  using Bits = typename F::Bits;

public:
  static constexpr int pieces = 8;
  static constexpr int piece_shift = F::fraction_bits - floor_log2(pieces);
  static constexpr int coarse_steps = Width::steps < 16 ? Width::steps : 16;
  static constexpr int fine_steps = Width::steps / coarse_steps;
  static constexpr int fine_shift = floor_log2(fine_steps);

  alignas(64) Float slope[pieces];
  alignas(64) Float offset[pieces]; ///< above 2^fraction_bits, so that the last bits of the line's number are the guess
  alignas(64) Float base[coarse_steps];
  alignas(64) Float rest[coarse_steps];
  alignas(64) Float fine_value[fine_steps];     ///< from the base to the value of the guess
  alignas(64) Float fine_threshold[fine_steps]; ///< to the threshold after it
  alignas(64) Float fine_next[fine_steps];      ///< to the value after it

  /// `inset` is how much the lines stay away from the ends of the octave, in steps.
  constexpr explicit ProductTables(double inset = 0.15)
      : slope(), offset(), base(), rest(), fine_value(), fine_threshold(), fine_next() {
    for (int piece = 0; piece < pieces; ++piece)
      set_line(piece, inset);
    for (int fine = 0; fine < fine_steps; ++fine) {
      fine_value[fine] = fine_power(2 * fine);
      fine_threshold[fine] = fine_power(2 * fine + 1);
      fine_next[fine] = fine_power(2 * fine + 2);
    }
    for (int coarse = 0; coarse < coarse_steps; ++coarse)
      set_base(coarse);
  }

  /// Whether the nearest step of every magnitude is its guess or the one after it, and the guess one of 0 to S-1.
  ///
  /// Within a piece the guess never falls as the magnitude grows, and the nearest step rises at thresholds alone. So
  /// what holds at both ends of each piece and to both sides of each threshold holds between them.
  constexpr bool guesses_are_near() const {
    for (int piece = 0; piece < pieces; ++piece)
      if (slope[piece] < 1 || !is_whole(slope[piece] * one) || !is_whole(offset[piece]))
        return false; // it rises, and guess() is exact
    return CarryTables<Float, Width>::all_decisions(pieces, 0, [this](Bits field) {
      const int near = guess(field), step = count_below(octave.middle, field);
      return near >= 0 && near < Width::steps && (near == step || near + 1 == step);
    });
  }

  /// Whether for every guess the comparison tells the numbers below the threshold after it from those above, and both
  /// values come out rounded as they should be.
  constexpr bool products_are_exact() const {
    for (int coarse = 0; coarse < coarse_steps; ++coarse)
      for (int fine = 0; fine < fine_steps; ++fine)
        if (!is_exact(coarse, 2 * fine, fine_value[fine]) || !is_exact(coarse, 2 * fine + 1, fine_threshold[fine]) ||
            !is_exact(coarse, 2 * fine + 2, fine_next[fine]))
          return false;
    return true;
  }

private:
  /// Fixed-point numbers in units of 2^-fine_bits of a fraction's last place: holds the product of two fractions.
#ifdef __SIZEOF_INT128__
  using Fixed = std::conditional_t<std::is_same_v<Float, float>, long long, __int128>;
#else
  using Fixed = std::enable_if_t<std::is_same_v<Float, float>, long long>;
#endif
  static constexpr int fine_bits = F::fraction_bits + 9; // the smallest fine powers are near 2^-9
  static constexpr Float fine_unit = Float(1ull << fine_bits);
  static constexpr Fixed last_place = Fixed(1) << fine_bits;
  static constexpr int rest_unit = 1 << 8; ///< of the last place, so that a rest has 8 bits at most (byte_tables.hpp)
  static constexpr Float one = Float(Bits(1) << F::fraction_bits);
  static constexpr int bias = 4 * Width::steps; // of the guesses: an offset of the first pieces would be negative
  static constexpr Octave<Float, Width> octave{};

  /// S*log2 of a number in [1, 2], to a thousandth of a step: a chord between two powers.
  static constexpr double steps(double number) {
    const double field = (number - 1) * double(one);
    const int step = field > 0 ? count_below(octave.power, Bits(field)) - 1 : 0;
    const double low = double(octave.power[step]);
    const double high = step + 1 < Width::steps ? double(octave.power[step + 1]) : double(one);
    return step + (field - low) / (high - low);
  }

  /// The line through a piece, halfway between the curve and its chord. The sum with `offset` rounds to the nearest
  /// integer, so half a step less is wanted; a bit more near 1 and less near 2 keep the guess from 0 to S-1.
  constexpr void set_line(int piece, double inset) {
    const double left = 1 + double(piece) / pieces, right = left + 1.0 / pieces, middle = (left + right) / 2;
    const double rise = steps(right) - steps(left);
    const double chord = steps(left) + rise / 2;
    const double wanted = (chord + steps(middle)) / 2 * (1 - 2 * inset / Width::steps) + inset - 0.5;
    // An offset has no digits after the point: the slope makes up for them at the middle.
    const int start = int(wanted - rise * pieces * middle + bias);
    offset[piece] = one + Float(start);
    slope[piece] = Float((wanted + bias - start) / middle);
  }

  /// The guess for a magnitude: slope * magnitude + offset, fused and rounded to an integer, half to even.
  constexpr int guess(Bits field) const {
    const int piece = int(field >> piece_shift) & (pieces - 1);
    constexpr int product_bits = 2 * F::fraction_bits;
    const Fixed product = Fixed(slope[piece] * one) * Fixed((Bits(1) << F::fraction_bits) | field);
    const Fixed floor = (product >> product_bits) + Fixed(offset[piece] - one);
    const Fixed beyond = product - (product >> product_bits << product_bits), half = Fixed(1) << (product_bits - 1);
    return int(floor + (beyond > half || (beyond == half && floor % 2 != 0))) - bias;
  }

  static constexpr bool is_whole(Float number) { return Float(Fixed(number)) == number; }

  /// Rounds to the digits of a Float, half to even.
  static constexpr Fixed rounded(Fixed number) {
    const Fixed size = number < 0 ? -number : number;
    int dropped = 0;
    while (size >> dropped >> (F::fraction_bits + 1) != 0)
      ++dropped;
    if (dropped == 0)
      return number;
    Fixed kept = size >> dropped;
    const Fixed beyond = size - (kept << dropped), half = Fixed(1) << (dropped - 1);
    kept += beyond > half || (beyond == half && kept % 2 != 0);
    return number < 0 ? -(kept << dropped) : kept << dropped;
  }

  /// 2^(half/2S - half a coarse step) - 1.
  static constexpr Float fine_power(int half) {
    constexpr int stride = power_of_two_steps / (2 * Width::steps);
    constexpr unsigned long long one_exact = 1ull << 63;
    const int i = (half - fine_steps) * stride;
    const long long power = i < 0 ? -(long long)(one_exact - power_of_two[power_of_two_steps + i] / 2)
                                  : (long long)(power_of_two[i] - one_exact);
    return Float((long long)(rounded(power) >> (63 - fine_bits))) / fine_unit;
  }

  /// Numbers from `low` to `high`, both excluded.
  struct Range {
    Fixed low, high;

    constexpr bool has(Fixed number) const { return low < number && number < high; }
  };

  /// What must be added to the base to get step half/2 of a coarse one: a value by rounding, a threshold by comparing.
  static constexpr Range wanted(int coarse, int half, Fixed significand) {
    const Fixed base_field = significand - (Fixed(1) << F::fraction_bits);
    const int step = coarse * fine_steps + half / 2;
    const bool is_threshold = half % 2 != 0;
    if (is_threshold) {
      const Fixed middle = (Fixed(octave.middle[step]) - base_field) * last_place;
      return {middle - 1, middle + last_place};
    }
    const Bits field = step < Width::steps ? octave.value[step] : Bits(1) << F::fraction_bits;
    const Fixed value = (Fixed(field) - base_field) * last_place;
    return {value - last_place / (field == 0 ? 4 : 2), value + last_place / 2}; // below 1, numbers lie twice as close
  }

  constexpr bool is_exact(int coarse, int half, Float fine) const {
    const Float parts[] = {base[coarse] * one, fine * fine_unit, rest[coarse] * one * fine_unit};
    if (!is_whole(parts[0]) || !is_whole(parts[1]) || !is_whole(parts[2]))
      return false;
    const Fixed significand = Fixed(parts[0]), fused = rounded(significand * Fixed(parts[1]) + Fixed(parts[2]));
    return wanted(coarse, half, significand).has(fused);
  }

  /// Sets the base, and a rest with which all of a coarse step's values and thresholds come out exact, if there is one.
  constexpr void set_base(int coarse) {
    constexpr Fixed rest_step = last_place / rest_unit;
    const Bits field = octave.value[coarse * fine_steps + fine_steps / 2];
    const Fixed significand = (Fixed(1) << F::fraction_bits) + Fixed(field);
    base[coarse] = Float(significand) / one;

    Range rests{-last_place, last_place}; // that all steps allow, but for the rounding of the sum
    for (int half = 0; half <= 2 * fine_steps; ++half) {
      const Range sums = wanted(coarse, half, significand);
      const Fixed product = significand * Fixed(fine_power(half) * fine_unit);
      rests.low = rests.low > sums.low - product ? rests.low : sums.low - product;
      rests.high = rests.high < sums.high - product ? rests.high : sums.high - product;
    }
    for (int candidate = int(rests.low / rest_step); candidate * rest_step < rests.high; ++candidate) {
      rest[coarse] = Float(candidate) / rest_unit / one;
      bool fits = true;
      for (int half = 0; fits && half <= 2 * fine_steps; ++half)
        fits = is_exact(coarse, half, fine_power(half));
      if (fits)
        return;
    }
  }
};

template <class Float, class Width>
constexpr ProductTables<Float, Width> proven_product_tables() {
  constexpr ProductTables<Float, Width> tables;
  static_assert(tables.guesses_are_near(), "the nearest step of every number is its line's guess or the one after it");
  static_assert(tables.products_are_exact(), "the products give every threshold and every value exactly");
  return tables;
}

template <class Float, class Width>
inline constexpr ProductTables<Float, Width> product_tables = proven_product_tables<Float, Width>();

} // namespace gfpq

#endif
