// What a delta makes of the ladder, as the SIMD and CUDA kernels need it: its ends, and the test of what becomes zero.
#ifndef GFPQ_KERNELS_RANGE_HPP
#define GFPQ_KERNELS_RANGE_HPP

#include "ladder.hpp"

namespace gfpq {

/// The ends of a ladder, as magnitudes.
///
/// A lowest value is rounded down: exactly twice the largest magnitude that becomes zero, and on the value's side of
/// every threshold. So x becomes zero where |x| + one octave <= lowest. One comparison of integers says the same for
/// all x, as signed numbers:
///
///     |x| + doubled_less_one < lowest        where doubled_less_one is one octave less 1
///
/// A NaN, which becomes zero too, is above infinity, the largest pattern of its octave: its double is negative as a
/// signed number. Infinity's double would be too, hence "less 1".
///
/// Numbers with their signs are clamped at once, as integers: among signed ones every negative number is below every
/// positive one, and among unsigned ones above, so that each of four minima and maxima concerns one sign alone. How far
/// that raises a number says whether it becomes zero: by an octave or more. A NaN is lowered by more than infinity is.
template <class Float>
struct Range {
  using F = Format<Float>;
  using Bits = typename F::Bits;
  using Signed = typename F::Signed;

  Bits lowest_positive;
  Bits lowest_negative;
  Bits highest;

  static constexpr Bits octave = Bits(1) << F::fraction_bits;
  static constexpr Bits doubled_less_one = octave - 1;
  static_assert(F::infinity + doubled_less_one < F::sign && F::infinity + 1 + doubled_less_one == F::sign,
                "doubled less 1, infinity is positive as a signed number, and the first NaN negative");

  // As signed numbers, a number becomes zero where clamped - number + raise_offset > raise_limit.
  constexpr Bits raise_offset() const { return F::sign + (F::infinity - highest); }
  constexpr Bits raise_limit() const { return raise_offset() + doubled_less_one; }

  /// The number within the range, with its sign; 0 where it becomes zero.
  constexpr Bits clamped(Bits number) const {
    const auto is_below = [](Bits a, Bits b) { return Signed(a) < Signed(b); };
    Bits result = is_below(number, highest) ? number : highest;
    result = result < (F::sign | highest) ? result : F::sign | highest;
    result = is_below(result, F::sign | lowest_negative) ? F::sign | lowest_negative : result;
    result = result < lowest_positive ? lowest_positive : result;
    return is_below(raise_limit(), result - number + raise_offset()) ? 0 : result;
  }
};

template <class Float, class Width>
GFPQ_HOST_DEVICE constexpr Range<Float> range_of(const Ladder<Float, Width>& rule, int delta) {
  using Bits = typename Format<Float>::Bits;
  return {Bits(rule.zero_limit(delta) + Range<Float>::octave), Bits(rule.zero_limit(delta + 1) + Range<Float>::octave),
          rule.value(delta + Width::max_code)};
}

/// Whether the range says of each sign's numbers what the rule does, for a delta at every step of an octave; in other
/// octaves only the exponents differ. What becomes zero, and what is clamped, is an interval of magnitudes, so its ends
/// decide.
template <class Float, class Width>
constexpr bool is_range_of_the_rule() {
  using F = Format<Float>;
  using Bits = typename F::Bits;
  constexpr const Ladder<Float, Width>& rule = ladder<Float, Width>;
  for (int delta = 0; delta < Width::steps; ++delta)
    for (int is_negative = 0; is_negative <= 1; ++is_negative) {
      const Bits sign = is_negative != 0 ? F::sign : Bits(0);
      const Range<Float> range = range_of(rule, delta);
      const Bits lowest = is_negative != 0 ? range.lowest_negative : range.lowest_positive;
      const auto is_right = [&](Bits magnitude) {
        const Bits doubled = magnitude + Range<Float>::doubled_less_one;
        const bool is_zero = doubled >= F::sign || doubled < lowest;
        const Bits wanted = rule.fake_quantize(magnitude | sign, delta), clamped = range.clamped(magnitude | sign);
        return is_zero == (wanted == 0) && is_zero == (clamped == 0) &&
               (is_zero || wanted == (sign | rule.value(rule.nearest_exponent(clamped ^ sign))));
      };
      const Bits limit = rule.zero_limit(delta + is_negative);
      if (!is_right(0) || !is_right(limit) || !is_right(limit + 1) || !is_right(lowest - 1) || !is_right(lowest) ||
          !is_right(lowest + 1) || !is_right(range.highest - 1) || !is_right(range.highest) ||
          !is_right(range.highest + 1) || !is_right(F::infinity) || !is_right(F::infinity + 1) ||
          !is_right(F::sign - 1))
        return false;
      if (rule.nearest_exponent(lowest) != delta + is_negative ||
          rule.nearest_exponent(range.highest) != delta + Width::max_code)
        return false;
    }
  return true;
}
#define GFPQ_INSTANTIATE(Float, Width)                                                                                 \
  static_assert(is_range_of_the_rule<Float, Width>(), "the range decides on zero as the rule does, in " #Width);
GFPQ_INSTANTIATE_ALL
#undef GFPQ_INSTANTIATE

} // namespace gfpq

#endif
