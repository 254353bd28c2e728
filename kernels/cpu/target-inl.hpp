// What differs between the targets: with avx512-inl.hpp the one place that asks which is compiled. Highway's targets of
// one architecture are in order, and a newer one, whose number is lower, has what an older one has.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_TARGET_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_TARGET_INL_HPP
#undef GFPQ_KERNELS_CPU_TARGET_INL_HPP
#else
#define GFPQ_KERNELS_CPU_TARGET_INL_HPP
#endif

#include "kernels/cpu/avx512-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Rounds to nearest while it lives where that is needed, and leaves the caller's rounding mode and exception flags as
/// they were. Not every target can.
template <bool is_needed, bool raises_inexact_alone = true>
class RoundingToNearest;
template <bool raises_inexact_alone>
class RoundingToNearest<false, raises_inexact_alone> {};

#if HWY_ARCH_X86
template <bool raises_inexact_alone>
class RoundingToNearest<true, raises_inexact_alone> {
public:
  RoundingToNearest() {
    if (differs_)
      _mm_setcsr(initial);
  }
  ~RoundingToNearest() {
    if (differs_)
      _mm_setcsr(callers_);
  }

private:
  static constexpr unsigned int initial = 0x1f80;

  // Mostly the caller rounds to nearest, and had inexact results before: then there is nothing to change. To write the
  // register takes a small call a third of its time, and several times as long soon after the last write.
  const unsigned int callers_ = _mm_getcsr();
  const bool differs_ = !raises_inexact_alone || (callers_ | _MM_EXCEPT_MASK) != (initial | _MM_EXCEPT_MASK) ||
                        !(callers_ & _MM_EXCEPT_INEXACT);
};
#endif

template <class V>
HWY_INLINE auto as_floats(V bits) {
  return hn::BitCast(hn::RebindToFloat<hn::DFromV<V>>(), bits);
}

/// The lanes of `yes` where `number` is negative, else of `no`.
template <class V>
HWY_INLINE V if_negative(V number, V yes, V no) {
#if HWY_ARCH_X86 && HWY_TARGET > HWY_SSE4 // where Highway 1.0's IfNegativeThenElse is wrong
  return hn::IfVecThenElse(hn::BroadcastSignBit(number), yes, no);
#else
  return hn::BitCast(hn::DFromV<V>(), hn::IfNegativeThenElse(as_floats(number), as_floats(yes), as_floats(no)));
#endif
}

// What the methods ask of a target:
// - max_registers<Lane>: in how many registers such lanes can look a table up; with 0 it stays in memory
// - looks_up_in_two: whether one instruction looks up in two registers
// - looks_up_bytes: whether four registers' look-ups by bytes are faster, by pack_words() and pack_bytes(): the first
//   makes 16-bit lanes of the 32-bit lanes of two registers, the second bytes of those, where they fit, in the order
//   that InterleaveLower and InterleaveUpper take back
// - splits_words: whether there are high_words() and low_words(), the halves of the 64-bit lanes of two registers, in
//   that order too
// - has_fused_multiply_add: whether multiply_add() rounds once
// - rounds_by_instruction: whether multiply_add(), add(), subtract() and is_less() round to nearest and raise no
//   exceptions whatever the caller's environment is; else RoundingToNearest sees to that
// - clamps_integers: whether it is faster to clamp 32-bit integers with their signs than to split the signs off
// - converts_float16: whether there are widen_register() and round_register(), for as many float16 numbers as a
//   register has floats, under RoundingToNearest: GCC 12 has no way to let the second leave exceptions alone
// - clamps_bins: whether it is faster to clamp the bins of doubles, by their high words, than the doubles
// - has_masks: whether there are with_lesser_magnitude(a, b), which has the sign of a, and for the lanes of a mask
//   larger_or_zero() and larger_where(), which give the larger magnitude of two numbers with the same sign, and
//   pick_where()
//
// pick() takes lanes out of one register, or two where it looks up in two, by the last bits of `index`. Highway's
// TableLookupLanes wants the other bits cleared, and its TwoTablesLookupLanes is younger than the version that we
// support.
//
// load_few() and store_few() are for fewer numbers than a register holds; the lanes beyond are 0.

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3 // in avx512-inl.hpp
#elif HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2

struct Traits {
  template <class Lane>
  static constexpr int max_registers = sizeof(Lane) == 4 ? 4 : 0;
  static constexpr bool looks_up_in_two = false;
#ifdef HWY_DISABLE_BMI2_FMA
  static constexpr bool has_fused_multiply_add = false;
#else
  static constexpr bool has_fused_multiply_add = true;
#endif
  static constexpr bool rounds_by_instruction = false;
  static constexpr bool has_masks = false;
  static constexpr bool clamps_integers = true;
  static constexpr bool clamps_bins = true;
  static constexpr bool splits_words = true;
  static constexpr bool looks_up_bytes = true;
#ifdef HWY_DISABLE_F16C
  static constexpr bool converts_float16 = false;
#else
  static constexpr bool converts_float16 = true;
#endif
};

using Int32s = hn::VFromD<hn::ScalableTag<int32_t>>;
using Int64s = hn::VFromD<hn::ScalableTag<int64_t>>;
HWY_INLINE Int32s pick(Int32s index, Int32s a) { return Int32s{_mm256_permutevar8x32_epi32(a.raw, index.raw)}; }

template <int order>
HWY_INLINE Int32s shuffled_words(Int64s a, Int64s b) {
  const auto a_words = as_floats(hn::BitCast(hn::ScalableTag<int32_t>(), a));
  const auto b_words = as_floats(hn::BitCast(hn::ScalableTag<int32_t>(), b));
  return hn::BitCast(hn::ScalableTag<int32_t>(), decltype(a_words){_mm256_shuffle_ps(a_words.raw, b_words.raw, order)});
}
HWY_INLINE Int32s high_words(Int64s a, Int64s b) { return shuffled_words<0xdd>(a, b); }
HWY_INLINE Int32s low_words(Int64s a, Int64s b) { return shuffled_words<0x88>(a, b); }

HWY_INLINE __m256i first_lanes(const int32_t*, std::size_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
HWY_INLINE __m256i first_lanes(const int64_t*, std::size_t count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(int64_t(count)), _mm256_setr_epi64x(0, 1, 2, 3));
}
HWY_INLINE Int32s load_few(const int32_t* from, std::size_t count) {
  return Int32s{_mm256_maskload_epi32(from, first_lanes(from, count))};
}
HWY_INLINE Int64s load_few(const int64_t* from, std::size_t count) {
  return Int64s{_mm256_maskload_epi64(reinterpret_cast<const long long*>(from), first_lanes(from, count))};
}
HWY_INLINE void store_few(Int32s numbers, int32_t* to, std::size_t count) {
  _mm256_maskstore_epi32(to, first_lanes(to, count), numbers.raw);
}
HWY_INLINE void store_few(Int64s numbers, int64_t* to, std::size_t count) {
  _mm256_maskstore_epi64(reinterpret_cast<long long*>(to), first_lanes(to, count), numbers.raw);
}

#ifndef HWY_DISABLE_F16C
HWY_INLINE void widen_register(const void* from, float* to) {
  _mm256_storeu_ps(to, _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(from))));
}
HWY_INLINE void round_register(const float* from, void* to) {
  _mm_storeu_si128(static_cast<__m128i*>(to), _mm256_cvtps_ph(_mm256_loadu_ps(from), _MM_FROUND_TO_NEAREST_INT));
}
#endif

using UInt16s = hn::VFromD<hn::ScalableTag<uint16_t>>;
HWY_INLINE UInt16s pack_words(Int32s a, Int32s b) { return UInt16s{_mm256_packus_epi32(a.raw, b.raw)}; }
HWY_INLINE auto pack_bytes(UInt16s a, UInt16s b) {
  return hn::VFromD<hn::ScalableTag<uint8_t>>{_mm256_packus_epi16(a.raw, b.raw)};
}

#else

struct Traits {
  template <class Lane>
  static constexpr int max_registers = 0;
  static constexpr bool looks_up_in_two = false;
  static constexpr bool has_fused_multiply_add = false; // or not relied on
  static constexpr bool rounds_by_instruction = false;
  static constexpr bool has_masks = false;
  static constexpr bool clamps_integers = false; // with SSE4 it takes 6 to 10 % longer; with NEON it was not timed
  static constexpr bool clamps_bins = HWY_ARCH_X86 != 0; // with NEON it was not timed either
  static constexpr bool splits_words = false;
  static constexpr bool looks_up_bytes = HWY_ARCH_X86 && HWY_TARGET <= HWY_SSE4;
  static constexpr bool converts_float16 = false;
};

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSE4
using Int32s = hn::VFromD<hn::ScalableTag<int32_t>>;
using UInt16s = hn::VFromD<hn::ScalableTag<uint16_t>>;
HWY_INLINE UInt16s pack_words(Int32s a, Int32s b) { return UInt16s{_mm_packus_epi32(a.raw, b.raw)}; }
HWY_INLINE auto pack_bytes(UInt16s a, UInt16s b) {
  return hn::VFromD<hn::ScalableTag<uint8_t>>{_mm_packus_epi16(a.raw, b.raw)};
}
#endif

#endif

/// The entries that each lane's index names.
template <class Lane, class V>
HWY_INLINE V gather(const Lane* entries, V index) {
  [[maybe_unused]] const hn::DFromV<V> d;
#if HWY_ARCH_X86 && HWY_TARGET > HWY_AVX2
  // Indices pass through memory: the instructions that extract a lane compete with those that insert one, and what the
  // compiler sees through becomes such instructions.
  alignas(16) Lane indices[16 / sizeof(Lane)];
  hn::Store(index, d, indices);
  __asm__("" : "+m"(indices));
  if constexpr (sizeof(Lane) == 4)
    return V{_mm_setr_epi32(entries[indices[0]], entries[indices[1]], entries[indices[2]], entries[indices[3]])};
  else
    return V{_mm_set_epi64x(entries[indices[1]], entries[indices[0]])};
#elif HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3
  // The instruction keeps lanes that its mask leaves out, so it would wait for what the register held before. That the
  // mask leaves none out is hidden from GCC, which would leave `none` out.
  const __m256i none = _mm256_setzero_si256();
  __m256i all = _mm256_set1_epi32(-1);
  __asm__("" : "+x"(all));
  if constexpr (sizeof(Lane) == 4)
    return V{_mm256_mask_i32gather_epi32(none, entries, index.raw, all, 4)};
  else
    return V{_mm256_mask_i64gather_epi64(none, reinterpret_cast<const long long*>(entries), index.raw, all, 8)};
#else
  return hn::GatherIndex(d, entries, index);
#endif
}

#if !(HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2)
// By halves of halves.
template <class D, class Lane>
HWY_INLINE hn::VFromD<D> load_first(D d, const Lane* from, std::size_t count) {
  if constexpr (constexpr std::size_t lanes = hn::MaxLanes(d); lanes == 1) {
    return count == 0 ? hn::Zero(d) : hn::LoadU(d, from);
  } else {
    const hn::Half<D> half;
    if (count <= lanes / 2)
      return hn::ZeroExtendVector(d, load_first(half, from, count));
    return hn::Combine(d, load_first(half, from + lanes / 2, count - lanes / 2), hn::LoadU(half, from));
  }
}
template <class D, class Lane>
HWY_INLINE void store_first(D d, hn::VFromD<D> numbers, Lane* to, std::size_t count) {
  if constexpr (constexpr std::size_t lanes = hn::MaxLanes(d); lanes == 1) {
    if (count != 0)
      hn::StoreU(numbers, d, to);
  } else {
    const hn::Half<D> half;
    const auto lower = hn::LowerHalf(half, numbers);
    if (count <= lanes / 2)
      return store_first(half, lower, to, count);
    hn::StoreU(lower, half, to);
    store_first(half, hn::UpperHalf(half, numbers), to + lanes / 2, count - lanes / 2);
  }
}

template <class Lane>
HWY_INLINE auto load_few(const Lane* from, std::size_t count) {
  return load_first(hn::ScalableTag<Lane>(), from, count);
}
template <class V, class Lane>
HWY_INLINE void store_few(V numbers, Lane* to, std::size_t count) {
  store_first(hn::ScalableTag<Lane>(), numbers, to, count);
}
#endif

#if !(HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3)
template <class V>
HWY_INLINE V multiply_add(V a, V b, V c) {
  return hn::MulAdd(a, b, c);
}
template <class V>
HWY_INLINE V add(V a, V b) {
  return hn::Add(a, b);
}
template <class V>
HWY_INLINE V subtract(V a, V b) {
  return hn::Sub(a, b);
}
template <class V>
HWY_INLINE auto is_less(V a, V b) {
  return hn::Lt(a, b);
}
#endif

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
