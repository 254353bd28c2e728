// The loops that measure the machine, once for each instruction set.
#ifndef GFPQ_BENCH_LIMIT_LOOPS_HPP
#define GFPQ_BENCH_LIMIT_LOOPS_HPP

#include <stddef.h>

namespace bench {

/// Where a line is asked for before its use: nowhere (the machine's own prefetcher is trusted), into the innermost
/// cache (as a line that will be written, where it will be), or into the second one.
enum class Prefetch { none, innermost, second };

template <class Float>
struct Loops {
  /// data[i] *= factor. `ahead`: how many bytes before its use a line is asked for.
  void (*scale)(Float* data, size_t count, Float factor, Prefetch prefetch, size_t ahead);

  /// The largest |data[i]|; no NaN.
  Float (*max)(const Float* data, size_t count, Prefetch prefetch, size_t ahead);
};

struct AllLoops {
  Loops<float> f32;
  Loops<double> f64;

  /// Copies without reading the lines that it writes, and past the caches; null where there are no such stores. `to` is
  /// at the begin of a line.
  void (*stream)(void* to, const void* from, size_t bytes);
};

extern const AllLoops baseline_loops;
extern const AllLoops avx2_loops;
extern const AllLoops avx512_loops;

} // namespace bench

#endif
