// The loop over blocks of numbers that go from one place to another.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_BLOCKS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_BLOCKS_INL_HPP
#undef GFPQ_KERNELS_CPU_BLOCKS_INL_HPP
#else
#define GFPQ_KERNELS_CPU_BLOCKS_INL_HPP
#endif

#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

/// Calls `block(in, out, place)` for `lanes` numbers at once; the last of them may overlap those before.
template <std::size_t lanes, class In, class Out, class Block>
HWY_INLINE void for_each_block(const In* in, Out* out, std::size_t count, const Block& block) {
  if (count < lanes) {
    In few[lanes] = {};
    Out results[lanes];
    std::memcpy(few, in, count * sizeof(In));
    block(few, results, 0);
    std::memcpy(out, results, count * sizeof(Out));
    return;
  }
  std::size_t at = 0;
  for (; at + lanes < count; at += lanes) {
    hwy::Prefetch(reinterpret_cast<const char*>(in + at) + prefetch_distance);
    block(in + at, out + at, at);
  }
  at = count - lanes;
  block(in + at, out + at, at);
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
