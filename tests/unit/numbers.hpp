// The numbers that matter to a test of the arithmetic: thresholds and their neighbours, values, zero limits, specials.
#ifndef GFPQ_TESTS_UNIT_NUMBERS_HPP
#define GFPQ_TESTS_UNIT_NUMBERS_HPP

#include <cstring>
#include <random>
#include <vector>

#include "kernels/ladder.hpp"

namespace gfpq {

template <class Float>
using BitsOf = typename Format<Float>::Bits;

template <class Float>
Float from_bits(BitsOf<Float> bits) {
  Float number;
  std::memcpy(&number, &bits, sizeof number);
  return number;
}

template <class Float>
BitsOf<Float> to_bits(Float number) {
  BitsOf<Float> bits;
  std::memcpy(&bits, &number, sizeof bits);
  return bits;
}

/// Both ends, the middle, and some without a pattern.
template <class Width>
std::vector<int> spread_of_deltas() {
  return {-Width::delta_limit,
          -Width::delta_limit + 1,
          -Width::delta_limit / 3,
          -101,
          -16,
          -1,
          0,
          1,
          7,
          89,
          16 * Width::steps + 5,
          Width::delta_limit - 131,
          Width::delta_limit - 1,
          Width::delta_limit};
}

/// The smallest number that is nearer to exponent + 1 than to exponent.
template <class Float, class Width>
BitsOf<Float> threshold_bits(int exponent) {
  static constexpr Octave<Float, Width> octave;
  const unsigned biased = unsigned(exponent + Format<Float>::bias * Width::steps);
  return (BitsOf<Float>(biased / Width::steps) << Format<Float>::fraction_bits | octave.middle[biased % Width::steps]) +
         1;
}

/// All numbers where a result for `delta` changes, and three to either side; with both signs.
template <class Float, class Width>
std::vector<BitsOf<Float>> decisive_numbers(int delta) {
  using F = Format<Float>;
  std::vector<BitsOf<Float>> numbers;
  const auto add = [&](BitsOf<Float> around) {
    for (int ulps = -3; ulps <= 3; ++ulps)
      for (const BitsOf<Float> sign : {BitsOf<Float>(0), F::sign})
        numbers.push_back((around + BitsOf<Float>(ulps)) ^ sign);
  };
  for (int e = delta - 2 * Width::steps; e <= delta + Width::max_code + Width::steps; ++e) {
    add(threshold_bits<Float, Width>(e));
    add(ladder<Float, Width>.value(e));
  }
  for (const int lowest : {delta, delta + 1})
    add(ladder<Float, Width>.zero_limit(lowest));
  for (const auto special : {BitsOf<Float>(0), BitsOf<Float>(1) << F::fraction_bits, F::infinity,
                             F::infinity | BitsOf<Float>(1) << (F::fraction_bits - 1), ~F::sign, F::one_millionth})
    add(special);
  return numbers;
}

/// Bit patterns of every kind: any at all, denormal, near the ladder of `delta`.
template <class Float, class Width>
std::vector<BitsOf<Float>> random_numbers(int delta, std::size_t count, unsigned seed) {
  using F = Format<Float>;
  std::mt19937_64 engine(seed);
  const auto low = ladder<Float, Width>.value(delta - 2 * Width::steps),
             high = ladder<Float, Width>.value(delta + Width::max_code);
  const auto spread = high + (BitsOf<Float>(1) << F::fraction_bits) - low;
  std::vector<BitsOf<Float>> numbers(count);
  for (auto& number : numbers) {
    const auto any = BitsOf<Float>(engine());
    switch (engine() % 8) {
    case 0:
      number = any;
      break;
    case 1:
      number = any & (F::sign | ((BitsOf<Float>(1) << F::fraction_bits) - 1));
      break;
    default:
      number = (any & F::sign) | (low + (any & ~F::sign) % spread);
    }
  }
  return numbers;
}

} // namespace gfpq

#endif
