#include "limits.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <vector>

#include "team.hpp"

#ifdef GFPQ_BENCH_X86
#include "kernels/cpu/x86_features.hpp"
#endif

namespace bench {
namespace {

// Read at run time, so that no compiler knows that nothing changes.
volatile double factor_one = 1;

const AllLoops& loops_of_machine() {
#ifdef GFPQ_BENCH_X86
  if (gfpq::x86_features().has_avx512)
    return avx512_loops;
  if (gfpq::x86_features().has_avx2)
    return avx2_loops;
#endif
  return baseline_loops;
}

const AllLoops& all_loops() {
  static const AllLoops& all = loops_of_machine();
  return all;
}

template <class Float>
const Loops<Float>& loops() {
  if constexpr (sizeof(Float) == sizeof(float))
    return all_loops().f32;
  else
    return all_loops().f64;
}

Team& kept_team() {
  static Team team;
  return team;
}

/// Calls part(begin, end) on each thread, with parts of whole cache lines.
template <class Part>
void split(std::size_t count, std::size_t element_size, int threads, const Part& part) {
  const std::size_t line = std::max<std::size_t>(1, 64 / element_size);
  const auto team = static_cast<std::size_t>(threads);
  const std::size_t size = team == 1 ? count : (count / team + line) / line * line;
  const auto run = [&](std::size_t member) {
    const std::size_t begin = std::min(count, member * size);
    part(begin, std::min(count, begin + size));
  };
  if (team == 1)
    run(0);
  else
    kept_team().run(team, run);
}

template <class Float>
void scale(Float* data, std::size_t count, const LimitLoop& loop) {
  const auto factor = static_cast<Float>(factor_one);
  split(count, sizeof(Float), loop.threads, [&](std::size_t begin, std::size_t end) {
    loops<Float>().scale(data + begin, end - begin, factor, loop.prefetch, loop.ahead);
  });
}

template <class Float>
Float max(const Float* data, std::size_t count, const LimitLoop& loop) {
  if (loop.threads == 1)
    return loops<Float>().max(data, count, loop.prefetch, loop.ahead);
  Float largest = 0;
  std::mutex mutex;
  split(count, sizeof(Float), loop.threads, [&](std::size_t begin, std::size_t end) {
    const Float part = loops<Float>().max(data + begin, end - begin, loop.prefetch, loop.ahead);
    const std::lock_guard<std::mutex> lock(mutex);
    largest = std::max(largest, part);
  });
  return largest;
}

void stream(void* to, const void* from, std::size_t bytes, int threads) {
  split(bytes, 1, threads, [&](std::size_t begin, std::size_t end) {
    all_loops().stream(static_cast<char*>(to) + begin, static_cast<const char*>(from) + begin, end - begin);
  });
}

} // namespace

std::string LimitLoop::describe(Op op) const {
  std::string text = name_of(op);
  if (op == Op::copy)
    text += streams ? ", streaming stores" : ", memcpy";
  else if (prefetch == Prefetch::none)
    text += ", plain";
  else
    text += ", prefetch " + std::to_string(ahead) + (prefetch == Prefetch::innermost ? " bytes to L1" : " bytes to L2");
  return text + ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
}

std::vector<LimitLoop> limit_loops(Op op, std::size_t bytes, int threads) {
  // With less than the first, one thread is done before another has woken up; with more than the second, all are
  // faster.
  constexpr std::size_t split_from = 1 << 16;
  constexpr std::size_t split_always_from = 1 << 23;
  std::vector<int> thread_counts;
  if (bytes >= split_from) // all is too many for some sizes and machines
    for (int fewer = bytes < split_always_from ? 1 : 2; fewer < threads; fewer *= 2)
      thread_counts.push_back(fewer);
  thread_counts.push_back(bytes < split_from ? 1 : threads);

  std::vector<LimitLoop> result;
  for (const int used : thread_counts) {
    result.push_back({Prefetch::none, 0, used});
    if (op == Op::copy) { // memcpy brings its own prefetches, and may stream or not
      if (all_loops().stream != nullptr)
        result.push_back({Prefetch::none, 0, used, true});
      continue;
    }
    for (const Prefetch prefetch : {Prefetch::innermost, Prefetch::second})
      for (const std::size_t ahead : {8192, 16384})
        result.push_back({prefetch, ahead, used});
  }
  return result;
}

template <class Float>
Float run_limit(Op op, const LimitLoop& loop, Float* data, Float* other, std::size_t count) {
  switch (op) {
  case Op::copy:
    (loop.streams ? stream : copy_bytes)(other, data, count * sizeof(Float), loop.threads);
    return 0;
  case Op::max:
    return max(data, count, loop);
  case Op::max_scale: {
    const Float largest = max(data, count, loop);
    scale(data, count, loop);
    return largest;
  }
  default:
    scale(data, count, loop);
    return 0;
  }
}

template float run_limit(Op, const LimitLoop&, float*, float*, std::size_t);
template double run_limit(Op, const LimitLoop&, double*, double*, std::size_t);

void copy_bytes(void* to, const void* from, std::size_t bytes, int threads) {
  split(bytes, 1, threads, [&](std::size_t begin, std::size_t end) {
    std::memcpy(static_cast<char*>(to) + begin, static_cast<const char*>(from) + begin, end - begin);
  });
}

} // namespace bench
