// Instructions by values of PTX's description.
#include "operations.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace gfpq {
namespace ptx {
namespace {

TEST(PtxOperations, ShiftsByTheWidthOrMoreLeaveNoBit) {
  EXPECT_EQ(shifted_left(1u, 31), 0x80000000u);
  EXPECT_EQ(shifted_left(1u, 32), 0u);
  EXPECT_EQ(shifted_right(0x80000000u, 40), 0u);
  EXPECT_EQ(shifted_right(-5, 40), -1);
  EXPECT_EQ(shifted_right<std::uint64_t>(std::uint64_t(1) << 63, 63), 1u);
}

TEST(PtxOperations, FunnelShiftsUseFiveBitsOfTheCount) {
  EXPECT_EQ(funnel_shifted_left(0x89ABCDEF, 0x01234567, 8), 0x23456789u);
  EXPECT_EQ(funnel_shifted_right(0x89ABCDEF, 0x01234567, 8), 0x6789ABCDu);
  EXPECT_EQ(funnel_shifted_left(1, 2, 32), 2u);
  EXPECT_EQ(funnel_shifted_right(1, 2, 32), 1u);
}

TEST(PtxOperations, BitFieldsEndAtTheWidth) {
  EXPECT_EQ(extracted(0x12345678, 8, 8), 0x56u);
  EXPECT_EQ(extracted(0x12345678, 24, 200), 0x12u);
  EXPECT_EQ(extracted(0x12345678, 32, 8), 0u);
  EXPECT_EQ(extracted(0x12345678, 4, 0), 0u);
  EXPECT_EQ(inserted(0xAB, 0x12345678, 8, 8), 0x1234AB78u);
  EXPECT_EQ(inserted(0xAB, 0x12345678, 28, 8), 0xB2345678u);
  EXPECT_EQ(inserted(0xAB, 0x12345678, 32, 8), 0x12345678u);
  EXPECT_EQ(inserted(0xAB, 0x12345678, 8, 0), 0x12345678u);
}

TEST(PtxOperations, BytesArePermutedAndSignsRepeated) {
  EXPECT_EQ(permuted(0x33221100, 0x77665544, 0x3210), 0x33221100u);
  EXPECT_EQ(permuted(0x33221100, 0x77665544, 0x0167), 0x00116677u);
  EXPECT_EQ(permuted(0x000080FF, 0, 0x8A91), 0xFF00FF80u);
}

TEST(PtxOperations, LogicIsGivenByItsEightValues) {
  const std::uint32_t a = 0xF0F0A5A5, b = 0xCCCC3C3C, c = 0xAAAA5A5A;
  EXPECT_EQ(logic(a, b, c, 0x80), a & b & c);
  EXPECT_EQ(logic(a, b, c, 0xFE), a | b | c);
  EXPECT_EQ(logic(a, b, c, 0x96), a ^ b ^ c);
  EXPECT_EQ(logic(a, b, c, 0xF0), a);
}

TEST(PtxOperations, NoQuotientIsAnErrorOfTheHost) {
  constexpr int least_int = std::numeric_limits<int>::min();
  EXPECT_EQ(divided(7u, 0u), ~0u);
  EXPECT_EQ(divided(least_int, -1), least_int);
  EXPECT_EQ(divided(-7, 2), -3);
  EXPECT_EQ(remaining(7u, 0u), 7u);
  EXPECT_EQ(remaining(least_int, -1), 0);
  EXPECT_EQ(remaining(-7, 2), -1);
}

TEST(PtxOperations, HalvesAreRoundedToNearestEven) {
  EXPECT_EQ(to_half(1.0f), 0x3C00);
  EXPECT_EQ(to_half(2049.0f), 0x6800);
  EXPECT_EQ(to_half(2051.0f), 0x6802);
  EXPECT_EQ(to_half(65520.0f), 0x7C00);
  EXPECT_EQ(to_half(0x1p-24f), 1);
  EXPECT_EQ(to_half(0x1p-25f), 0);
  EXPECT_EQ(to_half(-std::numeric_limits<float>::quiet_NaN()), 0x7FFF);
  for (unsigned bits = 0; bits < 0x7C00; ++bits)
    ASSERT_EQ(to_half(from_half(static_cast<std::uint16_t>(bits))), bits);
}

} // namespace
} // namespace ptx
} // namespace gfpq
