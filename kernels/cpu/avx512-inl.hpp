// What target-inl.hpp says of a target, for AVX-512.
// Included once for each target, after highway.h, by target-inl.hpp.
#if defined(GFPQ_KERNELS_CPU_AVX512_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_AVX512_INL_HPP
#undef GFPQ_KERNELS_CPU_AVX512_INL_HPP
#else
#define GFPQ_KERNELS_CPU_AVX512_INL_HPP
#endif

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

struct Traits {
  template <class Lane>
  static constexpr int max_registers = 4;
  static constexpr bool looks_up_in_two = true;
  static constexpr bool has_fused_multiply_add = true;
  static constexpr bool rounds_by_instruction = true;
  static constexpr bool has_masks = true;
  static constexpr bool clamps_integers = false;
  static constexpr bool clamps_bins = false;
  static constexpr bool splits_words = false; // 64-bit lanes look up in registers too
  static constexpr bool looks_up_bytes = false;
  static constexpr bool converts_float16 = true;
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

template <class Lane>
using Mask = hn::Mask512<Lane>;
HWY_INLINE Int32s pick_where(Mask<int32_t> where, Int32s index, Int32s table, Int32s otherwise) {
  return Int32s{_mm512_mask_permutexvar_epi32(otherwise.raw, where.raw, index.raw, table.raw)};
}
HWY_INLINE Int64s pick_where(Mask<int64_t> where, Int64s index, Int64s table, Int64s otherwise) {
  return Int64s{_mm512_mask_permutexvar_epi64(otherwise.raw, where.raw, index.raw, table.raw)};
}

HWY_INLINE Int32s load_few(const int32_t* from, std::size_t count) {
  return Int32s{_mm512_maskz_loadu_epi32(_bzhi_u32(~0u, unsigned(count)), from)};
}
HWY_INLINE Int64s load_few(const int64_t* from, std::size_t count) {
  return Int64s{_mm512_maskz_loadu_epi64(_bzhi_u32(~0u, unsigned(count)), from)};
}
HWY_INLINE void store_few(Int32s numbers, int32_t* to, std::size_t count) {
  _mm512_mask_storeu_epi32(to, _bzhi_u32(~0u, unsigned(count)), numbers.raw);
}
HWY_INLINE void store_few(Int64s numbers, int64_t* to, std::size_t count) {
  _mm512_mask_storeu_epi64(to, _bzhi_u32(~0u, unsigned(count)), numbers.raw);
}

constexpr int quiet = _MM_FROUND_NO_EXC, to_nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
constexpr int lesser_magnitude_with_the_firsts_sign = 2;

using Floats = hn::VFromD<hn::ScalableTag<float>>;
HWY_INLINE Floats multiply_add(Floats a, Floats b, Floats c) {
  return Floats{_mm512_fmadd_round_ps(a.raw, b.raw, c.raw, to_nearest)};
}
HWY_INLINE Floats add(Floats a, Floats b) { return Floats{_mm512_add_round_ps(a.raw, b.raw, to_nearest)}; }
HWY_INLINE Floats subtract(Floats a, Floats b) { return Floats{_mm512_sub_round_ps(a.raw, b.raw, to_nearest)}; }
HWY_INLINE Mask<float> is_less(Floats a, Floats b) {
#ifdef __clang__ // which makes a comparison that raises exceptions of the function below
  __mmask16 less;
  __asm__("vcmpps %[how], %{sae%}, %[b], %[a], %[less]"
          : [less] "=Yk"(less)
          : [a] "v"(a.raw), [b] "v"(b.raw), [how] "i"(_CMP_LT_OQ));
  return {less};
#else
  return {_mm512_cmp_round_ps_mask(a.raw, b.raw, _CMP_LT_OQ, quiet)};
#endif
}
HWY_INLINE Floats with_lesser_magnitude(Floats a, Floats b) {
  return Floats{_mm512_range_round_ps(a.raw, b.raw, lesser_magnitude_with_the_firsts_sign, quiet)};
}

using Doubles = hn::VFromD<hn::ScalableTag<double>>;
HWY_INLINE Doubles multiply_add(Doubles a, Doubles b, Doubles c) {
  return Doubles{_mm512_fmadd_round_pd(a.raw, b.raw, c.raw, to_nearest)};
}
HWY_INLINE Doubles add(Doubles a, Doubles b) { return Doubles{_mm512_add_round_pd(a.raw, b.raw, to_nearest)}; }
HWY_INLINE Doubles subtract(Doubles a, Doubles b) { return Doubles{_mm512_sub_round_pd(a.raw, b.raw, to_nearest)}; }
HWY_INLINE Mask<double> is_less(Doubles a, Doubles b) {
#ifdef __clang__
  __mmask8 less;
  __asm__("vcmppd %[how], %{sae%}, %[b], %[a], %[less]"
          : [less] "=Yk"(less)
          : [a] "v"(a.raw), [b] "v"(b.raw), [how] "i"(_CMP_LT_OQ));
  return {less};
#else
  return {_mm512_cmp_round_pd_mask(a.raw, b.raw, _CMP_LT_OQ, quiet)};
#endif
}
HWY_INLINE Doubles with_lesser_magnitude(Doubles a, Doubles b) {
  return Doubles{_mm512_range_round_pd(a.raw, b.raw, lesser_magnitude_with_the_firsts_sign, quiet)};
}

HWY_INLINE void widen_register(const void* from, float* to) {
  _mm512_storeu_ps(to, _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(from))));
}
HWY_INLINE void round_register(const float* from, void* to) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), _mm512_cvtps_ph(_mm512_loadu_ps(from), _MM_FROUND_TO_NEAREST_INT));
}

// Integers have the shorter latency, but for 64-bit lanes are slow.
HWY_INLINE Floats larger_or_zero(Mask<float> where, Floats a, Floats b) {
  return Floats{
      _mm512_castsi512_ps(_mm512_maskz_max_epi32(where.raw, _mm512_castps_si512(a.raw), _mm512_castps_si512(b.raw)))};
}
HWY_INLINE Doubles larger_or_zero(Mask<double> where, Doubles a, Doubles b) {
  return Doubles{_mm512_maskz_max_round_pd(where.raw, a.raw, b.raw, quiet)};
}
HWY_INLINE Floats larger_where(Mask<float> where, Floats a, Floats b, Floats otherwise) {
  return Floats{_mm512_castsi512_ps(_mm512_mask_max_epi32(_mm512_castps_si512(otherwise.raw), where.raw,
                                                          _mm512_castps_si512(a.raw), _mm512_castps_si512(b.raw)))};
}
HWY_INLINE Doubles larger_where(Mask<double> where, Doubles a, Doubles b, Doubles otherwise) {
  return Doubles{_mm512_mask_min_round_pd(otherwise.raw, where.raw, a.raw, b.raw, quiet)};
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif // HWY_TARGET

#endif
