// The ladder by what defines it: S*log2 in a longer format. Recorded and independent vectors are the conformance
// suite's.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "unit_test.hpp"

namespace gfpq {
namespace {

// The arithmetic is a constant expression: it can use nothing that depends on the machine.
constexpr const Ladder<float, Width8>& rule8 = ladder<float, Width8>;
constexpr const Ladder<double, Width16>& rule16 = ladder<double, Width16>;
static_assert(rule8.value(0) == 0x3f800000u && rule8.value(16) == 0x40000000u);
static_assert(rule8.fake_quantize(0x3f800000u, -111) == 0x3f800000u, "1 is a value");
static_assert(rule8.fake_quantize(0x80000000u, 0) == 0, "-0 becomes +0");
static_assert(rule8.fake_quantize(0x7fc00000u, 0) == 0 && rule8.fake_quantize(0xff800001u, 0) == 0, "NaN becomes +0");
static_assert(rule8.fake_quantize(0x7f800000u, 0) == rule8.value(127), "infinity becomes the largest");
static_assert(rule8.fake_quantize(0xff800000u, 0) == (rule8.value(127) | 0x80000000u));
static_assert(rule8.fake_quantize(0x3f000000u, 0) == 0, "half of the lowest becomes zero");
static_assert(rule8.fake_quantize(0x3f000001u, 0) == 0x3f800000u, "more than half becomes the lowest");
static_assert(rule8.fake_quantize(0xbf800000u, 0) == (rule8.value(1) | 0x80000000u), "there is no minus 2^(delta/S)");
static_assert(rule8.delta(0) == -446 && rule16.delta(0) == -3959, "a tensor of zeros");
static_assert(rule8.delta(0x41100000u) == -77, "the guide's sample, 0 to 9");
static_assert(rule8.delta(0x7f800000u) == 511 && rule8.delta(1) == -511, "delta has limits");
static_assert(rule16.delta(0x7ff0000000000000u) == 4095 && rule16.delta(1) == -4095);

template <class Case>
class LadderTest : public testing::Test {};
TYPED_TEST_SUITE(LadderTest, AllCases, CaseNames);

TYPED_TEST(LadderTest, ValuesArePowersOfTwo) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  for (int e = -Width::delta_limit; e <= Width::delta_limit + Width::max_code; ++e) {
    const long double exact = std::exp2((long double)(e) / Width::steps);
    const auto value = from_bits<Float>(ladder<Float, Width>.value(e));
    // exp2l is good to one of its last places, 1/2048 of a double's.
    ASSERT_LE(std::abs((long double)(value)-exact), exact * std::numeric_limits<Float>::epsilon() / 2 * 1.001L) << e;
  }
}

TYPED_TEST(LadderTest, ThresholdsAreBetweenTheValues) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  const auto& rule = ladder<Float, Width>;
  for (int e = -Width::delta_limit; e < Width::delta_limit + Width::max_code; ++e) {
    const auto below = threshold_bits<Float, Width>(e) - 1;
    ASSERT_EQ(rule.nearest_exponent(below), e);
    ASSERT_EQ(rule.nearest_exponent(below + 1), e + 1);
    const long double exact = std::exp2((e + 0.5L) / Width::steps);
    ASSERT_LT((long double)(from_bits<Float>(below)), exact * (1 + 1e-18L)) << e;
    ASSERT_GT((long double)(from_bits<Float>(below + 1)), exact * (1 - 1e-18L)) << e;
  }
}

TYPED_TEST(LadderTest, UpToTheLargestWithinADeltaItStays) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  constexpr const auto& rule = ladder<Float, Width>;
  for (int delta = -Width::delta_limit; delta < Width::delta_limit; ++delta) {
    const auto largest = rule.largest_within(delta);
    ASSERT_EQ(rule.delta(largest), delta);
    ASSERT_EQ(rule.delta(largest + 1), delta + 1);
  }
  EXPECT_EQ(rule.largest_within(Width::delta_limit), Format<Float>::infinity);
}

TYPED_TEST(LadderTest, ValuesAreFakeQuantizedToThemselves) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  const auto& rule = ladder<Float, Width>;
  for (const int delta : spread_of_deltas<Width>())
    for (int k = 0; k <= Width::max_code; ++k) {
      const auto positive = rule.value(delta + k);
      ASSERT_EQ(rule.fake_quantize(positive, delta), positive);
      const auto negative = positive | Format<Float>::sign;
      ASSERT_EQ(rule.fake_quantize(negative, delta), k > 0 ? negative : rule.value(delta + 1) | Format<Float>::sign);
    }
}

} // namespace
} // namespace gfpq
