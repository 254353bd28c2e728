#include "team.hpp"

#include <sched.h>

#include <cerrno>

namespace bench {
namespace {

void wait(sem_t& semaphore) {
  while (sem_wait(&semaphore) != 0 && errno == EINTR) {
  }
}

} // namespace

Team::Team() { sem_init(&done_, 0, 0); }

Team::~Team() {
  work_ = nullptr;
  for (Worker& worker : workers_)
    sem_post(&worker.wake);
  for (Worker& worker : workers_) {
    worker.thread.join();
    sem_destroy(&worker.wake);
  }
  sem_destroy(&done_);
}

void Team::run(std::size_t members, const std::function<void(std::size_t)>& work) {
  while (workers_.size() + 1 < members) {
    Worker& worker = workers_.emplace_back();
    sem_init(&worker.wake, 0, 0);
    worker.thread = std::thread(&Team::serve, this, workers_.size(), std::ref(worker.wake));
    kept_off_cpu_ = -1;
  }
  keep_off_this_cpu();
  work_ = &work;
  members_ = members;
  busy_ = members - 1;
  wake_next(0);
  work(0);
  if (members > 1)
    wait(done_);
}

void Team::serve(std::size_t member, sem_t& wake) {
  for (wait(wake); work_ != nullptr; wait(wake)) {
    wake_next(member);
    (*work_)(member);
    if (--busy_ == 0)
      sem_post(&done_);
  }
}

/// Linux may let a thread that wakes up wait for the one that woke it, on one CPU, while others are idle.
void Team::keep_off_this_cpu() {
  const int this_cpu = sched_getcpu();
  if (this_cpu == kept_off_cpu_) // as it is, but for the first time and where this thread was moved
    return;
  kept_off_cpu_ = this_cpu;
  cpu_set_t cpus;
  if (this_cpu < 0 || sched_getaffinity(0, sizeof cpus, &cpus) != 0)
    return;
  if (static_cast<std::size_t>(CPU_COUNT(&cpus)) > workers_.size()) // else they share CPUs anyway
    CPU_CLR(static_cast<std::size_t>(this_cpu), &cpus);
  for (Worker& worker : workers_)
    pthread_setaffinity_np(worker.thread.native_handle(), sizeof cpus, &cpus);
}

/// Each wakes two others, so that the last one is awake after few steps.
void Team::wake_next(std::size_t member) {
  for (std::size_t next = 2 * member + 1; next <= 2 * member + 2 && next < members_; ++next)
    sem_post(&workers_[next - 1].wake);
}

} // namespace bench
