// The largest magnitude of a tensor.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_MAX_ABS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_MAX_ABS_INL_HPP
#undef GFPQ_KERNELS_CPU_MAX_ABS_INL_HPP
#else
#define GFPQ_KERNELS_CPU_MAX_ABS_INL_HPP
#endif

#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

template <class Float>
typename Format<Float>::Bits max_abs(const Float* data, std::size_t count) {
  using F = Format<Float>;
  using V = Vec<Float>;
  using Lane = hwy::MakeSigned<Float>;
  const Lanes<Float> d;
  constexpr std::size_t lanes = hn::MaxLanes(Lanes<Float>());
  const auto raise = [d](V maximum, const Lane* from) HWY_ATTR {
    const V magnitude = hn::And(hn::LoadU(d, from), set_bits<Float>(~F::sign));
    const auto is_nan = hn::Gt(magnitude, set_bits<Float>(F::infinity));
    return hn::Max(maximum, hn::IfThenZeroElse(is_nan, magnitude));
  };

  const Lane* const begin = reinterpret_cast<const Lane*>(data);
  const Lane* const end = begin + count;
  V maximum = hn::Zero(d);
  if (count < lanes) {
    alignas(64) Lane few[lanes] = {};
    std::memcpy(few, begin, count * sizeof(Lane));
    maximum = raise(maximum, few);
  } else {
    maximum = raise(maximum, begin);
    const Lane* at = begin + lanes_to_alignment(begin);
    V maxima[4] = {maximum, maximum, maximum, maximum};
    for (; std::size_t(end - at) >= 4 * lanes; at += 4 * lanes) {
      for (std::size_t i = 0; i < 4 * sizeof(V); i += 64)
        hwy::Prefetch(reinterpret_cast<const char*>(at) + prefetch_distance + i);
      for (std::size_t i = 0; i < 4; ++i)
        maxima[i] = raise(maxima[i], at + i * lanes);
    }
    maximum = hn::Max(hn::Max(maxima[0], maxima[1]), hn::Max(maxima[2], maxima[3]));
    for (; std::size_t(end - at) >= lanes; at += lanes)
      maximum = raise(maximum, at);
    maximum = raise(maximum, end - lanes);
  }
  return hn::GetLane(hn::MaxOfLanes(d, maximum));
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
