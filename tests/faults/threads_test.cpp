// Threads that the system refuses, forked children, and many threads at once.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <system_error>
#include <thread>

#include "library.hpp"
#include "tensors.hpp"

namespace {

/// From now on this process may have so many threads more. Root is under no limit: it becomes a user whom nobody else
/// is. \return whether that worked
bool allow_threads(unsigned more) {
  const uid_t nobody_else = 100'000'000 + uid_t(getpid()); // a test beside this one has its own
  if (geteuid() == 0 && (setgid(nobody_else) != 0 || setuid(nobody_else) != 0))
    return false;
  unsigned begun = 0;
  const auto count_possible = [&begun] {
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    try {
      for (begun = 0; begun < 64; ++begun)
        threads.emplace_back([&stop] {
          while (!stop)
            std::this_thread::yield();
        });
    } catch (const std::system_error&) {
    }
    stop = true;
    for (std::thread& thread : threads)
      thread.join();
    return begun;
  };
  // What else the user runs counts too, and can't be known: take the limit that lets so many be.
  rlimit limit{};
  getrlimit(RLIMIT_NPROC, &limit);
  for (rlim_t tried = 0; tried < 4096; ++tried) {
    limit.rlim_cur = tried;
    if (setrlimit(RLIMIT_NPROC, &limit) != 0)
      return false;
    if (count_possible() == more)
      return true;
    if (begun > more)
      return false;
  }
  return false;
}

/// \return the exit status of a child that does this; 14 is SIGALRM's, of a child that hangs.
int in_child(const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(work() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

class RefusedThreads : public testing::TestWithParam<unsigned> {};

TEST_P(RefusedThreads, FewerDoTheWork) {
  constexpr int exit_skipped = 77;
  setenv("OMP_NUM_THREADS", "8", 1);
  // In a child: what ends a process, such as a sanitizer's search for leaks, may need a thread.
  const int status = in_child([] {
    if (!allow_threads(GetParam()))
      _exit(exit_skipped);
    return faults::quantizes<float>(faults::large, 8) && faults::quantizes<float>(faults::large, 16) &&
           faults::quantizes<double>(faults::large, 8) && faults::quantizes<double>(faults::large, 16);
  });
  if (WIFEXITED(status) && WEXITSTATUS(status) == exit_skipped)
    GTEST_SKIP() << "this system lets nobody limit the threads of a process";
  EXPECT_EQ(status, 0);
}
INSTANTIATE_TEST_SUITE_P(After, RefusedThreads, testing::Values(0, 1, 3));

bool all_right() {
  return bool(faults::quantizes<float>(faults::large, 8)) && bool(faults::quantizes<double>(faults::large, 16));
}

TEST(Fork, AChildCallsAfterItsParentDid) {
  setenv("OMP_NUM_THREADS", "4", 1);
  ASSERT_TRUE(all_right());
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(in_child(all_right), 0);
  EXPECT_TRUE(all_right());
}

TEST(Fork, AChildCallsThoughOtherThreadsWereCalling) {
  setenv("OMP_NUM_THREADS", "3", 1);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::thread other([&] {
    while (!stop)
      wrong += !faults::quantizes<float>(faults::large, 8);
  });
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(in_child([] { return bool(faults::quantizes<float>(faults::large, 8)); }), 0);
  stop = true;
  other.join();
  EXPECT_EQ(wrong, 0);
}

std::atomic<bool> sink_entered{false}, sink_may_go{false};

/// A child has no thread that could ever finish the message that another thread was sending at the fork.
TEST(Fork, AChildReportsThoughAnotherThreadWasReporting) {
  GFPQ_NEED_MESSAGE_SINK();
  GFPQ_SetMessageSink(
      [](const char*, void*) {
        sink_entered = true;
        while (!sink_may_go)
          std::this_thread::yield();
      },
      nullptr);
  std::thread other([] { static_cast<void>(HI_GFPQ_GetInfo(nullptr)); });
  while (!sink_entered)
    std::this_thread::yield();
  const int status = in_child([] {
    sink_may_go = true; // the child's copy alone
    return HI_GFPQ_GetInfo(nullptr) == GFPQ_ERR_BAD_PARAMETERS;
  });
  sink_may_go = true;
  other.join();
  EXPECT_EQ(status, 0);
}

std::atomic<int> entries{0};

/// A sink that forks: in the child too, no other thread's message comes before the sink has returned.
TEST(Fork, AChildForkedWithinTheSinkReports) {
  GFPQ_NEED_MESSAGE_SINK();
  static pid_t child = -1;
  static bool came_alone = false;
  GFPQ_SetMessageSink(
      [](const char*, void*) {
        if (++entries > 1)
          return;
        child = fork();
        if (child != 0)
          return;
        alarm(20);
        std::thread([] { static_cast<void>(HI_GFPQ_GetInfo(nullptr)); }).detach();
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        came_alone = entries == 1;
      },
      nullptr);
  EXPECT_EQ(HI_GFPQ_GetInfo(nullptr), GFPQ_ERR_BAD_PARAMETERS);
  GFPQ_SetMessageSink(nullptr, nullptr);
  if (child == 0)
    _exit(came_alone ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

/// Each on tensors and blocks of its own, in a range that is none of the others'.
TEST(Threads, ShareTheLibrary) {
  setenv("OMP_NUM_THREADS", "2", 1);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (unsigned caller = 0; caller < 6; ++caller)
    callers.emplace_back([&wrong, caller] {
      const double scale = std::exp2(4.0 * caller - 10);
      for (unsigned i = 0; i < 200; ++i)
        wrong += !faults::quantizes<float>(9 + i * caller, i % 2 ? 8 : 16, scale);
      for (unsigned i = 0; i < 4; ++i)
        wrong += !faults::quantizes<double>(1'100'000, i % 2 ? 8 : 16, scale);
    });
  for (std::thread& caller : callers)
    caller.join();
  EXPECT_EQ(wrong, 0);
}

struct Receiver {
  std::atomic<bool> is_set{false};
  std::atomic<int> received{0}, received_too_late{0};
};

void receive(const char*, void* user) {
  auto& receiver = *static_cast<Receiver*>(user);
  ++receiver.received;
  std::this_thread::yield(); // time to be taken away in
  receiver.received_too_late += !receiver.is_set;
}

/// When GFPQ_SetMessageSink returns, nobody is in the former sink, nor will be.
TEST(Threads, ReportWhileTheSinkChanges) {
  GFPQ_NEED_MESSAGE_SINK();
  Receiver receivers[2];
  setenv("GFPQ_MESSAGES", "none", 1);
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&stop] {
      while (!stop)
        static_cast<void>(HI_GFPQ_GetInfo(nullptr));
    });
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  const auto received = [&] { return receivers[0].received + receivers[1].received; };
  for (int changes = 0; std::chrono::steady_clock::now() < end || received() < 50; ++changes) {
    Receiver &former = receivers[changes % 2], &next = receivers[(changes + 1) % 2];
    next.is_set = true;
    GFPQ_SetMessageSink(changes % 3 == 0 ? nullptr : receive, &next);
    former.is_set = false;
  }
  GFPQ_SetMessageSink(nullptr, nullptr);
  stop = true;
  for (std::thread& caller : callers)
    caller.join();
  EXPECT_EQ(receivers[0].received_too_late + receivers[1].received_too_late, 0);
}

} // namespace
