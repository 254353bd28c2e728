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
#endif

namespace gfpq {

/// Calls `work()`, which must live as long as it, in a new thread, if the system has one to spare; ends with it.
template <class Work>
class Thread {
public:
  explicit Thread(const Work& work) noexcept {
    void* const argument = const_cast<Work*>(&work);
#ifdef _WIN32
    thread_ = CreateThread(nullptr, 0, run, argument, 0, nullptr);
    is_started_ = thread_ != nullptr;
#else
    is_started_ = pthread_create(&thread_, nullptr, run, argument) == 0;
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
  static DWORD WINAPI run(void* work) {
    (*static_cast<const Work*>(work))();
    return 0;
  }
  HANDLE thread_;
#else
  static void* run(void* work) {
    (*static_cast<const Work*>(work))();
    return nullptr;
  }
  pthread_t thread_;
#endif
  bool is_started_;
};

} // namespace gfpq

#endif
