// The kernels themselves, on an emulated GPU: both passes, as the library queues them.
#include "emulation.hpp"
// After emulation.hpp, which defines CUDA's words.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/cuda/kernels.cuh"
#include "tests/unit/unit_test.hpp"

namespace gfpq {
namespace {

/// As the library's: used again and again, and zero at first.
template <class Float>
cuda::Workspace<Float> workspace;

template <class Float, class Width>
void expect_fit_and_quantize(std::size_t count, std::size_t offset, int lowest_delta, unsigned blocks) {
  using Bits = BitsOf<Float>;
  auto numbers = random_numbers<Float, Width>(-40, offset + count, unsigned(count));
  for (Bits& number : numbers)
    number &= ~(Bits(1) << (Format<Float>::fraction_bits + 6)); // not so large that delta ends at its limit
  numbers[offset + count / 3] = to_bits(Float(-7e6));
  std::vector<Bits> results = numbers;
  Float* const data = reinterpret_cast<Float*>(results.data()) + offset;

  Bits maximum = 0;
  for (std::size_t i = offset; i < numbers.size(); ++i)
    maximum = std::max(maximum, cuda::magnitude_or_zero<Float>(numbers[i]));
  const int wanted = std::max(ladder<Float, Width>.delta(maximum), lowest_delta);

  cuda::Workspace<Float>* const found = &workspace<Float>;
  emulate(blocks, cuda::block_threads, cuda::fit<Float, Width>, data, cuda::Size(count), lowest_delta, found);
  ASSERT_EQ(found->delta, wanted) << count << " numbers in " << blocks << " blocks";
  ASSERT_EQ(found->blocks_done, 0u) << "not ready for the next use";
  ASSERT_EQ(found->maximum, 0u) << "not ready for the next use";

  const Range<Float>* const fitted = &found->range;
  const unsigned tiles = unsigned(cuda::FakeQuantizeTiles<Float>(data, count).count());
  emulate(tiles, cuda::fake_quantize_threads, cuda::fake_quantize<Float, Width>, data, cuda::Size(count),
          Range<Float>{}, fitted);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    ASSERT_EQ(results[i], i < offset ? numbers[i] : (ladder<Float, Width>.fake_quantize(numbers[i], wanted))) << i;
}

TEST(GpuEmulated, FitAndFakeQuantizeFollowTheRule) {
  constexpr std::size_t tile = cuda::FitTiles<float>::tile_size;
  expect_fit_and_quantize<float, Width8>(2 * tile + 100, 3, -511, 3);
  expect_fit_and_quantize<double, Width16>(tile + 100, 1, -4095, 3);
  expect_fit_and_quantize<float, Width16>(3 * tile, 1, -4095, 2); // more tiles than blocks
  expect_fit_and_quantize<double, Width8>(10, 0, 400, 1);         // UPDATE with a wider range
  expect_fit_and_quantize<float, Width8>(1, 0, -511, 1);
}

/// The blocks of the emulated GPU do not run at the same time; this one's threads do.
TEST(GpuEmulated, ManyThreadsRaiseOneNumberToTheLargest) {
  for (int round = 0; round < 10; ++round) {
    unsigned long long largest = 0;
    emulate(1, 32, [&largest] {
      for (unsigned long long i = 0; i < 8; ++i)
        cuda::raise_for_all(&largest, (i << 40) + threadIdx.x);
    });
    ASSERT_EQ(largest, (7ull << 40) + 31);
  }
}

TEST(GpuEmulated, AKnownRangeIsUsedAsItIs) {
  constexpr std::size_t count = 5000;
  const auto numbers = random_numbers<float, Width16>(-7, count, 1);
  std::vector<unsigned> results = numbers;
  float* const data = reinterpret_cast<float*>(results.data());
  const Range<float>* const none = nullptr;
  emulate(unsigned(cuda::FakeQuantizeTiles<float>(data, count).count()), cuda::fake_quantize_threads,
          cuda::fake_quantize<float, Width16>, data, cuda::Size(count), range_of(ladder<float, Width16>, -7), none);
  for (std::size_t i = 0; i < count; ++i)
    ASSERT_EQ(results[i], (ladder<float, Width16>.fake_quantize(numbers[i], -7)));
}

} // namespace
} // namespace gfpq
