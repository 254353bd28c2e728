#include <gtest/gtest.h>

#include "kernels/carry_tables.hpp"
#include "kernels/cpu/product_tables.hpp"
#include "unit_test.hpp"

namespace gfpq {
namespace {

template <class Case>
class CarryTablesTest : public testing::Test {};
TYPED_TEST_SUITE(CarryTablesTest, AllCases, CaseNames);

TYPED_TEST(CarryTablesTest, EveryDecisionOfAnOctave) {
  using Float = typename TypeParam::Float;
  using W = typename TypeParam::W;
  using F = Format<Float>;
  using Tables = CarryTables<Float, W>;
  constexpr const Tables& tables = carry_tables<Float, W>;
  const auto nearest = [](BitsOf<Float> magnitude) {
    const auto binned = magnitude + tables.carry[magnitude >> Tables::piece_shift & (Tables::pieces - 1)];
    return (binned & F::infinity) | tables.value[binned >> Tables::bin_shift & (W::steps - 1)];
  };
  const auto nearest_by_wide_piece = [](BitsOf<Float> magnitude) {
    const auto binned = magnitude + tables.wide_carry[magnitude >> Tables::bin_shift & (W::steps / 2 - 1)];
    return (binned & F::infinity) | tables.value[binned >> Tables::bin_shift & (W::steps - 1)];
  };
  const auto check = [&](BitsOf<Float> magnitude) {
    if (magnitude >= to_bits(Float(1.5)) && magnitude < to_bits(Float(2))) {
      ASSERT_EQ(nearest_by_wide_piece(magnitude), nearest(magnitude));
    }
    ASSERT_EQ(nearest(magnitude), (ladder<Float, W>.value(ladder<Float, W>.nearest_exponent(magnitude))));
  };
  for (int piece = 0; piece < Tables::pieces; ++piece) {
    const auto first = to_bits(Float(1)) + (BitsOf<Float>(piece) << Tables::piece_shift);
    check(first);
    check(first + (BitsOf<Float>(1) << Tables::piece_shift) - 1);
  }
  for (int e = 0; e < W::steps; ++e)
    for (int ulps = -3; ulps < 3; ++ulps)
      check(threshold_bits<Float, W>(e) + BitsOf<Float>(ulps));
}

TEST(CarryWordsTest, EveryDecisionOfAnOctave) {
  using W = Width8;
  using Tables = CarryTables<double, W>;
  constexpr const CarryWords<W>& tables = carry_words<W>;
  const auto sum = [](BitsOf<double> magnitude, unsigned high_carry, unsigned low_carry) {
    const bool carries = int(unsigned(magnitude) ^ 0x80000000u) > int(low_carry);
    return unsigned(magnitude >> 32) + high_carry + carries;
  };
  const auto check = [&](BitsOf<double> magnitude) {
    const auto piece = magnitude >> Tables::piece_shift & (Tables::pieces - 1);
    const unsigned binned = sum(magnitude, tables.high.carry[piece], tables.low.carry[piece]);
    ASSERT_EQ(binned, (magnitude + carry_tables<double, W>.carry[piece]) >> 32);
    if (piece >= Tables::pieces / 2) {
      const auto wide = piece / 2 - W::steps / 2;
      ASSERT_EQ(sum(magnitude, tables.high.wide_carry[wide], tables.low.wide_carry[wide]),
                (magnitude + carry_tables<double, W>.wide_carry[wide]) >> 32);
    }
    const auto step = binned >> (Tables::bin_shift - 32) & (W::steps - 1);
    ASSERT_EQ(BitsOf<double>(tables.high.value[step]) << 32 | tables.low.value[step],
              (carry_tables<double, W>.value[step]));
  };
  for (int piece = 0; piece < Tables::pieces; ++piece) {
    const auto first = to_bits(1.0) + (BitsOf<double>(piece) << Tables::piece_shift);
    check(first);
    check(first + (BitsOf<double>(1) << Tables::piece_shift) - 1);
  }
  for (int e = 0; e < W::steps; ++e)
    for (int ulps = -3; ulps < 3; ++ulps)
      check(threshold_bits<double, W>(e) + BitsOf<double>(ulps));
}

static_assert(product_tables<float, Width16>.exact);
static_assert(product_tables<double, Width16>.exact);

} // namespace
} // namespace gfpq
