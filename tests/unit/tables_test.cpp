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
  using Width = typename TypeParam::Width;
  using F = Format<Float>;
  using Tables = CarryTables<Float, Width>;
  using P = typename Tables::P;
  constexpr const Tables& tables = carry_tables<Float, Width>;
  const auto nearest = [](BitsOf<Float> magnitude) {
    const auto binned = magnitude + tables.carry[magnitude >> P::piece_shift & (P::count - 1)];
    return (binned & F::infinity) | tables.value[binned >> P::bin_shift & (Width::steps - 1)];
  };
  const auto nearest_by_wide_piece = [](BitsOf<Float> magnitude) {
    const auto binned = magnitude + tables.wide_carry[magnitude >> P::bin_shift & (Width::steps / 2 - 1)];
    return (binned & F::infinity) | tables.value[binned >> P::bin_shift & (Width::steps - 1)];
  };
  const auto check = [&](BitsOf<Float> magnitude) {
    if (magnitude >= to_bits(Float(1.5)) && magnitude < to_bits(Float(2))) {
      ASSERT_EQ(nearest_by_wide_piece(magnitude), nearest(magnitude));
    }
    ASSERT_EQ(nearest(magnitude), (ladder<Float, Width>.value(ladder<Float, Width>.nearest_exponent(magnitude))));
  };
  for (int piece = 0; piece < P::count; ++piece) {
    const auto first = to_bits(Float(1)) + (BitsOf<Float>(piece) << P::piece_shift);
    check(first);
    check(first + (BitsOf<Float>(1) << P::piece_shift) - 1);
  }
  for (int e = 0; e < Width::steps; ++e)
    for (int ulps = -3; ulps < 3; ++ulps)
      check(threshold_bits<Float, Width>(e) + BitsOf<Float>(ulps));
}

TEST(CarryWordsTest, EveryDecisionOfAnOctave) {
  using Width = Width8;
  using P = CarryTables<double, Width>::P;
  constexpr const CarryWords<Width>& tables = carry_words<Width>;
  const auto sum = [](BitsOf<double> magnitude, unsigned high_carry, unsigned low_carry) {
    const bool carries = int(unsigned(magnitude) ^ 0x80000000u) > int(low_carry);
    return unsigned(magnitude >> 32) + high_carry + carries;
  };
  const auto check = [&](BitsOf<double> magnitude) {
    const auto piece = magnitude >> P::piece_shift & (P::count - 1);
    const unsigned binned = sum(magnitude, tables.high.carry[piece], tables.low.carry[piece]);
    ASSERT_EQ(binned, (magnitude + carry_tables<double, Width>.carry[piece]) >> 32);
    if (piece >= P::count / 2) {
      const auto wide = piece / 2 - Width::steps / 2;
      ASSERT_EQ(sum(magnitude, tables.high.wide_carry[wide], tables.low.wide_carry[wide]),
                (magnitude + carry_tables<double, Width>.wide_carry[wide]) >> 32);
    }
    const auto step = binned >> (P::bin_shift - 32) & (Width::steps - 1);
    ASSERT_EQ(BitsOf<double>(tables.high.value[step]) << 32 | tables.low.value[step],
              (carry_tables<double, Width>.value[step]));
  };
  for (int piece = 0; piece < P::count; ++piece) {
    const auto first = to_bits(1.0) + (BitsOf<double>(piece) << P::piece_shift);
    check(first);
    check(first + (BitsOf<double>(1) << P::piece_shift) - 1);
  }
  for (int e = 0; e < Width::steps; ++e)
    for (int ulps = -3; ulps < 3; ++ulps)
      check(threshold_bits<double, Width>(e) + BitsOf<double>(ulps));
}

static_assert(product_tables<float, Width16>.exact);
static_assert(product_tables<double, Width16>.exact);

} // namespace
} // namespace gfpq
