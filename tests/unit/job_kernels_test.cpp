// The kernels that jobs alone use, of every target that this machine can run: against the rule, bit for bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/kernels.hpp"
#include "unit_test.hpp"

namespace gfpq {
namespace {

constexpr std::size_t longest = 3 * 16 + 1; // three of the widest registers of floats, and one number

template <class Float>
const Float* as_numbers(const std::vector<BitsOf<Float>>& bits) {
  return reinterpret_cast<const Float*>(bits.data());
}

/// Deltas side by side, as RowDeltas of the jobs has them.
template <class Float, class Width>
class Deltas {
public:
  explicit Deltas(const std::vector<int>& deltas) : delta_(deltas) {
    delta_.resize(deltas.size() + 16);
    for (const int delta : delta_) {
      const Range<Float> range = range_of(ladder<Float, Width>, delta);
      lowest_positive_.push_back(range.lowest_positive);
      lowest_negative_.push_back(range.lowest_negative);
      highest_.push_back(range.highest);
    }
    lowest_ = *std::min_element(deltas.begin(), deltas.end());
  }

  /// From one of the numbers on.
  EachDelta<Float> each(std::size_t from = 0) const {
    return {lowest_positive_.data() + from, lowest_negative_.data() + from, highest_.data() + from,
            delta_.data() + from, lowest_};
  }
  int operator[](std::size_t i) const { return delta_[i]; }

private:
  std::vector<int> delta_;
  std::vector<BitsOf<Float>> lowest_positive_, lowest_negative_, highest_;
  int lowest_;
};

/// A delta of spread_of_deltas() for each number, none the same as its neighbour's.
template <class Width>
std::vector<int> deltas_in_turn(std::size_t count) {
  const std::vector<int> spread = spread_of_deltas<Width>();
  std::vector<int> deltas(count);
  for (std::size_t i = 0; i < count; ++i)
    deltas[i] = spread[i % spread.size()];
  return deltas;
}

template <class Width, class Code, class Float>
void expect_codes(const Target& target, const std::vector<Code>& codes, const std::vector<BitsOf<Float>>& numbers,
                  const std::vector<int>& deltas, Float) {
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (const Code wanted = Encoder<Float, Width>(deltas[i])(numbers[i]); codes[i] != wanted)
      FAIL() << target.name << ", delta " << deltas[i] << std::hex << ": " << numbers[i] << " became " << int(codes[i])
             << " instead of " << int(wanted);
}

template <class Float, class Width>
void expect_values(const Target& target, const std::vector<BitsOf<Float>>& values,
                   const std::vector<typename Codes<Width>::Code>& codes, const std::vector<int>& deltas) {
  for (std::size_t i = 0; i < codes.size(); ++i)
    if (const auto wanted = decode<Float, Width>(codes[i], deltas[i]); values[i] != wanted)
      FAIL() << target.name << ", delta " << deltas[i] << std::hex << ": " << int(codes[i]) << " became " << values[i]
             << " instead of " << wanted;
}

/// All codes that exist.
template <class Width>
std::vector<typename Codes<Width>::Code> all_codes() {
  std::vector<typename Codes<Width>::Code> codes;
  for (int k = 0; k <= Width::max_code; ++k)
    for (const int sign : {0, int(Codes<Width>::sign)})
      codes.push_back(static_cast<typename Codes<Width>::Code>(sign | k));
  return codes;
}

/// Encodes all numbers and decodes all codes, by one delta after the other and by one for each number.
template <class Float, class Width>
void expect_codes_and_values(const Target& target) {
  using Bits = BitsOf<Float>;
  using Code = typename Codes<Width>::Code;
  const Kernels<Float>& kernels = target.kernels<Float>();
  const std::vector<Code> codes = all_codes<Width>();
  std::vector<Bits> values(codes.size());
  Float* const out = reinterpret_cast<Float*>(values.data());
  for (const int delta : spread_of_deltas<Width>()) {
    std::vector<Bits> numbers = decisive_numbers<Float, Width>(delta);
    for (const Bits number : random_numbers<Float, Width>(delta, 5003, unsigned(delta)))
      numbers.push_back(number);
    std::vector<Code> encoded(numbers.size());
    kernels.template encode<Width>(as_numbers<Float>(numbers), encoded.data(), numbers.size(), delta);
    expect_codes<Width>(target, encoded, numbers, std::vector<int>(numbers.size(), delta), Float());
    kernels.template decode<Width>(codes.data(), out, codes.size(), delta);
    expect_values<Float, Width>(target, values, codes, std::vector<int>(codes.size(), delta));

    const std::vector<int> deltas = deltas_in_turn<Width>(std::max(numbers.size(), codes.size()));
    const Deltas<Float, Width> each(deltas);
    kernels.template encode<Width>(as_numbers<Float>(numbers), encoded.data(), numbers.size(), each.each());
    expect_codes<Width>(target, encoded, numbers, deltas, Float());
    kernels.template decode<Width>(codes.data(), out, codes.size(), each.each());
    expect_values<Float, Width>(target, values, codes, deltas);
    kernels.template fake_quantize<Width>(as_numbers<Float>(numbers), reinterpret_cast<Float*>(numbers.data()),
                                          numbers.size(), each.each());
    expect_values<Float, Width>(target, numbers, encoded, deltas);
  }
}

template <class Case>
class JobKernelsTest : public testing::Test {};
TYPED_TEST_SUITE(JobKernelsTest, AllCases, CaseNames);

TYPED_TEST(JobKernelsTest, CodesAndValuesFollowTheRuleByOneDeltaAndByEachNumbersOwn) {
  for (const Target* target : supported_targets())
    expect_codes_and_values<typename TypeParam::Float, typename TypeParam::Width>(*target);
}

/// Numbers between canaries, at any alignment.
template <class Number>
class Room {
public:
  explicit Room(std::size_t offset) : data_(numbers_ + margin + offset) {
    std::memset(numbers_, canary, sizeof numbers_);
  }

  Number* data() { return data_; }
  bool is_untouched_outside(std::size_t count) const {
    const auto* const begin = reinterpret_cast<const unsigned char*>(numbers_);
    const auto* const end = reinterpret_cast<const unsigned char*>(std::end(numbers_));
    const auto* const inside = reinterpret_cast<const unsigned char*>(data_);
    const auto is_canary = [](unsigned char byte) { return byte == canary; };
    return std::all_of(begin, inside, is_canary) && std::all_of(inside + count * sizeof(Number), end, is_canary);
  }

private:
  static constexpr std::size_t margin = 64;
  static constexpr unsigned char canary = 0x5c;
  alignas(64) Number numbers_[margin + 64 + longest + margin];
  Number* const data_;
};

TYPED_TEST(JobKernelsTest, EveryLengthAndAlignmentFollowsTheRule) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  using Bits = BitsOf<Float>;
  using Code = typename Codes<Width>::Code;
  constexpr int delta = -3;
  const std::vector<Bits> numbers = random_numbers<Float, Width>(delta, longest, 1);
  const std::vector<int> deltas = deltas_in_turn<Width>(longest + 3);
  const Deltas<Float, Width> row(deltas);
  for (const Target* target : supported_targets())
    for (std::size_t count = 0; count <= longest; ++count)
      for (const std::size_t in_offset : {0, 1, 5, 15})
        for (const std::size_t out_offset : {0, 1, 3, 17, 63})
          for (const bool is_each : {false, true}) {
            const Kernels<Float>& kernels = target->kernels<Float>();
            const EachDelta<Float> each = row.each(in_offset % 4);
            const auto delta_of = [&](std::size_t i) { return is_each ? each.delta[i] : delta; };
            std::vector<Bits> source(in_offset + count + 1);
            std::copy_n(numbers.begin(), count, source.begin() + std::ptrdiff_t(in_offset));
            const Float* const in = as_numbers<Float>(source) + in_offset;
            Room<Code> codes(out_offset);
            Room<Bits> values(out_offset), decoded(out_offset);
            Float* const out = reinterpret_cast<Float*>(values.data());
            Float* const decoded_out = reinterpret_cast<Float*>(decoded.data());
            if (is_each) {
              kernels.template encode<Width>(in, codes.data(), count, each);
              kernels.template fake_quantize<Width>(in, out, count, each);
              kernels.template decode<Width>(codes.data(), decoded_out, count, each);
            } else {
              kernels.template encode<Width>(in, codes.data(), count, delta);
              kernels.template fake_quantize<Width>(in, out, count, delta);
              kernels.template decode<Width>(codes.data(), decoded_out, count, delta);
            }
            ASSERT_TRUE(codes.is_untouched_outside(count) && values.is_untouched_outside(count) &&
                        decoded.is_untouched_outside(count))
                << target->name << ", " << count << " numbers";
            for (std::size_t i = 0; i < count; ++i) {
              ASSERT_EQ(codes.data()[i], (Encoder<Float, Width>(delta_of(i))(numbers[i]))) << target->name << " " << i;
              const Bits wanted = ladder<Float, Width>.fake_quantize(numbers[i], delta_of(i));
              ASSERT_EQ(values.data()[i], wanted) << target->name << ", " << count << " numbers, index " << i;
              ASSERT_EQ(decoded.data()[i], wanted) << target->name << ", " << count << " numbers, index " << i;
            }
          }
}

TYPED_TEST(JobKernelsTest, MasksAndMaximaOfEachPlaceFollowTheirDefinition) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  using Bits = BitsOf<Float>;
  const std::vector<int> deltas = deltas_in_turn<Width>(2000);
  const Deltas<Float, Width> row(deltas);
  for (const int delta : spread_of_deltas<Width>()) {
    const std::vector<Bits> numbers = decisive_numbers<Float, Width>(delta);
    const Bits largest = ladder<Float, Width>.value(delta + Width::max_code);
    for (const Target* target : supported_targets())
      for (std::size_t begin = 0; begin < numbers.size(); begin += 1999)
        for (const std::size_t most : {std::size_t(0), std::size_t(1), std::size_t(67), std::size_t(1999)}) {
          const std::size_t count = std::min(most, numbers.size() - begin);
          const Kernels<Float>& kernels = target->kernels<Float>();
          const Float* const in = as_numbers<Float>(numbers) + begin;
          std::vector<unsigned char> mask(count + 1, 7), mask_of_each(count + 1, 7);
          std::vector<Bits> maxima(count + 1, 7);
          kernels.write_mask(in, count, largest, mask.data());
          kernels.write_mask_of_each(in, count, row.each().highest, mask_of_each.data());
          kernels.raise_each(in, count, maxima.data());
          ASSERT_TRUE(mask[count] == 7 && mask_of_each[count] == 7 && maxima[count] == 7) << "beyond the end";
          for (std::size_t i = 0; i < count; ++i) {
            const Bits magnitude = numbers[begin + i] & ~Format<Float>::sign;
            const Bits number = magnitude > Format<Float>::infinity ? 0 : magnitude;
            ASSERT_EQ(mask[i], magnitude <= largest) << target->name << std::hex << " " << magnitude;
            ASSERT_EQ(mask_of_each[i], magnitude <= row.each().highest[i]) << target->name;
            ASSERT_EQ(maxima[i], std::max<Bits>(number, 7)) << target->name << std::hex << " " << magnitude;
          }
        }
  }
}

TYPED_TEST(JobKernelsTest, TheFloatingPointEnvironmentHasNoPart) {
  for (const Target* target : supported_targets())
    expect_environment_has_no_part(
        target->name, [&] { expect_codes_and_values<typename TypeParam::Float, typename TypeParam::Width>(*target); });
}

/// All numbers there and back, and floats between them.
template <class Half>
void expect_conversions(const Target& target) {
  using Type = ElementType<Half>;
  const HalfKernels<Half>& kernels = target.half_kernels<Half>();
  std::vector<Half> halves(0x10000), rounded(0x10000);
  for (unsigned bits = 0; bits < 0x10000; ++bits)
    halves[bits].bits = static_cast<unsigned short>(bits);
  std::vector<float> floats(0x10000);
  kernels.widen(halves.data(), halves.size(), floats.data());
  std::vector<unsigned> computed(0x10000);
  std::memcpy(computed.data(), floats.data(), 4 * computed.size());
  const auto is_nan = [](unsigned bits) { return (bits & 0x7fffffffu) > 0x7f800000u; };
  for (unsigned bits = 0; bits < 0x10000; ++bits)
    if (const unsigned wanted = Type::computed(halves[bits]); computed[bits] != wanted) {
      ASSERT_TRUE(is_nan(wanted) && is_nan(computed[bits])) << target.name << " " << bits;
    }

  for (const int change : {-0x1001, -0x1000, -1, 0, 1, 0xfff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001}) {
    std::vector<unsigned> numbers;
    for (const unsigned bits : computed)
      if (const unsigned number = bits + unsigned(change); !is_nan(number) && (number << 1 == 0 || number << 1 >> 24))
        numbers.push_back(number); // no denormal float: no ladder has one
    const auto* const in = reinterpret_cast<const float*>(numbers.data());
    kernels.round(in, numbers.size(), rounded.data());
    for (std::size_t i = 0; i < numbers.size(); ++i)
      ASSERT_EQ(rounded[i].bits, Type::rounded(numbers[i]).bits) << target.name << std::hex << " " << numbers[i];

    const auto is_small = [](unsigned number) {
      return (number & 0x7fffffffu) != 0 && (number & 0x7fffffffu) < Type::smallest_normal_computed;
    };
    numbers.erase(std::remove_if(numbers.begin(), numbers.end(), is_small), numbers.end());
    kernels.round_normal(reinterpret_cast<const float*>(numbers.data()), numbers.size(), rounded.data());
    for (std::size_t i = 0; i < numbers.size(); ++i)
      ASSERT_EQ(rounded[i].bits, Type::rounded(numbers[i]).bits) << target.name << std::hex << " " << numbers[i];
  }
}

template <class Half>
class HalfKernelsTest : public testing::Test {};
using HalfTypes = testing::Types<Float16, BFloat16>;
TYPED_TEST_SUITE(HalfKernelsTest, HalfTypes);

TYPED_TEST(HalfKernelsTest, AllNumbersAreWidenedAndFloatsRoundedAsTheTypeSays) {
  for (const Target* target : supported_targets())
    expect_conversions<TypeParam>(*target);
}

TYPED_TEST(HalfKernelsTest, TheFloatingPointEnvironmentHasNoPart) {
  for (const Target* target : supported_targets())
    expect_environment_has_no_part(target->name, [&] { expect_conversions<TypeParam>(*target); });
}

TYPED_TEST(HalfKernelsTest, EveryLengthAndAlignmentIsDone) {
  for (const Target* target : supported_targets())
    for (std::size_t count = 0; count <= longest; ++count)
      for (const std::size_t offset : {0, 1, 7, 16, 31}) {
        const HalfKernels<TypeParam>& kernels = target->half_kernels<TypeParam>();
        std::vector<TypeParam> source(offset + count + 1);
        for (std::size_t i = 0; i < source.size(); ++i)
          source[i].bits = static_cast<unsigned short>(0x3c01 + 0x111 * i % 0x3000 + (i % 2) * 0x8000);
        const TypeParam* const in = source.data() + offset;
        Room<unsigned> floats(offset);
        Room<unsigned short> back(offset), back_normal(offset);
        auto* const numbers = reinterpret_cast<float*>(floats.data());
        kernels.widen(in, count, numbers);
        kernels.round(numbers, count, reinterpret_cast<TypeParam*>(back.data()));
        kernels.round_normal(numbers, count, reinterpret_cast<TypeParam*>(back_normal.data()));
        ASSERT_TRUE(floats.is_untouched_outside(count) && back.is_untouched_outside(count) &&
                    back_normal.is_untouched_outside(count))
            << target->name << " " << count;
        unsigned maximum = 0;
        for (std::size_t i = 0; i < count; ++i) {
          const unsigned computed = ElementType<TypeParam>::computed(in[i]);
          maximum = std::max(maximum, computed & 0x7fffffffu);
          ASSERT_EQ(floats.data()[i], computed) << target->name << " " << count << " " << i;
          ASSERT_EQ(back.data()[i], in[i].bits) << target->name << " " << count << " " << i;
          ASSERT_EQ(back_normal.data()[i], in[i].bits) << target->name << " " << count << " " << i;
        }
        ASSERT_EQ(kernels.max_abs(in, count), maximum) << target->name << " " << count;
      }
}

TYPED_TEST(HalfKernelsTest, TheMaximumLeavesOutNanAndHasInfinity) {
  const unsigned short infinity = ElementType<TypeParam>::infinity;
  for (const Target* target : supported_targets())
    for (std::size_t count = 1; count <= longest; count += 4)
      for (std::size_t at = 0; at < count; ++at) {
        const auto max_abs = [&](int others, int number) {
          std::vector<TypeParam> numbers(count, TypeParam{static_cast<unsigned short>(others)});
          numbers[at].bits = static_cast<unsigned short>(number);
          return target->half_kernels<TypeParam>().max_abs(numbers.data(), count);
        };
        ASSERT_EQ(max_abs(0xffff, 0x8001), ElementType<TypeParam>::computed({1})) << target->name << " " << at;
        ASSERT_EQ(max_abs(infinity + 1, 0), 0u) << target->name << " " << at;
        ASSERT_EQ(max_abs(0x3c00, 0x8000 | infinity), 0x7f800000u) << target->name << " " << at;
        ASSERT_EQ(max_abs(0x7fff, infinity + 1), 0u) << target->name << " " << at;
      }
}

} // namespace
} // namespace gfpq
