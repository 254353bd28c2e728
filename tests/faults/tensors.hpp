// Tensors whose quantized form is known without an oracle: numbers so close to powers of two that both widths bring
// them there.
#ifndef GFPQ_TESTS_FAULTS_TENSORS_HPP
#define GFPQ_TESTS_FAULTS_TENSORS_HPP

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "gfpq.hpp"

namespace faults {

struct Pair {
  double before, after; ///< after INIT or APPLY with the delta that the numbers below ask for
};
inline constexpr Pair pairs[] = {{0, 0},          {1.001, 1},  {-2.001, -2},
                                 {3.999, 4},      {8.001, 8},  {-8.001, -8},
                                 {-0.5001, -0.5}, {0.0005, 0}, {std::numeric_limits<double>::quiet_NaN(), 0}};
inline constexpr std::size_t period = sizeof pairs / sizeof *pairs;

/// Enough for several threads.
inline constexpr unsigned large = 5'000'000;

/// `count` numbers of that pattern, times a power of two.
template <class Float>
std::vector<Float> tensor(std::size_t count, double scale = 1) {
  std::vector<Float> numbers(count);
  for (std::size_t i = 0; i < count; ++i)
    numbers[i] = Float(scale * pairs[i % period].before);
  return numbers;
}

/// How many numbers are not what they should have become, with the delta of a whole period or more.
template <class Float>
std::size_t count_wrong(const Float* numbers, std::size_t count, double scale = 1) {
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Float want = Float(scale * pairs[i % period].after);
    wrong += numbers[i] != want || std::signbit(numbers[i]) != std::signbit(want);
  }
  return wrong;
}

/// Whether a call on a fresh tensor succeeds and every number is right.
template <class Float>
testing::AssertionResult quantizes(unsigned count, unsigned bits, double scale = 1) {
  std::vector<Float> numbers = tensor<Float>(count, scale);
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  if (const int status = HI_GFPQ_QuantAndDeQuant(numbers.data(), count, bits, &param); status != GFPQ_SUCCESS)
    return testing::AssertionFailure() << "status " << status;
  if (const std::size_t wrong = count_wrong(numbers.data(), count, scale))
    return testing::AssertionFailure() << wrong << " wrong numbers";
  return testing::AssertionSuccess();
}

} // namespace faults

#endif
