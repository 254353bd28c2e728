// The largest magnitude of a tensor.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_MAX_ABS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_MAX_ABS_INL_HPP
#undef GFPQ_KERNELS_CPU_MAX_ABS_INL_HPP
#else
#define GFPQ_KERNELS_CPU_MAX_ABS_INL_HPP
#endif

#include "kernels/cpu/lanes-inl.hpp"
#include "kernels/range.hpp"

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
  // With so much added, a NaN is negative as a signed number, and infinity isn't (range.hpp).
  const V added = set_bits<Float>(Range<Float>::doubled_less_one);
  const auto raise = [added](V maximum, V number) HWY_ATTR {
    const V magnitude = hn::And(number, set_bits<Float>(~F::sign));
    return hn::Max(maximum, hn::Add(magnitude, added));
  };

  const Lane* const begin = reinterpret_cast<const Lane*>(data);
  const Lane* const end = begin + count;
  V maximum = added;
  if (count < lanes) {
    maximum = raise(maximum, load_few(begin, count));
  } else {
    maximum = raise(maximum, hn::LoadU(d, begin));
    const Lane* at = begin + lanes_to_alignment(begin);
    V maxima[4] = {maximum, maximum, maximum, maximum};
    for (; std::size_t(end - at) >= 4 * lanes; at += 4 * lanes) {
      for (std::size_t i = 0; i < 4 * sizeof(V); i += 64)
        hwy::Prefetch(reinterpret_cast<const char*>(at) + prefetch_distance + i);
      for (std::size_t i = 0; i < 4; ++i)
        maxima[i] = raise(maxima[i], hn::LoadU(d, at + i * lanes));
    }
    maximum = hn::Max(hn::Max(maxima[0], maxima[1]), hn::Max(maxima[2], maxima[3]));
    for (; std::size_t(end - at) >= lanes; at += lanes)
      maximum = raise(maximum, hn::LoadU(d, at));
    maximum = raise(maximum, hn::LoadU(d, end - lanes));
  }
  return hn::GetLane(hn::MaxOfLanes(d, hn::Sub(maximum, added)));
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
