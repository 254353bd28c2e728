// The oracle refuses what it has no data for: a wrong width or delta in a case must not become a verdict on a library.
#include "oracle/oracle.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace conformance {
namespace {

TEST(OracleTest, RefusesAWidthThatIsNotInTheList) {
  for (const int bits : {-8, 0, 7, 12, 32}) {
    EXPECT_THROW(oracle<float>(bits), std::invalid_argument) << bits;
    EXPECT_THROW(oracle<double>(bits), std::invalid_argument) << bits;
  }
}

TEST(OracleTest, HasEveryWidthOfTheList) {
  for (const Width& width : widths) {
    EXPECT_EQ(oracle<float>(width.bits).bits(), width.bits);
    EXPECT_EQ(oracle<double>(width.bits).steps(), width.steps);
  }
}

TEST(OracleTest, RefusesWhatLiesBeyondTheLadder) {
  for (const Width& width : widths) {
    const Oracle<float>& right = oracle<float>(width.bits);
    const int limit = width.delta_limit, highest = limit + width.max_code;
    for (const int delta : {-limit - 1, -limit - 9, limit + 1, 1 << 30}) {
      EXPECT_THROW(right.param(GFPQ_MODE_INIT, delta), std::out_of_range) << delta;
      EXPECT_THROW(right.positive_zero(delta), std::out_of_range) << delta;
      EXPECT_THROW(right.negative_zero(delta), std::out_of_range) << delta;
      EXPECT_THROW(right.smallest_maximum(delta), std::out_of_range) << delta;
      EXPECT_THROW(right.quantize(1.0f, delta), std::out_of_range) << delta;
    }
    for (const int exponent : {-limit - 1, highest + 1}) {
      EXPECT_THROW(right.value(exponent), std::out_of_range) << exponent;
      EXPECT_THROW(right.above_threshold(exponent), std::out_of_range) << exponent;
    }
    EXPECT_NO_THROW(right.value(highest));
    EXPECT_NO_THROW(right.param(GFPQ_MODE_INIT, -limit));
  }
}

TEST(OracleTest, ReadsDeltaFromEveryBlock) {
  for (const Width& width : widths)
    for (int delta = -width.delta_limit; delta <= width.delta_limit; ++delta)
      EXPECT_EQ(delta_of(oracle<float>(width.bits).param(GFPQ_MODE_INIT, delta)), delta);
}

template <class Float>
void expect_found() {
  using Limits = std::numeric_limits<Float>;
  const Float inf = Limits::infinity(), below_2 = std::nextafter(Float(2), Float(0));
  const std::vector<Float> magnitudes = {
      Limits::denorm_min(), Limits::min(), 0.5, 0.5, 1, 1.5, below_2, 4, Limits::max(), inf};
  const SortedMagnitudes<Float> sorted(magnitudes);
  std::vector<Float> wanted = {0, 3, 1024};
  for (const Float magnitude : magnitudes)
    for (const Float to : {Float(0), inf})
      wanted.insert(wanted.end(), {magnitude, std::nextafter(magnitude, to)});
  for (const Float magnitude : wanted) {
    std::size_t below = 0, at_most = 0;
    for (const Float other : magnitudes) {
      below += other < magnitude;
      at_most += other <= magnitude;
    }
    EXPECT_EQ(sorted.count_below(magnitude), below) << magnitude;
    EXPECT_EQ(sorted.count_at_most(magnitude), at_most) << magnitude;
    EXPECT_EQ(SortedMagnitudes<Float>(std::vector<Float>()).count_below(magnitude), 0u);
  }
  EXPECT_THROW(sorted.count_below(-1), std::out_of_range);
}

TEST(OracleTest, FindsMagnitudesInOrder) {
  expect_found<float>();
  expect_found<double>();
}

template <class Float>
void expect_thresholds(const Oracle<Float>& right) {
  for (int exponent = right.lowest_exponent(); exponent <= right.highest_exponent(); ++exponent) {
    EXPECT_EQ(right.nearest_exponent(right.value(exponent)), exponent);
    if (exponent == right.lowest_exponent())
      continue;
    EXPECT_EQ(right.nearest_exponent(right.above_threshold(exponent)), exponent);
    EXPECT_EQ(right.nearest_exponent(right.below_threshold(exponent)), exponent - 1);
    EXPECT_EQ(right.distance_to_border(right.above_threshold(exponent)), 0u);
  }
  for (const Float beyond : {std::numeric_limits<Float>::max(), std::numeric_limits<Float>::infinity()})
    EXPECT_EQ(right.nearest_exponent(beyond), right.highest_exponent());
  EXPECT_EQ(right.nearest_exponent(0), right.lowest_exponent());
}

TEST(OracleTest, FindsTheNearestValueOnBothSidesOfEveryThreshold) {
  for (const Width& width : widths) {
    expect_thresholds(oracle<float>(width.bits));
    expect_thresholds(oracle<double>(width.bits));
  }
}

} // namespace
} // namespace conformance
