// The tables are proven where they are made, as the compiler reads them. Here: that each proof fails for a table with a
// mistake in it.
#include <gtest/gtest.h>

#include <limits>

#include "kernels/carry_tables.hpp"
#include "kernels/cpu/byte_tables.hpp"
#include "kernels/cpu/product_tables.hpp"
#include "kernels/ladder_table_proof.hpp"
#include "unit_test.hpp"

namespace gfpq {
namespace {

TEST(LadderTableProof, FailsForEveryEntryThatIsOffByOne) {
  for (int i = 0; i < power_of_two_steps; ++i) {
    EXPECT_TRUE(is_power_rounded_down(i, power_of_two[i])) << i;
    EXPECT_FALSE(is_power_rounded_down(i, power_of_two[i] - 1)) << i;
    EXPECT_FALSE(is_power_rounded_down(i, power_of_two[i] + 1)) << i;
  }
}

template <class Case>
class CarryTablesProof : public testing::Test {};
TYPED_TEST_SUITE(CarryTablesProof, AllCases, CaseNames);

TYPED_TEST(CarryTablesProof, FailsForEveryEntryThatIsOffByOne) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  auto tables = carry_tables<Float, Width>;
  for (auto& carry : tables.carry) {
    --carry;
    EXPECT_FALSE(tables.decide_as_the_rule());
    carry += 2;
    EXPECT_FALSE(tables.decide_as_the_rule());
    --carry;
  }
  for (auto& value : tables.value)
    for (const int change : {1, -2}) {
      value += BitsOf<Float>(change);
      EXPECT_FALSE(tables.decide_as_the_rule());
      value += change < 0;
    }
  EXPECT_TRUE(tables.decide_as_the_rule());
}

TYPED_TEST(CarryTablesProof, FailsWhereZeroGetsAnotherValue) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  auto tables = carry_tables<Float, Width>;
  EXPECT_TRUE(tables.keep_zero());
  tables.carry[0] += BitsOf<Float>(1) << CarryTables<Float, Width>::P::bin_shift;
  EXPECT_FALSE(tables.keep_zero());
}

TYPED_TEST(CarryTablesProof, FailsForEveryWidePieceThatIsOffByOne) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  auto tables = carry_tables<Float, Width>;
  for (auto& carry : tables.wide_carry) {
    --carry;
    EXPECT_FALSE(tables.decide_by_wide_pieces_as_the_rule());
    carry += 2;
    EXPECT_FALSE(tables.decide_by_wide_pieces_as_the_rule());
    --carry;
  }
  EXPECT_TRUE(tables.decide_by_wide_pieces_as_the_rule());
}

TYPED_TEST(CarryTablesProof, FailsForEveryWordThatIsOffByOne) {
  using Width = typename TypeParam::Width;
  auto words = carry_words<Width>;
  for (auto* const half : {&words.high, &words.low}) {
    const auto expect_all_fail = [&words](auto& entries) {
      for (auto& entry : entries) {
        ++entry;
        EXPECT_FALSE(words.agree_with_the_doubles());
        entry -= 2;
        EXPECT_FALSE(words.agree_with_the_doubles());
        ++entry;
      }
    };
    expect_all_fail(half->carry);
    expect_all_fail(half->wide_carry);
    expect_all_fail(half->value);
  }
  EXPECT_TRUE(words.agree_with_the_doubles());
}

template <class Tables, class Bytes>
void expect_all_bytes_are_proven(const Tables& tables, Bytes& bytes) {
  for (auto& table : bytes.table)
    for (auto& byte : table) {
      ++byte;
      EXPECT_FALSE(tables.agree_with_the_entries());
      --byte;
    }
}

TEST(ByteTablesProof, FailsForEveryByteThatIsOffByOne) {
  auto tables = byte_tables<Width8>;
  expect_all_bytes_are_proven(tables, tables.carry);
  expect_all_bytes_are_proven(tables, tables.value);
  EXPECT_TRUE(tables.agree_with_the_entries());
}

TEST(PowerBytesProof, FailsForEveryByteThatIsOffByOne) {
  auto tables = power_bytes<Width16>;
  expect_all_bytes_are_proven(tables, tables.base);
  expect_all_bytes_are_proven(tables, tables.rest);
  EXPECT_TRUE(tables.agree_with_the_entries());
}

TEST(PowerBytesProof, FailsForARestOfTooManyDigits) {
  constexpr PowerBytes<Width16>::Bits rest = 0x33800001;
  constexpr PowerBytes<Width16>::Bits entries[] = {rest};
  EXPECT_FALSE((BytesOfEntries<2, 2, 1>(entries).are_all_but(0, entries)));
}

TEST(PowerBytes, ArePatternsOfTheFloats) {
  for (const float number : {0.0f, 1.0f, -1.0f, 1.9999999f, 0.75f, -0x1.8p-24f, 0x1.fep-31f})
    EXPECT_EQ(PowerBytes<Width16>::bits_of(number), to_bits(number)) << number;
}

template <class Float>
class ProductTablesProof : public testing::Test {};
using Floats = testing::Types<float, double>;
TYPED_TEST_SUITE(ProductTablesProof, Floats);

TYPED_TEST(ProductTablesProof, FailsForLinesThatAreTooFarOff) {
  using Tables = ProductTables<TypeParam, Width16>;
  EXPECT_TRUE(Tables().guesses_are_near());
  EXPECT_FALSE(Tables(0.40).guesses_are_near());
  EXPECT_FALSE(Tables(-0.10).guesses_are_near());
  for (int piece = 0; piece < Tables::pieces; ++piece)
    for (const int change : {-1, 1}) {
      Tables tables;
      tables.offset[piece] += TypeParam(change);
      EXPECT_FALSE(tables.guesses_are_near()) << piece;
    }
}

TYPED_TEST(ProductTablesProof, FailsForPowersThatAreALastPlaceOff) {
  using Tables = ProductTables<TypeParam, Width16>;
  constexpr TypeParam last_place = std::numeric_limits<TypeParam>::epsilon();
  Tables tables;
  EXPECT_TRUE(tables.products_are_exact());
  const auto expect_all_fail = [&tables](auto& entries) {
    for (auto& entry : entries) {
      const TypeParam right = entry;
      for (const TypeParam change : {last_place, -last_place}) {
        entry = right + change;
        EXPECT_FALSE(tables.products_are_exact()) << right;
      }
      entry = right;
    }
  };
  expect_all_fail(tables.base);
  expect_all_fail(tables.rest);
  expect_all_fail(tables.fine_value);
  expect_all_fail(tables.fine_threshold);
  expect_all_fail(tables.fine_next);
  EXPECT_TRUE(tables.products_are_exact());
}

} // namespace
} // namespace gfpq
