// What the tests of internals share: all combinations of type and width, and the environment.
#ifndef GFPQ_TESTS_UNIT_UNIT_TEST_HPP
#define GFPQ_TESTS_UNIT_UNIT_TEST_HPP

#include <gtest/gtest.h>

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

} // namespace gfpq

#endif
