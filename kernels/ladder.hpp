// The ladder of GFPQ values and the scalar rule: the one definition of the arithmetic.
//
// Everything works on bit patterns, so that results are exact by construction: no floating-point operation, no math
// library, no standard header. The same text compiles for the host and, as CUDA, for the device.
#ifndef GFPQ_KERNELS_LADDER_HPP
#define GFPQ_KERNELS_LADDER_HPP

#include "ladder_table.hpp"
#include "widths.hpp"

#if defined(__CUDACC__) || defined(__CUDA__)
#define GFPQ_HOST_DEVICE __host__ __device__
#else
#define GFPQ_HOST_DEVICE
#endif

namespace gfpq {

/// A binary floating-point format, by the fields of its bit pattern.
template <class Float>
struct Format;

template <>
struct Format<float> {
  using Bits = unsigned int;
  using Signed = int;
  static constexpr int fraction_bits = 23;
  static constexpr int bias = 127;
  static constexpr Bits sign = 0x80000000u;
  static constexpr Bits infinity = 0x7f800000u;
  static constexpr Bits one_millionth = 0x358637bdu;
};

template <>
struct Format<double> {
  using Bits = unsigned long long;
  using Signed = long long;
  static constexpr int fraction_bits = 52;
  static constexpr int bias = 1023;
  static constexpr Bits sign = 0x8000000000000000u;
  static constexpr Bits infinity = 0x7ff0000000000000u;
  static constexpr Bits one_millionth = 0x3eb0c6f7a0b5ed8du;
};

/// The fraction fields of one octave [1, 2); every other octave has the same.
template <class Float, class Width>
struct Octave {
  using F = Format<Float>;
  using Bits = typename F::Bits;

  Bits value[Width::steps]; ///< 2^(i/S), rounded to nearest
  Bits power[Width::steps]; ///< 2^(i/S), rounded down; exact for i = 0 alone
  Bits
      middle[Width::steps]; ///< 2^((i+1/2)/S), rounded down, never exact: from the next number on, i+1 is nearer than i

  static_assert(power_of_two_steps % (2 * Width::steps) == 0,
                "the ladder table holds each value and each middle of two: 2S divides its steps");

  constexpr Octave() : value(), power(), middle() {
    constexpr int dropped = 63 - F::fraction_bits;
    constexpr Bits fraction = (Bits(1) << F::fraction_bits) - 1;
    constexpr int stride = power_of_two_steps / Width::steps;
    for (int i = 0; i < Width::steps; ++i) {
      const unsigned long long exact = power_of_two[i * stride];
      power[i] = Bits(exact >> dropped) & fraction;
      middle[i] = Bits(power_of_two[i * stride + stride / 2] >> dropped) & fraction;
      // The table is rounded down, but an irrational power whose half bit is set is above the half.
      value[i] = Bits((exact + (1ull << (dropped - 1))) >> dropped) & fraction;
    }
  }

  /// Whether all entries ascend, a middle between its values: so they are told apart, found by count_below(), and each
  /// value and power is itself nearest to its step.
  constexpr bool ascends() const {
    for (int i = 0; i < Width::steps; ++i) {
      const Bits next = i + 1 < Width::steps ? power[i + 1] : Bits(1) << F::fraction_bits;
      if (power[i] > value[i] || value[i] > middle[i] || middle[i] >= next)
        return false;
    }
    return power[0] == 0;
  }
};

/// How many of an octave's ascending entries are below `field`.
template <int size, class Bits>
GFPQ_HOST_DEVICE constexpr int count_below(const Bits (&entries)[size], Bits field) {
  int count = 0;
  for (int step = size / 2; step > 0; step /= 2)
    if (entries[count + step - 1] < field)
      count += step;
  return count + (entries[count] < field);
}

/// The rule for one format and width. Numbers come and go as bit patterns.
template <class Float, class Width>
class Ladder {
public:
  using F = Format<Float>;
  using Bits = typename F::Bits;

  /// The bits of 2^(exponent/S), rounded to nearest.
  GFPQ_HOST_DEVICE constexpr Bits value(int exponent) const { return power_bits(octave_.value, exponent); }

  /// The largest magnitude that becomes zero where `lowest` is the smallest exponent: 2^(lowest/S) / 2, rounded down.
  GFPQ_HOST_DEVICE constexpr Bits zero_limit(int lowest) const {
    return power_bits(octave_.power, lowest - Width::steps);
  }

  /// The integer nearest to S*log2(magnitude), of a normal number or infinity.
  GFPQ_HOST_DEVICE constexpr int nearest_exponent(Bits magnitude) const {
    return octave_exponent(magnitude) + count_below(octave_.middle, fraction(magnitude));
  }

  /// The delta that the largest magnitude of a tensor asks for, but no less than `lowest_delta`; 0 stands for a tensor
  /// of zeros.
  GFPQ_HOST_DEVICE constexpr int delta(Bits maximum, int lowest_delta = -Width::delta_limit) const {
    if (maximum == 0)
      maximum = F::one_millionth;
    // Denormal numbers come out far too low, and end at the limit as they should.
    const Bits field = fraction(maximum);
    const int exponent = octave_exponent(maximum) + count_below(octave_.power, field) - (field != 0);
    return clamp(exponent - Width::max_code, lowest_delta, Width::delta_limit);
  }

  /// The largest magnitude that asks for no more than `delta`: up to there it stays as it is.
  GFPQ_HOST_DEVICE constexpr Bits largest_within(int delta) const {
    if (delta >= Width::delta_limit)
      return F::infinity;
    const Bits power = power_bits(octave_.power, delta + Width::max_code + 1);
    return fraction(power) == 0 ? power - 1 : power; // the others are rounded down
  }

  /// Fake-quantizes one number.
  GFPQ_HOST_DEVICE constexpr Bits fake_quantize(Bits number, int delta) const {
    const Bits sign = number & F::sign;
    const Bits magnitude = number ^ sign;
    const int lowest = delta + (sign != 0); // the code of "minus 0" is taken by zero
    const bool is_nan = magnitude > F::infinity;
    if (is_nan || magnitude <= zero_limit(lowest))
      return 0;
    return sign | value(clamp(nearest_exponent(magnitude), lowest, delta + Width::max_code));
  }

private:
  // From half of the lowest value to the highest.
  static constexpr int lowest_octave = -((Width::delta_limit + 2 * Width::steps - 1) / Width::steps);
  static constexpr int highest_octave = (Width::delta_limit + Width::max_code) / Width::steps;
  static_assert(lowest_octave > -F::bias && highest_octave <= F::bias,
                "every delta's ladder, down to half of its lowest value, is one of normal numbers");

  static constexpr Bits fraction_mask = (Bits(1) << F::fraction_bits) - 1;

  GFPQ_HOST_DEVICE static constexpr Bits fraction(Bits magnitude) { return magnitude & fraction_mask; }

  /// S*log2 of the power of two at or below a normal magnitude.
  GFPQ_HOST_DEVICE static constexpr int octave_exponent(Bits magnitude) {
    return (int(magnitude >> F::fraction_bits) - F::bias) * Width::steps;
  }

  GFPQ_HOST_DEVICE static constexpr int clamp(int number, int low, int high) {
    return number < low ? low : number > high ? high : number;
  }

  /// The magnitude with the exponent's octave and its entry of `fields`. The ladder stays within the normal numbers.
  GFPQ_HOST_DEVICE static constexpr Bits power_bits(const Bits (&fields)[Width::steps], int exponent) {
    const unsigned biased = unsigned(exponent + F::bias * Width::steps);
    return Bits(biased / Width::steps) << F::fraction_bits | fields[biased % Width::steps];
  }

  Octave<Float, Width> octave_;
};

template <class Float, class Width>
inline constexpr Ladder<Float, Width> ladder{};

#define GFPQ_INSTANTIATE(Float, Width)                                                                                 \
  static_assert(Octave<Float, Width>().ascends(), #Float " tells the steps of " #Width " apart");
GFPQ_INSTANTIATE_ALL
#undef GFPQ_INSTANTIATE

} // namespace gfpq

#endif
