// The clock, and what is made of several times.
#ifndef GFPQ_BENCH_TIMING_HPP
#define GFPQ_BENCH_TIMING_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

inline double median(std::vector<double> times) {
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return times.size() % 2 == 1 ? *middle : (*middle + *std::max_element(times.begin(), middle)) / 2;
}

/// What a quarter of the times is below: of few times, less moved than the median by whatever else the machine does.
inline double quartile(std::vector<double> times) {
  const auto quarter = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 4);
  std::nth_element(times.begin(), quarter, times.end());
  return *quarter;
}

/// Seconds that an empty interval seems to take.
inline double measure_clock_cost() {
  std::vector<double> times;
  for (int i = 0; i < 1001; ++i)
    times.push_back(seconds_since(Clock::now()));
  return median(times);
}

} // namespace bench

#endif
