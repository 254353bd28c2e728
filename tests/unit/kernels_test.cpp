// Every target that this machine can run, against the scalar rule, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/cpu/kernels.hpp"
#include "unit_test.hpp"

namespace gfpq {
namespace {

template <class Width, class Bits>
void fake_quantize(const Target& target, Bits* numbers, std::size_t count, int delta) {
  using Float = std::conditional_t<sizeof(Bits) == sizeof(float), float, double>;
  target.kernels<Float>().template fake_quantize<Width>(reinterpret_cast<Float*>(numbers), count, delta);
}

template <class Bits>
Bits max_abs(const Target& target, const Bits* numbers, std::size_t count) {
  using Float = std::conditional_t<sizeof(Bits) == sizeof(float), float, double>;
  return target.kernels<Float>().max_abs(reinterpret_cast<const Float*>(numbers), count);
}

template <class Float, class Width>
void expect_rule(const Target& target, const std::vector<BitsOf<Float>>& numbers, int delta) {
  std::vector<BitsOf<Float>> results = numbers;
  fake_quantize<Width>(target, results.data(), results.size(), delta);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (const auto wanted = ladder<Float, Width>.fake_quantize(numbers[i], delta); results[i] != wanted)
      FAIL() << target.name << ", delta " << delta << std::hex << ": " << numbers[i] << " became " << results[i]
             << " instead of " << wanted;
}

template <class Case>
class KernelsTest : public testing::Test {};
TYPED_TEST_SUITE(KernelsTest, AllCases, CaseNames);

TYPED_TEST(KernelsTest, DecisiveNumbersFollowTheRule) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  for (const Target* target : supported_targets())
    for (const int delta : spread_of_deltas<Width>())
      expect_rule<Float, Width>(*target, decisive_numbers<Float, Width>(delta), delta);
}

TYPED_TEST(KernelsTest, RandomNumbersFollowTheRule) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  for (const int delta : spread_of_deltas<Width>()) {
    const auto numbers = random_numbers<Float, Width>(delta, 200'003, unsigned(delta));
    for (const Target* target : supported_targets())
      expect_rule<Float, Width>(*target, numbers, delta);
  }
}

TYPED_TEST(KernelsTest, EveryLengthAndAlignmentFollowsTheRule) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  using Bits = BitsOf<Float>;
  constexpr std::size_t longest = 200, offsets = 33, margin = 64;
  constexpr Bits canary = Bits(0x5ca1ab1e5ca1ab1eull); // its quantized form differs
  constexpr int delta = -3;
  const auto numbers = random_numbers<Float, Width>(delta, longest, 1);
  alignas(64) Bits room[margin + offsets + longest + margin];
  for (const Target* target : supported_targets())
    for (std::size_t count = 0; count <= longest; ++count)
      for (std::size_t offset = 0; offset < offsets; ++offset) {
        std::fill(std::begin(room), std::end(room), canary);
        Bits* const data = room + margin + offset;
        std::copy_n(numbers.begin(), count, data);

        Bits maximum = 0;
        for (std::size_t i = 0; i < count; ++i)
          if (const Bits magnitude = numbers[i] & ~Format<Float>::sign; magnitude <= Format<Float>::infinity)
            maximum = std::max(maximum, magnitude);
        ASSERT_EQ(max_abs(*target, data, count), maximum) << target->name << " " << count << " " << offset;

        fake_quantize<Width>(*target, data, count, delta);
        for (const Bits* at = std::begin(room); at != std::end(room); ++at) {
          const bool inside = at >= data && at < data + count;
          ASSERT_EQ(*at, inside ? (ladder<Float, Width>.fake_quantize(numbers[std::size_t(at - data)], delta)) : canary)
              << target->name << ", " << count << " numbers at offset " << offset << ", index " << at - data;
        }
      }
}

TYPED_TEST(KernelsTest, TheMaximumIsFoundAmongNansAtEveryPlace) {
  using Float = typename TypeParam::Float;
  using Bits = BitsOf<Float>;
  const Bits nan = to_bits(-std::numeric_limits<Float>::quiet_NaN()), maximum = to_bits(Float(-3));
  for (const Target* target : supported_targets())
    for (std::size_t count = 2; count <= 200; count += count < 80 ? 1 : 7) {
      std::vector<Bits> numbers(count, to_bits(Float(2)));
      for (std::size_t at = 0; at < count; ++at) {
        const std::size_t other = (at + count / 2) % count;
        std::vector<Bits> changed = numbers;
        changed[other] = nan;
        changed[at] = maximum;
        ASSERT_EQ(max_abs(*target, changed.data(), count), to_bits(Float(3))) << target->name << " " << at;
        changed[at] = Format<Float>::infinity;
        ASSERT_EQ(max_abs(*target, changed.data(), count), Format<Float>::infinity) << target->name << " " << at;
      }
      std::fill(numbers.begin(), numbers.end(), nan);
      ASSERT_EQ(max_abs(*target, numbers.data(), count), 0u) << target->name;
    }
}

TYPED_TEST(KernelsTest, AnyRoundingModeGivesTheSameBitsAndStaysAsItWas) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  const int delta = -Width::max_code;
  const auto numbers = decisive_numbers<Float, Width>(delta);
  for (const Target* target : supported_targets())
    expect_environment_has_no_part(target->name, [&] { expect_rule<Float, Width>(*target, numbers, delta); });
}

TEST(Targets, ScalarIsTheLast) {
  ASSERT_FALSE(supported_targets().empty());
  EXPECT_STREQ(supported_targets().back()->name, "scalar");
}

#ifdef __aarch64__
TEST(Targets, NeonIsTheFirst) { EXPECT_STREQ(supported_targets().front()->name, "neon"); }
#endif

/// All floats, by blocks on the fastest target.
template <class Width>
void check_all_floats(int delta) {
  const Target& target = *supported_targets().front();
  constexpr std::uint64_t block = 1 << 20;
  int failures = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : failures)
  for (std::uint64_t first = 0; first < std::uint64_t(1) << 32; first += block) {
    std::vector<float> numbers(block);
    for (std::uint64_t i = 0; i < block; ++i)
      numbers[i] = from_bits<float>(std::uint32_t(first + i));
    target.kernels<float>().fake_quantize<Width>(numbers.data(), block, delta);
    for (std::uint64_t i = 0; i < block; ++i)
      failures += to_bits(numbers[i]) != ladder<float, Width>.fake_quantize(std::uint32_t(first + i), delta);
  }
  EXPECT_EQ(failures, 0);
}
TEST(Exhaustive, AllFloatsFollowTheRule) {
#define GFPQ_CHECK_WIDTH(bits, ...) check_all_floats<Width##bits>(3 - Width##bits::max_code);
  GFPQ_FOR_EACH_WIDTH(GFPQ_CHECK_WIDTH)
#undef GFPQ_CHECK_WIDTH
}

} // namespace
} // namespace gfpq
