// Numbers as lanes of registers.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_LANES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_LANES_INL_HPP
#undef GFPQ_KERNELS_CPU_LANES_INL_HPP
#else
#define GFPQ_KERNELS_CPU_LANES_INL_HPP
#endif

#include "kernels/cpu/target-inl.hpp"
#include "kernels/ladder.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

/// How far ahead to prefetch, in bytes. The loops are too long for the hardware's own prefetching to keep up.
constexpr std::size_t prefetch_distance = 8192;

/// Prefetches into the first cache, or into the second alone: a loop that is so fast that it waits for memory takes up
/// the few buffers of the first (AVX-512, 8 bit, 256 MiB of floats: 9 % less time), which slower ones make use of
/// (AVX2, 8 bit: 10 % more).
template <bool to_second_cache>
HWY_INLINE void prefetch(const char* at) {
  if constexpr (to_second_cache)
    __builtin_prefetch(at, 0, 2);
  else
    hwy::Prefetch(at);
}

/// Bit patterns of a type's numbers as lanes. Signed, since that is what most instruction sets compare: a magnitude is
/// never negative.
template <class Float>
using Lanes = hn::ScalableTag<hwy::MakeSigned<Float>>;

template <class Float>
using Vec = hn::VFromD<Lanes<Float>>;

template <class Float>
HWY_INLINE Vec<Float> set_bits(typename Format<Float>::Bits bits) {
  return hn::Set(Lanes<Float>(), hwy::MakeSigned<Float>(bits));
}

/// Shifts a number that is not negative; few instruction sets shift signed 64-bit lanes right.
template <int count, class V>
HWY_INLINE V shift_right(V number) {
  const hn::DFromV<V> d;
  const hn::RebindToUnsigned<decltype(d)> unsigned_d;
  return hn::BitCast(d, hn::ShiftRight<count>(hn::BitCast(unsigned_d, number)));
}

/// How many lanes to skip to get to an aligned register: more than none, since the first is done apart.
template <class Lane>
HWY_INLINE std::size_t lanes_to_alignment(const Lane* at) {
  constexpr std::size_t size = sizeof(hn::VFromD<hn::ScalableTag<Lane>>);
  return (size - reinterpret_cast<std::uintptr_t>(at) % size) / sizeof(Lane);
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
