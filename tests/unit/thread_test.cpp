// Where a new thread may run.
#include "thread.hpp"

#ifdef __linux__
#include <gtest/gtest.h>
#include <sched.h>

#include <chrono>

namespace gfpq {
namespace {

cpu_set_t allowed_cpus() {
  cpu_set_t allowed;
  EXPECT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  return allowed;
}

/// The CPUs that a new thread may run on, once they are fewer than its creator's; the same where that does not come.
cpu_set_t cpus_of_new_thread(std::size_t threads) {
  const cpu_set_t callers = allowed_cpus();
  cpu_set_t result;
  const auto look = [&] {
    const auto start = std::chrono::steady_clock::now();
    do
      result = allowed_cpus();
    while (CPU_EQUAL(&result, &callers) && std::chrono::steady_clock::now() - start < std::chrono::milliseconds(200));
  };
  {
    const Thread thread(look, threads);
    EXPECT_TRUE(thread.is_started());
  }
  const cpu_set_t after = allowed_cpus();
  EXPECT_TRUE(CPU_EQUAL(&after, &callers)) << "the caller's own CPUs changed";
  return result;
}

TEST(Thread, RunsOnAnotherCpuThanItsCreator) {
  const cpu_set_t callers = allowed_cpus();
  if (CPU_COUNT(&callers) < 2)
    GTEST_SKIP() << "needs 2 CPUs";
  const cpu_set_t cpus = cpus_of_new_thread(2);
  EXPECT_EQ(CPU_COUNT(&cpus), CPU_COUNT(&callers) - 1);
  cpu_set_t both;
  CPU_AND(&both, &cpus, &callers);
  EXPECT_TRUE(CPU_EQUAL(&both, &cpus)) << "on a CPU that its creator may not use";
}

TEST(Thread, MayRunOnEveryCpuWhereThereAreFewerCpusThanThreads) {
  const cpu_set_t callers = allowed_cpus();
  const cpu_set_t cpus = cpus_of_new_thread(std::size_t(CPU_COUNT(&callers)) + 1);
  EXPECT_TRUE(CPU_EQUAL(&cpus, &callers));
}

TEST(Thread, ThatIsDoneAtOnceChangesNothingOfItsCreator) {
  const cpu_set_t callers = allowed_cpus();
  for (int i = 0; i < 1000; ++i) {
    const auto nothing = [] {};
    const Thread thread(nothing, 2);
  }
  const cpu_set_t after = allowed_cpus();
  EXPECT_TRUE(CPU_EQUAL(&after, &callers));
}

} // namespace
} // namespace gfpq
#endif
