// Codes and half types, by the rule and by conversions of another kind.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/codes.hpp"
#include "kernels/elements.hpp"
#include "unit_test.hpp"

namespace gfpq {
namespace {

static_assert(Codes<Width8>::zero == 0x80 && Codes<Width16>::zero == 0x8000, "minus 0 is the number 0");
static_assert(Encoder<float, Width8>(0)(0x3f800000u) == 0, "the smallest positive value is code 0");
static_assert(Encoder<float, Width8>(0)(0xbf800000u) == 0x81, "there is no minus 2^(delta/S)");
static_assert(Encoder<float, Width8>(0)(0x7f800000u) == 0x7f && Encoder<float, Width8>(0)(0xff800000u) == 0xff);
static_assert(Encoder<double, Width16>(0)(0xfff0000000000000u) == (0x8000 | 1407));
static_assert(Encoder<float, Width8>(0)(0x7fc00000u) == 0x80 && Encoder<float, Width8>(0)(0x80000000u) == 0x80);
static_assert(!Codes<Width16>::exists(1408) && !Codes<Width16>::exists(0xffff) &&
              Codes<Width16>::exists(0x8000 | 1407));

template <class Case>
class CodesTest : public testing::Test {};
TYPED_TEST_SUITE(CodesTest, AllCases, CaseNames);

TYPED_TEST(CodesTest, ToEncodeAndDecodeIsToFakeQuantize) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  for (const int delta : spread_of_deltas<Width>()) {
    const Encoder<Float, Width> encode(delta);
    auto numbers = decisive_numbers<Float, Width>(delta);
    for (const auto number : random_numbers<Float, Width>(delta, 5000, 7))
      numbers.push_back(number);
    for (const auto number : numbers) {
      const auto code = encode(number);
      ASSERT_TRUE(Codes<Width>::exists(code));
      const auto value = decode<Float, Width>(code, delta);
      ASSERT_EQ(value, (ladder<Float, Width>.fake_quantize(number, delta)))
          << std::hex << number << ", delta " << delta;
    }
  }
}

TYPED_TEST(CodesTest, EachCodeIsThatOfItsValue) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  using Code = typename Codes<Width>::Code;
  for (const int delta : spread_of_deltas<Width>()) {
    const Encoder<Float, Width> encode(delta);
    for (int k = 0; k <= Width::max_code; ++k)
      for (const Code sign : {Code(0), Codes<Width>::sign}) {
        const auto code = static_cast<Code>(sign | k);
        ASSERT_EQ(encode(decode<Float, Width>(code, delta)), code);
      }
  }
}

/// A half type's number by the definition of its format.
double number_of(Float16 half) {
  const int exponent = half.bits >> 10 & 0x1f, fraction = half.bits & 0x3ff;
  const double magnitude = exponent == 0x1f ? fraction == 0 ? HUGE_VAL : NAN
                           : exponent == 0  ? std::ldexp(fraction, -24)
                                            : std::ldexp(0x400 + fraction, exponent - 25);
  return (half.bits & 0x8000) != 0 ? -magnitude : magnitude;
}
double number_of(BFloat16 half) {
  const int exponent = half.bits >> 7 & 0xff, fraction = half.bits & 0x7f;
  const double magnitude = exponent == 0xff ? fraction == 0 ? HUGE_VAL : NAN
                           : exponent == 0  ? std::ldexp(fraction, -133)
                                            : std::ldexp(0x80 + fraction, exponent - 134);
  return (half.bits & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(Float16, ZeroAndTheEndsAreRounded) {
  using Type = ElementType<Float16>;
  for (const unsigned number : {0u, 0x80000000u, 0x477fefffu, 0x477ff000u, 0x7f7fffffu, 0xff7fffffu, 0x7f800000u})
    EXPECT_EQ(Type::rounded_normal(number).bits, Type::rounded(number).bits) << number;
  EXPECT_EQ(Type::rounded(0x33000000u).bits, 0) << "2^-25 is a tie: 0 is even";
  EXPECT_EQ(Type::rounded(1u).bits, 0) << "a denormal float";
  EXPECT_EQ(Type::rounded(0xb3000001u).bits, 0x8001) << "more than half of the smallest number";
  EXPECT_EQ(Type::rounded(0x7f7fffffu).bits, 0x7c00);
}

template <class Half>
class HalfTest : public testing::Test {};
using Halves = testing::Types<Float16, BFloat16>;
TYPED_TEST_SUITE(HalfTest, Halves);

TYPED_TEST(HalfTest, EachNumberIsAFloat) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const TypeParam half{static_cast<unsigned short>(bits)};
    const float computed = from_bits<float>(ElementType<TypeParam>::computed(half));
    const double wanted = number_of(half);
    if (std::isnan(wanted))
      ASSERT_TRUE(std::isnan(computed)) << bits;
    else
      ASSERT_EQ(to_bits(computed), to_bits(float(wanted))) << bits;
  }
}

TYPED_TEST(HalfTest, AFloatIsRoundedToTheNearestAndOfTwoToTheEvenOne) {
  using Type = ElementType<TypeParam>;
  for (unsigned bits = 0; bits < Type::infinity; ++bits)
    for (const unsigned sign : {0u, 0x8000u}) {
      const TypeParam here{static_cast<unsigned short>(sign | bits)},
          next{static_cast<unsigned short>((sign | bits) + 1)};
      // At the end, as though there were a next exponent (IEEE 754).
      const TypeParam before{static_cast<unsigned short>(here.bits - 1)};
      const double above = bits + 1 == Type::infinity ? number_of(here) * 2 - number_of(before) : number_of(next);
      const float middle = float((number_of(here) + above) / 2);
      ASSERT_EQ(Type::rounded(to_bits(float(number_of(here)))).bits, here.bits);
      for (const unsigned number : {to_bits(middle) - 1, to_bits(middle), to_bits(middle) + 1})
        if ((number & 0x7fffffffu) >= Type::smallest_normal_computed) {
          ASSERT_EQ(Type::rounded_normal(number).bits, Type::rounded(number).bits) << bits;
        }
      ASSERT_EQ(Type::rounded(to_bits(middle)).bits, bits % 2 == 0 ? here.bits : next.bits) << bits;
      ASSERT_EQ(Type::rounded(to_bits(middle) - 1).bits, here.bits) << bits;
      ASSERT_EQ(Type::rounded(to_bits(middle) + 1).bits, next.bits) << bits;
    }
}

} // namespace
} // namespace gfpq
