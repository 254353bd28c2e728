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
template <class Float>
struct Range {
  using F = Format<Float>;
  using Bits = typename F::Bits;

  Bits lowest_positive;
  Bits lowest_negative;
  Bits highest;

  static constexpr Bits octave = Bits(1) << F::fraction_bits;
  static constexpr Bits doubled_less_one = octave - 1;
  static_assert(F::infinity + doubled_less_one < F::sign && F::infinity + 1 + doubled_less_one == F::sign,
                "doubled less 1, infinity is positive as a signed number, and the first NaN negative");
};

template <class Float, class Width>
GFPQ_HOST_DEVICE constexpr Range<Float> range_of(const Ladder<Float, Width>& rule, int delta) {
  using Bits = typename Format<Float>::Bits;
  return {Bits(rule.zero_limit(delta) + Range<Float>::octave), Bits(rule.zero_limit(delta + 1) + Range<Float>::octave),
          rule.value(delta + Width::max_code)};
}

} // namespace gfpq

#endif
