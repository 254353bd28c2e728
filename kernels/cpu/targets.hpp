// The CPU targets. A new one is one more entry in this list and, where it needs CPU features that no other does, a
// has_NAME() in simd.cpp; what its instruction set offers is in target-inl.hpp.
#ifndef GFPQ_KERNELS_CPU_TARGETS_HPP
#define GFPQ_KERNELS_CPU_TARGETS_HPP

/// Calls a macro for each target, fastest first, with Highway's name and ours, which is GFPQ_TARGET's value.
#if defined(__x86_64__) || defined(__i386__)
#define GFPQ_FOR_EACH_SIMD_TARGET(X)                                                                                   \
  X(HWY_AVX3, avx512)                                                                                                  \
  X(HWY_AVX2, avx2)                                                                                                    \
  X(HWY_SSE4, sse4)
#elif defined(__aarch64__) || defined(__arm__)
#define GFPQ_FOR_EACH_SIMD_TARGET(X) X(HWY_STATIC_TARGET, neon)
#else
#define GFPQ_FOR_EACH_SIMD_TARGET(X)
#endif

namespace gfpq {

#define GFPQ_COUNT_TARGET(highway_target, name) +1
inline constexpr int simd_target_count = 0 GFPQ_FOR_EACH_SIMD_TARGET(GFPQ_COUNT_TARGET);
#undef GFPQ_COUNT_TARGET

} // namespace gfpq

#endif
