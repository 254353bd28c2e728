// The scalar rule as the GPU computes it: by one addition and two look-ups, for host and device.
//
// The tables, and why they are right, are in carry_tables.hpp. On the GPU they are in shared memory: 8 bit has 32
// pieces, one a bank, so that no two lanes of a warp ever collide.
#ifndef GFPQ_KERNELS_CUDA_RULE_HPP
#define GFPQ_KERNELS_CUDA_RULE_HPP

#include "language.hpp"
// After language.hpp, which defines __host__ and __device__ where nobody else does.
#include "../carry_tables.hpp"
#include "../range.hpp"

namespace gfpq {
namespace cuda {

inline GFPQ_HOST_DEVICE int as_signed(unsigned int bits) { return static_cast<int>(bits); }
inline GFPQ_HOST_DEVICE long long as_signed(unsigned long long bits) { return static_cast<long long>(bits); }

/// Fake-quantizes one number.
template <class Float, class Width>
class FakeQuantizer {
  using F = Format<Float>;
  using Bits = typename F::Bits;
  using Nearest = NearestByPiece<Float, Width>;

public:
  GFPQ_HOST_DEVICE FakeQuantizer(const Range<Float>& range, const Bits* carry, const Bits* value)
      : range_(range), carry_(carry), value_(value) {}

  GFPQ_HOST_DEVICE Bits operator()(Bits number) const {
    const Bits sign = number & F::sign;
    const Bits magnitude = number ^ sign;
    const Bits lowest = sign != 0 ? range_.lowest_negative : range_.lowest_positive;
    const bool is_zero = as_signed(magnitude + Range<Float>::doubled_less_one) < as_signed(lowest);

    const Bits at_most = magnitude < range_.highest ? magnitude : range_.highest;
    const Bits clamped = at_most > lowest ? at_most : lowest;
    const Bits nearest = Nearest::value_of(Nearest::binned(clamped, carry_), value_);
    return is_zero ? 0 : nearest | sign;
  }

private:
  Range<Float> range_;
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
