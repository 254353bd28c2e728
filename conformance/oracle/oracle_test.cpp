// The oracle refuses what it has no data for: a wrong width or delta in a case must not become a verdict on a library.
#include "oracle/oracle.hpp"

#include <gtest/gtest.h>

#include <array>

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

} // namespace
} // namespace conformance
