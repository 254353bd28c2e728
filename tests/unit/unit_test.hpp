// What the tests of internals share: all combinations of type and width, and the environment.
#ifndef GFPQ_TESTS_UNIT_UNIT_TEST_HPP
#define GFPQ_TESTS_UNIT_UNIT_TEST_HPP

#include <gtest/gtest.h>

#include <cfenv>
#include <cstdlib>
#include <string>

#include "numbers.hpp"

namespace gfpq {

template <class Float_, class Width_>
struct Case {
  using Float = Float_;
  using Width = Width_;
};

template <class, class... Cases>
struct CasesBehind {
  using Types = testing::Types<Cases...>;
};
#define GFPQ_INSTANTIATE(Float, Width) , Case<Float, Width>
using AllCases = CasesBehind<void GFPQ_INSTANTIATE_ALL>::Types;
#undef GFPQ_INSTANTIATE

/// The cases' names in the tests.
struct CaseNames {
  template <class Case>
  static std::string GetName(int) {
    return (sizeof(typename Case::Float) == sizeof(float) ? "float" : "double") + std::to_string(Case::Width::bits);
  }
};

/// Sets a variable of the environment; an empty value stands for none.
inline void set_environment(const char* name, const std::string& value) {
#ifdef _WIN32
  _putenv_s(name, value.c_str());
#else
  setenv(name, value.c_str(), 1);
#endif
}

/// Does `work` in a caller's floating-point environment, changed in every way that can change results, and expects it
/// unchanged. Whether a result was inexact before decides whether a kernel has to hide that its own are.
template <class Work>
void expect_environment_has_no_part(const std::string& who, const Work& work) {
  for (const int mode : {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO})
    for (const int exceptions : {0, FE_INEXACT})
      for ([[maybe_unused]] const unsigned denormals_as_zero : {0u, 0x8040u}) { // in and out
        ASSERT_EQ(std::fesetround(mode), 0);
        std::feclearexcept(FE_ALL_EXCEPT);
#ifdef __SSE__
        const unsigned before = __builtin_ia32_stmxcsr(), during = before | denormals_as_zero | unsigned(exceptions);
        __builtin_ia32_ldmxcsr(during); // std::feraiseexcept() may raise them in the x87 unit
#else
        std::feraiseexcept(exceptions);
#endif
        work();
#ifdef __SSE__
        EXPECT_EQ(__builtin_ia32_stmxcsr(), during) << who;
        __builtin_ia32_ldmxcsr(before | unsigned(exceptions));
#endif
        EXPECT_EQ(std::fetestexcept(FE_ALL_EXCEPT), exceptions) << who;
        EXPECT_EQ(std::fegetround(), mode) << who;
        std::fesetround(FE_TONEAREST);
      }
}

} // namespace gfpq

#endif
