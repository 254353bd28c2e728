// The GPU's arithmetic and its way through a tensor, run on the host from the same headers. Needs neither GPU nor nvcc.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/cuda/kernels.cuh"
#include "tests/gpu/rule_ends.hpp"
#include "tests/unit/unit_test.hpp"

namespace gfpq {
namespace {

template <class Float, class Width>
cuda::FakeQuantizer<Float, Width> quantizer_for(int delta) {
  constexpr auto& tables = carry_tables<Float, Width>;
  return {range_of(ladder<Float, Width>, delta), tables.carry, tables.value};
}

template <class Float, class Width>
void expect_rule(const std::vector<BitsOf<Float>>& numbers, int delta) {
  const auto quantizer = quantizer_for<Float, Width>(delta);
  for (const auto number : numbers)
    if (const auto wanted = ladder<Float, Width>.fake_quantize(number, delta); quantizer(number) != wanted)
      FAIL() << "delta " << delta << std::hex << ": " << number << " became " << quantizer(number) << " instead of "
             << wanted;
}

template <class Case>
class GpuOnHost : public testing::Test {};
TYPED_TEST_SUITE(GpuOnHost, AllCases);

TYPED_TEST(GpuOnHost, DecisiveNumbersFollowTheRule) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  for (const int delta : spread_of_deltas<Width>())
    expect_rule<Float, Width>(decisive_numbers<Float, Width>(delta), delta);
}

TYPED_TEST(GpuOnHost, RandomNumbersFollowTheRule) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  for (const int delta : spread_of_deltas<Width>())
    expect_rule<Float, Width>(random_numbers<Float, Width>(delta, 100000, 5), delta);
}

/// Runs `fake_quantize` as the GPU does, thread by thread.
template <class Float, class Width>
void run_tiles(Float* data, std::size_t count, int delta) {
  const auto quantizer = quantizer_for<Float, Width>(delta);
  const cuda::FakeQuantizeTiles<Float> tiles(data, count);
  for (cuda::Size tile = 0; tile < tiles.count(); ++tile)
    for (unsigned thread = 0; thread < cuda::fake_quantize_threads; ++thread) {
      if (tiles.is_whole(tile)) {
        typename cuda::FakeQuantizeTiles<Float>::Held held;
        held.load(tiles.vectors(tile, thread));
        held.fake_quantize_and_store(quantizer, tiles.vectors(tile, thread));
      } else {
        tiles.for_each(tile, thread, [&](BitsOf<Float>& number) { number = quantizer(number); });
      }
    }
}

template <class Float>
BitsOf<Float> largest_by_tiles(Float* data, std::size_t count) {
  const cuda::FitTiles<Float> tiles(data, count);
  BitsOf<Float> largest = 0;
  for (cuda::Size tile = 0; tile < tiles.count(); ++tile)
    for (unsigned thread = 0; thread < cuda::block_threads; ++thread) {
      if (tiles.is_whole(tile)) {
        typename cuda::FitTiles<Float>::Held held;
        held.load(tiles.vectors(tile, thread));
        largest = std::max(largest, held.maximum());
      } else {
        tiles.for_each(tile, thread, [&](BitsOf<Float>& number) {
          largest = std::max(largest, cuda::magnitude_or_zero<Float>(number));
        });
      }
    }
  return largest;
}

/// Each number exactly once, whatever the length and the alignment, and nothing else.
TYPED_TEST(GpuOnHost, TilesCoverTheTensor) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  using Bits = BitsOf<Float>;
  constexpr std::size_t tile = cuda::FitTiles<Float>::tile_size, margin = 16;
  constexpr std::size_t small = cuda::FakeQuantizeTiles<Float>::tile_size;
  const auto canary = to_bits(Float(3e38));
  for (const std::size_t count :
       {std::size_t(1), std::size_t(2), std::size_t(5), std::size_t(255), std::size_t(1000), small - 1, small,
        small + 1, tile - 1, tile, tile + 1, 3 * tile - 2, 3 * tile, 3 * tile + 7})
    for (std::size_t offset = 0; offset < 5; ++offset) {
      struct alignas(16) Aligned {
        Bits bits[16 / sizeof(Bits)];
      };
      std::vector<Aligned> memory((margin + offset + count + margin) * sizeof(Bits) / 16 + 1);
      Bits* const bits = memory.front().bits;
      Bits* const data = bits + margin + offset;
      std::fill_n(bits, memory.size() * 16 / sizeof(Bits), canary);
      const auto numbers = random_numbers<Float, Width>(3, count, 7);
      std::copy(numbers.begin(), numbers.end(), data);

      Bits largest = 0;
      for (const Bits number : numbers)
        largest = std::max(largest, cuda::magnitude_or_zero<Float>(number));
      ASSERT_EQ(largest_by_tiles(reinterpret_cast<Float*>(data), count), largest) << count << " at " << offset;

      run_tiles<Float, Width>(reinterpret_cast<Float*>(data), count, 3);
      for (std::size_t i = 0; i < count; ++i)
        ASSERT_EQ(data[i], (ladder<Float, Width>.fake_quantize(numbers[i], 3)))
            << i << " of " << count << " at " << offset;
      for (std::size_t i = 0; i < memory.size() * 16 / sizeof(Bits); ++i)
        ASSERT_TRUE((bits + i >= data && bits + i < data + count) || bits[i] == canary)
            << "changed outside of " << count << " at " << offset;
    }
}

TYPED_TEST(GpuOnHost, MagnitudeLeavesNaNOut) {
  using Float = typename TypeParam::Float;
  using F = Format<Float>;
  EXPECT_EQ(cuda::magnitude_or_zero<Float>(F::infinity), F::infinity);
  EXPECT_EQ(cuda::magnitude_or_zero<Float>(F::infinity | F::sign), F::infinity);
  EXPECT_EQ(cuda::magnitude_or_zero<Float>(F::infinity + 1), 0u);
  EXPECT_EQ(cuda::magnitude_or_zero<Float>(~BitsOf<Float>(0)), 0u);
  EXPECT_EQ(cuda::magnitude_or_zero<Float>(F::sign | 1), 1u);
}

/// What the comparison of these numbers alone rests on, where a GPU is checked.
TYPED_TEST(GpuOnHost, BetweenTwoRuleEndsNothingChanges) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  const auto ends = rule_ends<Float, Width>();
  for (const int delta : {-Width::delta_limit, 3 - Width::max_code / 2, Width::delta_limit}) {
    const auto quantizer = quantizer_for<Float, Width>(delta);
    for (std::size_t i = 1; i < ends.size(); ++i) {
      ASSERT_LT(ends[i - 1], ends[i]);
      const auto before = ladder<Float, Width>.fake_quantize(ends[i - 1], delta);
      const auto after = ladder<Float, Width>.fake_quantize(ends[i], delta);
      ASSERT_TRUE(before == after || ends[i - 1] + 1 == ends[i]) << std::hex << ends[i] << ", delta " << delta;
      ASSERT_EQ(quantizer(ends[i]), after) << std::hex << ends[i] << ", delta " << delta;
    }
  }
}

template <class Width>
void check_all_floats(int delta) {
  constexpr std::uint64_t block = 1 << 20;
  const auto quantizer = quantizer_for<float, Width>(delta);
  std::uint64_t failures = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : failures)
  for (std::uint64_t first = 0; first < std::uint64_t(1) << 32; first += block)
    for (std::uint64_t bits = first; bits < first + block; ++bits)
      failures += quantizer(std::uint32_t(bits)) != ladder<float, Width>.fake_quantize(std::uint32_t(bits), delta);
  EXPECT_EQ(failures, 0u) << Width::bits << " bit, delta " << delta;
}

// Under the label `long`.
TEST(GpuOnHostExhaustive, AllFloatsFollowTheRule) {
#define GFPQ_CHECK_WIDTH(bits, ...)                                                                                    \
  for (const int delta : {-Width##bits::delta_limit, 3 - Width##bits::max_code, Width##bits::delta_limit})             \
    check_all_floats<Width##bits>(delta);
  GFPQ_FOR_EACH_WIDTH(GFPQ_CHECK_WIDTH)
#undef GFPQ_CHECK_WIDTH
}

} // namespace
} // namespace gfpq
