// What differs between the targets: the one place that asks which is compiled. Highway's targets of one architecture
// are in order, and a newer one, whose number is lower, has what an older one has. Included once for each target, after
// highway.h.
#if defined(GFPQ_KERNELS_CPU_TARGET_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_TARGET_INL_HPP
#undef GFPQ_KERNELS_CPU_TARGET_INL_HPP
#else
#define GFPQ_KERNELS_CPU_TARGET_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Rounds to nearest while it lives where that is needed, and leaves the caller's rounding mode and exception flags as
/// they were. Not every target can.
template <bool is_needed>
class RoundingToNearest;
template <>
class RoundingToNearest<false> {};

#if HWY_ARCH_X86
template <>
class RoundingToNearest<true> {
public:
  RoundingToNearest() { _mm_setcsr(0x1f80); }
  ~RoundingToNearest() { _mm_setcsr(callers_); }

private:
  const unsigned int callers_ = _mm_getcsr();
};
#endif

template <class V>
HWY_INLINE auto as_floats(V bits) {
  return hn::BitCast(hn::RebindToFloat<hn::DFromV<V>>(), bits);
}

/// The lanes of `yes` where `number` is negative, else of `no`.
template <class V>
HWY_INLINE V if_negative(V number, V yes, V no) {
#if HWY_ARCH_X86 && (HWY_TARGET <= HWY_AVX3 || HWY_TARGET > HWY_SSE4)
  // With AVX-512 a mask register would take longer; without SSE4, Highway 1.0's IfNegativeThenElse is wrong.
  return hn::IfVecThenElse(hn::BroadcastSignBit(number), yes, no);
#else
  return hn::BitCast(hn::DFromV<V>(), hn::IfNegativeThenElse(as_floats(number), as_floats(yes), as_floats(no)));
#endif
}

// pick() takes lanes out of one register, or two, by the last bits of `index`. Highway's TableLookupLanes wants the
// other bits cleared, and its TwoTablesLookupLanes is younger than the version that we support.
//
// high_words() and low_words() are the halves of the 64-bit lanes of two registers, in the order that InterleaveLower
// and InterleaveUpper take back.

// What the methods ask of a target:
// - max_registers<Lane>: in how many registers such lanes can look a table up; with 0 it stays in memory
// - looks_up_in_two: whether one instruction looks up in two registers
// - has_fused_multiply_add: whether hn::MulAdd() rounds once
// - splits_words: whether there are high_words() and low_words()

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3

struct Traits {
  template <class Lane>
  static constexpr int max_registers = 4;
  static constexpr bool looks_up_in_two = true;
  static constexpr bool has_fused_multiply_add = true;
  static constexpr bool splits_words = false; // 64-bit lanes look up in registers too
};

using Int32s = hn::VFromD<hn::ScalableTag<int32_t>>;
using Int64s = hn::VFromD<hn::ScalableTag<int64_t>>;
HWY_INLINE Int32s pick(Int32s index, Int32s a) { return Int32s{_mm512_permutexvar_epi32(index.raw, a.raw)}; }
HWY_INLINE Int64s pick(Int64s index, Int64s a) { return Int64s{_mm512_permutexvar_epi64(index.raw, a.raw)}; }
HWY_INLINE Int32s pick(Int32s index, Int32s a, Int32s b) {
  return Int32s{_mm512_permutex2var_epi32(a.raw, index.raw, b.raw)};
}
HWY_INLINE Int64s pick(Int64s index, Int64s a, Int64s b) {
  return Int64s{_mm512_permutex2var_epi64(a.raw, index.raw, b.raw)};
}

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
  static constexpr bool splits_words = true;
};

using Int32s = hn::VFromD<hn::ScalableTag<int32_t>>;
using Int64s = hn::VFromD<hn::ScalableTag<int64_t>>;
HWY_INLINE Int32s pick(Int32s index, Int32s a) { return Int32s{_mm256_permutevar8x32_epi32(a.raw, index.raw)}; }
HWY_INLINE Int32s pick(Int32s index, Int32s a, Int32s b) {
  return if_negative(hn::ShiftLeft<28>(index), pick(index, b), pick(index, a));
}

template <int order>
HWY_INLINE Int32s shuffled_words(Int64s a, Int64s b) {
  const auto a_words = as_floats(hn::BitCast(hn::ScalableTag<int32_t>(), a));
  const auto b_words = as_floats(hn::BitCast(hn::ScalableTag<int32_t>(), b));
  return hn::BitCast(hn::ScalableTag<int32_t>(), decltype(a_words){_mm256_shuffle_ps(a_words.raw, b_words.raw, order)});
}
HWY_INLINE Int32s high_words(Int64s a, Int64s b) { return shuffled_words<0xdd>(a, b); }
HWY_INLINE Int32s low_words(Int64s a, Int64s b) { return shuffled_words<0x88>(a, b); }

#else

struct Traits {
  template <class Lane>
  static constexpr int max_registers = 0;
  static constexpr bool looks_up_in_two = false;
  static constexpr bool has_fused_multiply_add = false; // or not relied on
  static constexpr bool splits_words = false;
};

#endif

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
