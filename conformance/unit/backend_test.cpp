// The CPU back end: the same bits on any number of threads, wherever the tensor lies.
#include <gtest/gtest.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "cpu_backend.hpp"
#include "unit_test.hpp"

namespace gfpq {
namespace {

#ifdef _OPENMP
void set_threads(int threads) { omp_set_num_threads(threads); }
int highest_thread() { return omp_get_max_threads(); }
#else
void set_threads(int) {}
int highest_thread() { return 1; }
#endif

template <class Case>
class BackendTest : public testing::Test {
protected:
  BackendTest() : threads_before_(highest_thread()) {}
  ~BackendTest() override { set_threads(threads_before_); }

private:
  const int threads_before_;
};
TYPED_TEST_SUITE(BackendTest, AllCases, CaseNames);

TYPED_TEST(BackendTest, SameBitsOnAnyNumberOfThreads) {
  using Float = typename TypeParam::Float;
  using W = typename TypeParam::W;
  using Bits = BitsOf<Float>;
  constexpr std::size_t margin = 8;
  CpuBackend backend;
  // More than a part for each of 7 threads, a bit more than two parts, and what takes no thread.
  for (const std::size_t bytes : {(std::size_t(8) << 20) + 24, (std::size_t(2) << 20) + 8, std::size_t(40)}) {
    const std::size_t count = bytes / sizeof(Float);
    auto numbers = random_numbers<Float, W>(0, count + 2 * margin, 3);
    for (Bits& number : numbers)
      number &= ~(Bits(1) << (Format<Float>::fraction_bits + 6)); // not so large that delta ends at its limit
    for (const std::size_t largest_at : {std::size_t(0), count / 2, count - 1}) {
      auto input = numbers;
      input[margin + largest_at] = to_bits(Float(-1e18));
      std::vector<Bits> expected = input;
      int expected_delta = -W::delta_limit;
      Bits maximum = 0;
      for (std::size_t i = margin; i < margin + count; ++i)
        if (const Bits magnitude = input[i] & ~Format<Float>::sign; magnitude <= Format<Float>::infinity)
          maximum = std::max(maximum, magnitude);
      expected_delta = ladder<Float, W>.delta(maximum);
      for (std::size_t i = margin; i < margin + count; ++i)
        expected[i] = ladder<Float, W>.quantize(input[i], expected_delta);

      for (const int threads : {1, 2, 3, 7}) {
        set_threads(threads);
        auto data = input;
        int delta = 0;
        ASSERT_EQ(backend.template fit_and_quantize<W>(reinterpret_cast<Float*>(data.data() + margin), count,
                                                       -W::delta_limit, delta),
                  GFPQ_SUCCESS);
        EXPECT_EQ(delta, expected_delta) << threads << " threads";
        EXPECT_TRUE(data == expected) << threads << " threads, " << count << " numbers";
      }
    }
  }
}

#ifdef _OPENMP
TYPED_TEST(BackendTest, WithinTheCallersThreads) {
  using Float = typename TypeParam::Float;
  using W = typename TypeParam::W;
  const std::size_t count = (std::size_t(3) << 20) / sizeof(Float);
  const auto input = random_numbers<Float, W>(0, count, 4);
  auto expected = input;
  for (auto& number : expected)
    number = ladder<Float, W>.quantize(number, 5);
  int wrong = 0;
#pragma omp parallel num_threads(3) reduction(+ : wrong)
  {
    auto data = input;
    CpuBackend().template quantize<W>(reinterpret_cast<Float*>(data.data()), count, 5);
    wrong += data != expected;
  }
  EXPECT_EQ(wrong, 0);
}
#endif

} // namespace
} // namespace gfpq
