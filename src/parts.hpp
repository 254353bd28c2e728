// Work on the parts of a large tensor, each on a thread of its own.
//
// The threads live as long as the call. A pool that outlives it would hang in a forked child, which has none of its
// parent's threads, and crash where the library is unloaded; and OpenMP's ends the process when the system refuses it a
// thread. Here the thread that was refused another does the work of both.
#ifndef GFPQ_SRC_PARTS_HPP
#define GFPQ_SRC_PARTS_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "thread.hpp"

namespace gfpq {

/// The number at or before data[at] that begins a cache line, so that no two threads write to one.
template <class Float>
std::size_t line_before(const Float* data, std::size_t at) {
  constexpr std::size_t cache_line = 64;
  const std::size_t beyond = reinterpret_cast<std::uintptr_t>(data + at) % cache_line / sizeof(Float);
  return beyond < at ? at - beyond : at;
}

/// Calls `work(part, size)` on parts that together are the tensor: as many as there are threads to use, or fewer. The
/// thread works on half of the tensor and passes the other half to a new one, and so on, so that all start within the
/// time that a few need.
template <class Float, class Work>
void for_each_part(Float* data, std::size_t count, std::size_t threads, const Work& work) noexcept {
  if (threads > 1) {
    const std::size_t middle = line_before(data, count / threads * (threads / 2));
    const auto other_half = [=, &work] { for_each_part(data + middle, count - middle, threads - threads / 2, work); };
    const Thread other(other_half, threads);
    if (!other.is_started())
      return work(data, count);
    return for_each_part(data, middle, threads / 2, work); // and wait for the other
  }
  work(data, count);
}

/// Raises a maximum that several threads share.
template <class Number>
void raise(std::atomic<Number>& maximum, Number to) {
  Number former = maximum;
  while (former < to && !maximum.compare_exchange_weak(former, to)) {
  }
}

} // namespace gfpq

#endif
