// A GPU of threads of the host: runs the kernels' own text, a block at a time. Slow, but under ThreadSanitizer it finds
// what races there are within a block, and it needs no GPU.
#ifndef GFPQ_TESTS_GPU_EMULATION_HPP
#define GFPQ_TESTS_GPU_EMULATION_HPP

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#define GFPQ_CUDA_KERNELS 1
#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(threads)

struct EmulatedIndex {
  unsigned x;
};
inline thread_local EmulatedIndex threadIdx, blockIdx, gridDim;

/// Where the threads of a block wait for each other.
class EmulatedBarrier {
public:
  explicit EmulatedBarrier(unsigned threads) : threads_(threads) {}

  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    const unsigned round = round_;
    if (++waiting_ == threads_) {
      waiting_ = 0;
      ++round_;
      all_here_.notify_all();
    } else {
      all_here_.wait(lock, [&] { return round_ != round; });
    }
  }

private:
  const unsigned threads_;
  unsigned waiting_ = 0, round_ = 0;
  std::mutex mutex_;
  std::condition_variable all_here_;
};

inline EmulatedBarrier* emulated_barrier = nullptr;
inline void __syncthreads() { emulated_barrier->wait(); }
inline void __threadfence() {}
inline unsigned atomicInc(unsigned* counter, unsigned last) {
  const unsigned old = __atomic_load_n(counter, __ATOMIC_SEQ_CST); // no other block runs
  __atomic_store_n(counter, old >= last ? 0 : old + 1, __ATOMIC_SEQ_CST);
  return old;
}

template <class Bits>
Bits atomicCAS(Bits* cell, Bits old, Bits number) {
  std::this_thread::sleep_for(std::chrono::microseconds(std::random_device()() % 1000)); // so that others come between
  __atomic_compare_exchange_n(cell, &old, number, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return old;
}
template <class Bits>
Bits atomicExch(Bits* cell, Bits number) {
  return __atomic_exchange_n(cell, number, __ATOMIC_SEQ_CST);
}
template <class Number>
Number gfpq_peek(const Number* number) {
  return __atomic_load_n(number, __ATOMIC_RELAXED);
}

/// Runs a kernel. Blocks run in order, as a GPU may run them.
template <class Kernel, class... Arguments>
void emulate(unsigned blocks, unsigned threads, Kernel kernel, Arguments... arguments) {
  EmulatedBarrier barrier(threads);
  emulated_barrier = &barrier;
  std::vector<std::thread> team;
  for (unsigned thread = 0; thread < threads; ++thread)
    team.emplace_back([=, &barrier] {
      threadIdx.x = thread;
      gridDim.x = blocks;
      for (unsigned block = 0; block < blocks; ++block) {
        blockIdx.x = block;
        kernel(arguments...);
        barrier.wait();
      }
    });
  for (std::thread& thread : team)
    thread.join();
}

#endif
