// A thread that needs no memory from the heap and throws nothing: where memory is refused, an older C library ends the
// process at the first exception, which needs data of its own for the thread.
#ifndef GFPQ_SRC_THREAD_HPP
#define GFPQ_SRC_THREAD_HPP

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <pthread.h>
#include <sched.h>
#endif

#include <atomic>
#include <cstddef>

namespace gfpq {

/// Calls `work()`, which must live as long as it, in a new thread, if the system has one to spare; ends with it.
template <class Work>
class Thread {
public:
  /// `threads`: how many there will be with those that the new one and its creator start, these two among them.
  Thread(const Work& work, [[maybe_unused]] std::size_t threads) noexcept : work_(work) {
#ifdef _WIN32
    thread_ = CreateThread(nullptr, 0, run, this, 0, nullptr);
    is_started_ = thread_ != nullptr;
#else
    is_started_ = pthread_create(&thread_, nullptr, run, this) == 0;
#ifdef __linux__
    if (is_started_)
      keep_off_this_cpu(threads);
#endif
    is_placed_ = true;
#endif
  }
  ~Thread() {
    if (!is_started_)
      return;
#ifdef _WIN32
    WaitForSingleObject(thread_, INFINITE);
    CloseHandle(thread_);
#else
    pthread_join(thread_, nullptr);
#endif
  }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  bool is_started() const { return is_started_; }

private:
#ifdef _WIN32
  static DWORD WINAPI run(void* thread) {
    static_cast<const Thread*>(thread)->work_();
    return 0;
  }
  HANDLE thread_;
#else
  static void* run(void* argument) {
    const Thread& thread = *static_cast<const Thread*>(argument);
    thread.work_();
    while (!thread.is_placed_) // to place a thread that has ended places the one that calls
      sched_yield();
    return nullptr;
  }

#ifdef __linux__
  /// Linux may queue a new thread behind its creator, on one CPU, while others are idle; then nothing is won.
  void keep_off_this_cpu(std::size_t threads) const {
    cpu_set_t cpus;
    const int this_cpu = sched_getcpu();
    if (this_cpu < 0 || sched_getaffinity(0, sizeof cpus, &cpus) != 0 || std::size_t(CPU_COUNT(&cpus)) < threads)
      return;
    CPU_CLR(std::size_t(this_cpu), &cpus);
    pthread_setaffinity_np(thread_, sizeof cpus, &cpus); // where that is refused, it stays as it was
  }
#endif

  pthread_t thread_;
  std::atomic<bool> is_placed_{false};
#endif
  const Work& work_;
  bool is_started_;
};

} // namespace gfpq

#endif
