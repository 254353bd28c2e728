// The scalar rule as the GPU computes it: by one addition and two look-ups, for host and device.
//
// The tables, and why they are right, are in carry_tables.hpp. On the GPU they lie in shared memory: 8 bit has 32
// pieces, one a bank, so that no two lanes of a warp ever collide.
#ifndef GFPQ_KERNELS_CUDA_RULE_HPP
#define GFPQ_KERNELS_CUDA_RULE_HPP

#include "language.hpp"
// After language.hpp, which defines __host__ and __device__ where nobody else does.
#include "../carry_tables.hpp"

namespace gfpq {
namespace cuda {

inline GFPQ_HOST_DEVICE int as_signed(unsigned int bits) { return static_cast<int>(bits); }
inline GFPQ_HOST_DEVICE long long as_signed(unsigned long long bits) { return static_cast<long long>(bits); }

/// What a delta makes of the ladder: its ends, as magnitudes.
template <class Bits>
struct Range {
  Bits lowest_positive;
  Bits lowest_negative;
  Bits highest;
};

template <class Float, class W>
GFPQ_HOST_DEVICE constexpr Range<typename Format<Float>::Bits> range_of(const Ladder<Float, W>& rule, int delta) {
  using Bits = typename Format<Float>::Bits;
  // The lowest values are rounded down: exactly twice the largest magnitude that becomes zero, and on the value's side
  // of every threshold.
  constexpr Bits twice = Bits(1) << Format<Float>::fraction_bits;
  return {Bits(rule.zero_limit(delta) + twice), Bits(rule.zero_limit(delta + 1) + twice),
          rule.value(delta + W::max_code)};
}

/// Quantizes and dequantizes one number.
template <class Float, class W>
class Quantizer {
  using F = Format<Float>;
  using Bits = typename F::Bits;
  using Tables = CarryTables<Float, W>;

public:
  GFPQ_HOST_DEVICE Quantizer(const Range<Bits>& range, const Bits* carry, const Bits* value)
      : range_(range), carry_(carry), value_(value) {}

  GFPQ_HOST_DEVICE Bits operator()(Bits number) const {
    const Bits sign = number & F::sign;
    const Bits magnitude = number ^ sign;
    const Bits lowest = sign != 0 ? range_.lowest_negative : range_.lowest_positive;
    // Half of the lowest or less becomes zero; so does NaN, whose double is negative as an integer. Infinity's would be
    // too, hence "less one".
    constexpr Bits doubled_less_one = (Bits(1) << F::fraction_bits) - 1;
    const bool is_zero = as_signed(magnitude + doubled_less_one) < as_signed(lowest);

    const Bits at_most = magnitude < range_.highest ? magnitude : range_.highest;
    const Bits clamped = at_most > lowest ? at_most : lowest;
    const Bits binned = clamped + carry_[clamped >> Tables::piece_shift & (Tables::pieces - 1)];
    const Bits nearest = (binned & F::infinity) | value_[binned >> Tables::bin_shift & (W::steps - 1)];
    return is_zero ? 0 : nearest | sign;
  }

private:
  Range<Bits> range_;
  const Bits* carry_;
  const Bits* value_;
};

/// What a number adds to the search for the largest magnitude: NaN nothing.
template <class Float>
GFPQ_HOST_DEVICE constexpr typename Format<Float>::Bits magnitude_or_zero(typename Format<Float>::Bits number) {
  using F = Format<Float>;
  const typename F::Bits magnitude = number & ~F::sign;
  return magnitude > F::infinity ? 0 : magnitude;
}

} // namespace cuda
} // namespace gfpq

#endif
