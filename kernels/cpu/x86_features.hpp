// What an x86 CPU and its operating system offer, read by CPUID and XGETBV: __builtin_cpu_supports may be a stub that
// knows of nothing, as in the compiler of the portable binaries, and the library would then silently run without SIMD.
#ifndef GFPQ_KERNELS_CPU_X86_FEATURES_HPP
#define GFPQ_KERNELS_CPU_X86_FEATURES_HPP

#include <cpuid.h>

namespace gfpq {

/// By the levels of instructions that Highway takes for granted in code for its targets.
struct X86Features {
  bool has_sse4 = false;   ///< SSSE3, SSE4.1, SSE4.2, PCLMUL, AES
  bool has_avx2 = false;   ///< and AVX, AVX2, FMA, F16C, BMI, BMI2
  bool has_avx512 = false; ///< and AVX-512 F, VL, DQ, BW, CD
};

inline X86Features x86_features() {
  // Intel's manual, volume 2, CPUID; volume 1, 13.3: the operating system saves the registers whose bits it has set in
  // XCR0.
  constexpr auto bits = [](auto... numbers) { return (... | (1U << numbers)); };
  constexpr unsigned sse4 = bits(1, 9, 19, 20, 25), avx_of_leaf_1 = bits(12, 27, 28, 29); // in ECX
  constexpr unsigned avx2_of_leaf_7 = bits(3, 5, 8), avx512 = bits(16, 17, 28, 30, 31);   // in EBX
  constexpr unsigned saves_avx = bits(1, 2), saves_avx512 = saves_avx | bits(5, 6, 7);

  X86Features features;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0)
    return features;
  const auto all_of = [](unsigned word, unsigned wanted) { return (word & wanted) == wanted; };
  features.has_sse4 = all_of(ecx, sse4);
  if (!features.has_sse4 || !all_of(ecx, avx_of_leaf_1))
    return features;

  unsigned saved = 0, high = 0;
  __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0)
    return features;
  features.has_avx2 = all_of(saved, saves_avx) && all_of(ebx, avx2_of_leaf_7);
  features.has_avx512 = features.has_avx2 && all_of(saved, saves_avx512) && all_of(ebx, avx512);
  return features;
}

} // namespace gfpq

#endif
