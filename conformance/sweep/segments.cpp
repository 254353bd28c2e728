#include "segments.hpp"

#include <limits>

namespace conformance {

template <class Float>
std::vector<Segment<Float>> segments(const Oracle<Float>& oracle, int delta) {
  using Bits = BitsOf<Float>;
  const Bits infinity = bits_of(std::numeric_limits<Float>::infinity());
  std::vector<Segment<Float>> result;
  const auto extend_to = [&](Bits last, Bits want) {
    result.push_back({result.empty() ? Bits(0) : Bits(result.back().last + 1), last, want});
  };
  for (const bool negative : {false, true}) {
    const Bits sign = negative ? bits_of(Float(-0.0)) : 0;
    const int low = delta + (negative ? 1 : 0), high = delta + oracle.max_code();
    extend_to(bits_of(negative ? oracle.negative_zero(delta) : oracle.positive_zero(delta)), 0);
    for (int exponent = low; exponent < high; ++exponent)
      extend_to(sign | bits_of(oracle.below_threshold(exponent + 1)), sign | bits_of(oracle.value(exponent)));
    extend_to(sign | infinity, sign | bits_of(oracle.value(high)));
    extend_to(sign | (bits_of(Float(-0.0)) - 1), 0); // NaN
  }
  return result;
}

template std::vector<Segment<float>> segments(const Oracle<float>&, int);
template std::vector<Segment<double>> segments(const Oracle<double>&, int);

} // namespace conformance
