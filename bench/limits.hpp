// What the machine can do with the same bytes: the limit that a library's calls are held against.
#ifndef GFPQ_BENCH_LIMITS_HPP
#define GFPQ_BENCH_LIMITS_HPP

#include <cstddef>
#include <string>
#include <vector>

#include "limit_loops.hpp"
#include "row.hpp"

namespace bench {

/// One way to run a limit.
struct LimitLoop {
  Prefetch prefetch = Prefetch::none;
  std::size_t ahead = 0; ///< bytes
  int threads = 1;
  bool streams = false; ///< a copy past the caches

  std::string describe(Op op) const;
};

/// All ways worth trying; which is fastest differs between machines, sizes and caches.
std::vector<LimitLoop> limit_loops(Op op, std::size_t bytes, int threads);

/// Runs a limit. The data stay as they are: the factor is 1. `copy` copies from `data` to `other`, which begins a line.
/// \return the largest |x| where the limit finds it, else 0.
template <class Float>
Float run_limit(Op op, const LimitLoop& loop, Float* data, Float* other, std::size_t count);

/// Copies with so many threads, split as the limits split.
void copy_bytes(void* to, const void* from, std::size_t bytes, int threads);

} // namespace bench

#endif
