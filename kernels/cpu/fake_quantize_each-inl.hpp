// Fake-quantizes numbers side by side, each by its own delta.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_FAKE_QUANTIZE_EACH_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_FAKE_QUANTIZE_EACH_INL_HPP
#undef GFPQ_KERNELS_CPU_FAKE_QUANTIZE_EACH_INL_HPP
#else
#define GFPQ_KERNELS_CPU_FAKE_QUANTIZE_EACH_INL_HPP
#endif

#include "kernels/cpu/blocks-inl.hpp"
#include "kernels/cpu/deltas-inl.hpp"
#include "kernels/cpu/fake_quantize-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

template <class Float, class Width>
constexpr auto nearest_for() {
  if constexpr (products_fit_registers<Float, Width>())
    return Type<ByProduct<Float, Width, Powers<Float, Width>>>();
  else
    return Type<ByPiece<Float, Width>>();
}

/// From one place to another; by an EachDelta in place too.
template <class Float, class Width, class Delta>
void fake_quantize_by(const Float* in, Float* out, std::size_t count, Delta delta) {
  if constexpr (std::is_same_v<Delta, int>) {
    fake_quantize_from<Float, Width, false>(in, out, count, delta);
  } else {
    using Nearest = typename decltype(nearest_for<Float, Width>())::type;
    using Lane = hn::TFromD<Lanes<Float>>;
    [[maybe_unused]] const RoundingToNearest<Nearest::needs_rounding_to_nearest> rounding;
    constexpr Lanes<Float> d;
    const Deltas<Float, Width, Delta> deltas(delta);
    const Nearest nearest;
    // Where two blocks overlap in place, a value of the ladder stays as it is.
    for_each_block<hn::MaxLanes(d)>(reinterpret_cast<const Lane*>(in), reinterpret_cast<Lane*>(out), count,
                                    [&](const Lane* from, Lane* to, std::size_t at) HWY_ATTR {
                                      Vec<Float> numbers[] = {deltas.clamp(at)(hn::LoadU(d, from))};
                                      nearest(numbers);
                                      hn::StoreU(numbers[0], d, to);
                                    });
  }
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
