#include "oracle/halves.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace conformance {
namespace {

/// A finite magnitude by its pattern. For infinity's, the number that would follow the largest.
template <class HalfType>
double magnitude_of(unsigned pattern) {
  const int bias = (1 << (HalfType::exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(pattern >> HalfType::fraction_bits);
  const unsigned fraction = pattern & ((1u << HalfType::fraction_bits) - 1);
  const unsigned significand = exponent == 0 ? fraction : fraction | 1u << HalfType::fraction_bits;
  return std::ldexp(significand, std::max(exponent, 1) - bias - HalfType::fraction_bits);
}

} // namespace

template <class HalfType>
float widened(HalfType half) {
  const unsigned pattern = half.bits & ~static_cast<unsigned>(HalfType::sign);
  const double magnitude = pattern < HalfType::infinity    ? magnitude_of<HalfType>(pattern)
                           : pattern == HalfType::infinity ? std::numeric_limits<double>::infinity()
                                                           : std::numeric_limits<double>::quiet_NaN();
  return static_cast<float>((half.bits & HalfType::sign) != 0 ? -magnitude : magnitude);
}

template <class HalfType>
HalfType rounded(float number) {
  static const std::vector<double> magnitudes = [] {
    std::vector<double> all;
    for (unsigned pattern = 0; pattern <= HalfType::infinity; ++pattern)
      all.push_back(magnitude_of<HalfType>(pattern));
    return all;
  }();
  const unsigned sign = std::signbit(number) ? HalfType::sign : 0u;
  const double magnitude = std::fabs(static_cast<double>(number));
  unsigned pattern = HalfType::infinity;
  if (std::isnan(number)) {
    pattern = HalfType::infinity + 1u;
  } else if (magnitude < magnitudes.back()) {
    const auto above = std::upper_bound(magnitudes.begin(), magnitudes.end(), magnitude);
    pattern = static_cast<unsigned>(above - magnitudes.begin()) - 1;
    const double to_below = magnitude - magnitudes[pattern], to_above = *above - magnitude; // exact
    pattern += to_above < to_below || (to_above == to_below && pattern % 2 == 1) ? 1 : 0;
  }
  return {static_cast<std::uint16_t>(sign | pattern)};
}

template float widened(Float16);
template float widened(BFloat16);
template Float16 rounded(float);
template BFloat16 rounded(float);

} // namespace conformance
