// What the library reads of the CPU is what the compiler's own functions read, where those are no stubs.
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) && !defined(__clang__))
#include "kernels/cpu/x86_features.hpp"

#include <gtest/gtest.h>

namespace gfpq {
namespace {

TEST(X86Features, AreThoseThatTheCompilerReads) {
  __builtin_cpu_init();
  const bool has_sse4 = __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1") &&
                        __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul") &&
                        __builtin_cpu_supports("aes");
  const bool has_avx2 = has_sse4 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                        __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512cd");
  const X86Features features = x86_features();
  EXPECT_EQ(features.has_sse4, has_sse4);
  EXPECT_EQ(features.has_avx2, has_avx2);
  EXPECT_EQ(features.has_avx512, has_avx512);
}

} // namespace
} // namespace gfpq
#endif
