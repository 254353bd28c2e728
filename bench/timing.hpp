// The clock, and what is made of several times.
#ifndef GFPQ_BENCH_TIMING_HPP
#define GFPQ_BENCH_TIMING_HPP

#include <algorithm>
#include <chrono>
#include <cmath>
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

/// The interval of order statistics that holds the true median of what is repeated with at least 95 %, whatever the
/// distribution: the number of values below the median is binomial. All of the values where they are fewer than six.
struct Interval {
  double low, high, coverage;
};

inline Interval interval_of_median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t number = values.size();
  double chance = std::ldexp(1.0, -static_cast<int>(number)); // that exactly `left_out` values are below the median
  double coverage = 1 - 2 * chance;
  std::size_t left_out = 0;
  while (2 * (left_out + 1) < number) {
    chance *= static_cast<double>(number - left_out) / static_cast<double>(left_out + 1);
    if (coverage - 2 * chance < 0.95)
      break;
    coverage -= 2 * chance;
    ++left_out;
  }
  return {values[left_out], values[number - 1 - left_out], coverage};
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
