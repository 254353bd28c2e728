// The loops that compilers vectorize (loops.hpp), compiled for the target, or its instructions for the same.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_LOOPS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_LOOPS_INL_HPP
#undef GFPQ_KERNELS_CPU_LOOPS_INL_HPP
#else
#define GFPQ_KERNELS_CPU_LOOPS_INL_HPP
#endif

#include "kernels/cpu/blocks-inl.hpp"
#include "kernels/cpu/loops.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

template <class Float>
void raise_each(const Float* data, std::size_t count, typename Format<Float>::Bits* maxima) {
  loops::raise_each(data, count, maxima);
}

template <class Float>
void write_mask(const Float* data, std::size_t count, typename Format<Float>::Bits largest, unsigned char* mask) {
  loops::write_mask(data, count, largest, mask);
}

template <class Float>
void write_mask_of_each(const Float* data, std::size_t count, const typename Format<Float>::Bits* largest,
                        unsigned char* mask) {
  loops::write_mask_of_each(data, count, largest, mask);
}

template <class Half>
unsigned max_abs_of_halves(const Half* data, std::size_t count) {
  return loops::max_abs_of_halves(data, count);
}

template <class Half>
constexpr bool is_converted_by_instruction = (Traits::converts_float16 && std::is_same_v<Half, Float16>);

/// A signalling NaN, an overflow and a denormal result raise more than that a result is inexact.
template <class Half>
using AroundConversions = RoundingToNearest<is_converted_by_instruction<Half>, false>;

template <class Half>
void widen(const Half* in, std::size_t count, float* out) {
  if constexpr (is_converted_by_instruction<Half>) {
    const AroundConversions<Half> rounding;
    for_each_block<hn::MaxLanes(hn::ScalableTag<float>())>(
        in, out, count, [](const Half* from, float* to, std::size_t) HWY_ATTR { widen_register(from, to); });
  } else {
    loops::widen(in, count, out);
  }
}

template <class Half>
void round(const float* in, std::size_t count, Half* out) {
  if constexpr (is_converted_by_instruction<Half>) {
    const AroundConversions<Half> rounding;
    for_each_block<hn::MaxLanes(hn::ScalableTag<float>())>(
        in, out, count, [](const float* from, Half* to, std::size_t) HWY_ATTR { round_register(from, to); });
  } else {
    loops::round(in, count, out);
  }
}

template <class Half>
void round_normal(const float* in, std::size_t count, Half* out) {
  if constexpr (is_converted_by_instruction<Half>)
    round(in, count, out);
  else
    loops::round_normal(in, count, out);
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
