// The CPU back end: the same bits on any number of threads, wherever the tensor is.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "cpu_backend.hpp"
#include "parts.hpp"
#include "unit_test.hpp"

namespace gfpq {
namespace {

void set_threads(int threads) { set_environment("OMP_NUM_THREADS", std::to_string(threads)); }

template <class Case>
class BackendTest : public testing::Test {
protected:
  ~BackendTest() override { set_environment("OMP_NUM_THREADS", ""); }
};
TYPED_TEST_SUITE(BackendTest, AllCases, CaseNames);

TYPED_TEST(BackendTest, AnyNumberOfThreadsGivesTheSameBits) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  using Bits = BitsOf<Float>;
  constexpr std::size_t margin = 8;
  CpuBackend backend;
  // More than a part for each of 7 threads, a bit more than two parts, and one without a thread of its own.
  for (const std::size_t bytes : {(std::size_t(16) << 20) + 24, (std::size_t(4) << 20) + 8, std::size_t(40)}) {
    const std::size_t count = bytes / sizeof(Float);
    auto numbers = random_numbers<Float, Width>(0, count + 2 * margin, 3);
    for (Bits& number : numbers)
      number &= ~(Bits(1) << (Format<Float>::fraction_bits + 6)); // not so large that delta ends at its limit
    for (const std::size_t largest_at : {std::size_t(0), count / 2, count - 1}) {
      auto input = numbers;
      input[margin + largest_at] = to_bits(Float(-1e18));
      std::vector<Bits> expected = input;
      int expected_delta = -Width::delta_limit;
      Bits maximum = 0;
      for (std::size_t i = margin; i < margin + count; ++i)
        if (const Bits magnitude = input[i] & ~Format<Float>::sign; magnitude <= Format<Float>::infinity)
          maximum = std::max(maximum, magnitude);
      expected_delta = ladder<Float, Width>.delta(maximum);
      for (std::size_t i = margin; i < margin + count; ++i)
        expected[i] = ladder<Float, Width>.fake_quantize(input[i], expected_delta);

      for (const int threads : {1, 2, 3, 7}) {
        set_threads(threads);
        auto data = input;
        int delta = 0;
        ASSERT_EQ(backend.template fit_and_fake_quantize<Width>(reinterpret_cast<Float*>(data.data() + margin), count,
                                                                -Width::delta_limit, delta),
                  GFPQ_SUCCESS);
        EXPECT_EQ(delta, expected_delta) << threads << " threads";
        EXPECT_TRUE(data == expected) << threads << " threads, " << count << " numbers";
      }
    }
  }
}

/// What is called on many threads at once starts threads of its own on each.
TYPED_TEST(BackendTest, CallsOnManyThreadsGiveTheSameBits) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  set_threads(3);
  const std::size_t count = (std::size_t(6) << 20) / sizeof(Float);
  const auto input = random_numbers<Float, Width>(0, count, 4);
  auto expected = input;
  for (auto& number : expected)
    number = ladder<Float, Width>.fake_quantize(number, 5);
  std::vector<std::vector<BitsOf<Float>>> data(4, input);
  std::vector<std::thread> callers;
  std::atomic<int> failures{0};
  for (auto& tensor : data)
    callers.emplace_back([&tensor, &failures] {
      Float* const numbers = reinterpret_cast<Float*>(tensor.data());
      failures += CpuBackend().template fake_quantize<Width>(numbers, tensor.size(), 5) != GFPQ_SUCCESS;
    });
  for (std::thread& caller : callers)
    caller.join();
  EXPECT_EQ(failures, 0);
  for (const auto& tensor : data)
    EXPECT_TRUE(tensor == expected);
}

/// The parts are the tensor, in any number, and begin at cache lines.
TEST(Parts, CoverTheTensorOnce) {
  alignas(64) static float tensor[1000];
  for (const std::size_t begin : {0, 1, 15})
    for (const std::size_t threads : {0, 1, 2, 3, 7, 16, 40}) {
      const std::size_t count = std::size(tensor) - begin;
      std::vector<std::atomic<int>> times(count);
      std::atomic<std::size_t> parts{0}, within_lines{0};
      for_each_part(tensor + begin, count, threads, [&](const float* part, std::size_t size) {
        ++parts;
        within_lines += part != tensor + begin && (part - tensor) % 16 != 0;
        for (std::size_t i = 0; i < size; ++i)
          ++times[std::size_t(part - tensor) - begin + i];
      });
      EXPECT_EQ(parts, std::max<std::size_t>(threads, 1));
      EXPECT_EQ(within_lines, 0u);
      EXPECT_TRUE(std::all_of(times.begin(), times.end(), [](int n) { return n == 1; })) << threads << " threads";
    }
}

} // namespace
} // namespace gfpq
