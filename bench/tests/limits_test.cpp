// The threads that limits run on, and the ways that are tried.
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <set>
#include <vector>

#include "limits.hpp"
#include "team.hpp"
#include "timing.hpp"

namespace {

std::set<int> thread_counts(std::size_t bytes, int threads) {
  std::set<int> counts;
  for (const bench::LimitLoop& loop : bench::limit_loops(bench::Op::scale, bytes, threads))
    counts.insert(loop.threads);
  return counts;
}

TEST(Interval, HoldsTheMedianAsOftenAsItSays) {
  const auto of = [](int number) {
    std::vector<double> values;
    for (int value = number; value > 0; --value)
      values.push_back(value);
    return bench::interval_of_median(values);
  };
  EXPECT_DOUBLE_EQ(of(1).coverage, 0);
  EXPECT_DOUBLE_EQ(of(5).coverage, 0.9375);
  EXPECT_EQ(of(5).low, 1);
  EXPECT_DOUBLE_EQ(of(9).coverage, 0.9609375); // 1 - 2 * (1 + 9) / 2^9
  EXPECT_EQ(of(9).low, 2);
  EXPECT_EQ(of(9).high, 8);
  EXPECT_EQ(of(20).low, 6);
  EXPECT_NEAR(of(20).coverage, 0.9586, 1e-4);
}

TEST(Limits, FewerThreadsThanAllAreTriedToo) {
  EXPECT_EQ(thread_counts(1 << 20, 12), (std::set<int>{1, 2, 4, 8, 12}));
  EXPECT_EQ(thread_counts(1 << 26, 12), (std::set<int>{2, 4, 8, 12}));
  EXPECT_EQ(thread_counts(1 << 26, 1), (std::set<int>{1}));
  EXPECT_EQ(thread_counts(1000, 12), (std::set<int>{1}));
}

TEST(Limits, TheLargestNumberIsFoundInEveryThreadsPart) {
  std::vector<float> numbers(100003, 1.0f);
  for (const std::size_t at : {std::size_t{0}, std::size_t{49999}, numbers.size() - 1}) {
    numbers[at] = -3;
    for (const int threads : {1, 2, 3, 8, 64})
      EXPECT_EQ(bench::run_limit(bench::Op::max, {bench::Prefetch::none, 0, threads}, numbers.data(), numbers.data(),
                                 numbers.size()),
                3);
    numbers[at] = 1;
  }
}

TEST(Limits, EveryWayToCopyCopiesAll) {
  for (const std::size_t count : {1u, 15u, 16u, 100003u, 2000001u}) {
    std::vector<float> from(count), room(count + 16);
    for (std::size_t i = 0; i < count; ++i)
      from[i] = static_cast<float>(i);
    float* const to = room.data() + (64 - reinterpret_cast<std::uintptr_t>(room.data()) % 64) / sizeof(float) % 16;
    for (const bench::LimitLoop& loop : bench::limit_loops(bench::Op::copy, count * sizeof(float), 3)) {
      std::fill(room.begin(), room.end(), -1.0f);
      bench::run_limit(bench::Op::copy, loop, from.data(), to, count);
      EXPECT_TRUE(std::equal(from.begin(), from.end(), to)) << count << ' ' << loop.describe(bench::Op::copy);
      EXPECT_EQ(std::count(room.begin(), room.end(), -1.0f), 16);
    }
  }
}

TEST(Team, EveryMemberWorksOnceAndAlwaysOnTheSameThread) {
  bench::Team team;
  std::mutex mutex;
  std::vector<std::set<pid_t>> threads(9);
  for (int call = 0; call < 300; ++call) {
    const std::size_t members = 1 + static_cast<std::size_t>(call % 9);
    std::vector<std::atomic<int>> calls(9);
    team.run(members, [&](std::size_t member) {
      ++calls[member];
      const std::lock_guard<std::mutex> lock(mutex);
      threads[member].insert(gettid());
    });
    for (std::size_t member = 0; member < calls.size(); ++member)
      ASSERT_EQ(calls[member], member < members ? 1 : 0);
  }
  for (const std::set<pid_t>& used : threads)
    EXPECT_EQ(used.size(), 1u);
}

TEST(Team, ThreadsKeepOffTheCpuOfTheirCaller) {
  cpu_set_t callers;
  ASSERT_EQ(sched_getaffinity(0, sizeof callers, &callers), 0);
  const auto members = static_cast<std::size_t>(CPU_COUNT(&callers));
  if (members < 2)
    GTEST_SKIP() << "needs 2 CPUs";
  bench::Team team;
  const auto cpus_of_another = [&] {
    std::atomic<int> result{0};
    team.run(members, [&](std::size_t member) {
      cpu_set_t cpus;
      if (member == 1 && sched_getaffinity(0, sizeof cpus, &cpus) == 0)
        result = CPU_COUNT(&cpus);
    });
    return static_cast<std::size_t>(result);
  };
  EXPECT_EQ(cpus_of_another(), members - 1);
  team.run(members + 1, [](std::size_t) {}); // they no longer have a CPU each
  EXPECT_EQ(cpus_of_another(), members);
}

TEST(Team, WaitingThreadsUseNoCpu) {
  bench::Team team;
  team.run(8, [](std::size_t) {});
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC, 0.1);
}

} // namespace
