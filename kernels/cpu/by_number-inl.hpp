// Fake-quantizes numbers one by one: clamps them, and finds the nearest values by one way or another.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_BY_NUMBER_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_BY_NUMBER_INL_HPP
#undef GFPQ_KERNELS_CPU_BY_NUMBER_INL_HPP
#else
#define GFPQ_KERNELS_CPU_BY_NUMBER_INL_HPP
#endif

#include "kernels/cpu/clamp-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

/// Fake-quantizes the numbers of as many registers as `Nearest` takes at once. That replaces numbers within the ladder
/// by the values nearest to them, and leaves 0 as it is.
template <class Float, class Width, class Nearest, ClampWay way = clamp_way<Float>>
class ByNumber {
  using V = Vec<Float>;

public:
  static constexpr int registers = Nearest::registers;
  static constexpr bool needs_rounding_to_nearest = Nearest::needs_rounding_to_nearest;
  static constexpr bool prefetches_to_second_cache = Nearest::prefetches_to_second_cache;

  HWY_INLINE explicit ByNumber(int delta) : clamp_(range_of(ladder<Float, Width>, delta)) {}

  HWY_INLINE void operator()(V (&numbers)[registers]) const {
    for (V& number : numbers)
      number = clamp_(number);
    nearest_(numbers);
  }

private:
  const Clamp<Float, way> clamp_;
  const Nearest nearest_;
};

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
