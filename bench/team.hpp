// Threads that wait, without using a CPU, until there is work.
#ifndef GFPQ_BENCH_TEAM_HPP
#define GFPQ_BENCH_TEAM_HPP

#include <semaphore.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <thread>

namespace bench {

/// Made once and kept: what a call costs is that threads wake up, as in a library that keeps its threads, and not that
/// they are created. They sleep between calls: OpenMP's would spin for a while, and take the CPUs from the library that
/// is measured next.
class Team {
public:
  Team();
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  /// Calls work(0) on this thread and work(1) to work(members - 1) on one each, always the same.
  void run(std::size_t members, const std::function<void(std::size_t)>& work);

private:
  struct Worker {
    sem_t wake;
    std::thread thread;
  };

  void serve(std::size_t member, sem_t& wake);
  void wake_next(std::size_t member);
  void keep_off_this_cpu();

  std::deque<Worker> workers_; ///< member 1, 2, ...
  int kept_off_cpu_ = -1;
  const std::function<void(std::size_t)>* work_ = nullptr; ///< null: end
  std::size_t members_ = 0;
  std::atomic<std::size_t> busy_{0};
  sem_t done_;
};

} // namespace bench

#endif
