// What is right, from the golden ladders: an oracle that shares nothing with the library's code.
#ifndef GFPQ_CONFORMANCE_ORACLE_ORACLE_HPP
#define GFPQ_CONFORMANCE_ORACLE_ORACLE_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "gfpq.hpp"
#include "oracle/widths.hpp"

namespace conformance {

template <class Float>
using BitsOf = std::conditional_t<sizeof(Float) == 4, std::uint32_t, std::uint64_t>;

template <class Float>
BitsOf<Float> bits_of(Float number) {
  BitsOf<Float> bits;
  std::memcpy(&bits, &number, sizeof bits);
  return bits;
}

template <class Float>
Float from_pattern(BitsOf<Float> bits) {
  Float number;
  std::memcpy(&number, &bits, sizeof number);
  return number;
}

/// The number `steps` representable numbers further from zero (nearer where negative).
template <class Float>
Float away_from_zero(Float number, int steps) {
  return from_pattern<Float>(bits_of(number) + static_cast<BitsOf<Float>>(steps));
}

/// Magnitudes in order, which are searched within a power of two.
template <class Float>
class SortedMagnitudes {
public:
  SortedMagnitudes() = default;
  explicit SortedMagnitudes(std::vector<Float> sorted);

  const std::vector<Float>& values() const { return values_; }
  std::size_t count_below(Float magnitude) const;
  std::size_t count_at_most(Float magnitude) const;

private:
  static std::size_t octave(Float magnitude) {
    return static_cast<std::size_t>(bits_of(magnitude) >> (std::numeric_limits<Float>::digits - 1));
  }
  auto begin(std::size_t octave) const { return values_.begin() + static_cast<std::ptrdiff_t>(begins_.at(octave)); }

  std::vector<Float> values_;
  std::vector<std::size_t> begins_; // of each octave
};

/// The delta that a block holds: its second word, little-endian.
int delta_of(const GFPQ_PARAM_ST& param);

/// All of one width and type. What takes an exponent or a delta throws std::out_of_range for one beyond the ladder.
template <class Float>
class Oracle {
public:
  explicit Oracle(const Width& width);

  int bits() const { return width_.bits; }
  int steps() const { return width_.steps; }             ///< S
  int max_code() const { return width_.max_code; }       ///< K
  int delta_limit() const { return width_.delta_limit; } ///< R
  int lowest_exponent() const { return -delta_limit(); }
  int highest_exponent() const { return delta_limit() + max_code(); }

  /// 2^(exponent/S), correctly rounded.
  Float value(int exponent) const { return values_.at(index(exponent)); }
  /// The smallest number above the threshold between exponent-1 and exponent, and the one below the threshold.
  Float above_threshold(int exponent) const {
    return exponent == lowest_exponent() ? -std::numeric_limits<Float>::infinity()
                                         : thresholds_.values().at(index(exponent) - 1);
  }
  Float below_threshold(int exponent) const { return away_from_zero(above_threshold(exponent), -1); }
  /// The number of the largest magnitude that becomes zero.
  Float positive_zero(int delta) const { return positive_zeros_.at(index(delta)); }
  Float negative_zero(int delta) const { return negative_zeros_.at(index(delta)); }
  /// The smallest maximum that asks for delta.
  Float smallest_maximum(int delta) const { return smallest_maxima_.at(index(delta)); }
  /// The block that holds delta, with a mode.
  GFPQ_PARAM_ST param(unsigned mode, int delta) const;

  Float quantize(Float number, int delta) const;
  std::vector<Float> quantize(const std::vector<Float>& numbers, int delta) const;
  /// The delta that the data ask for.
  int delta(const std::vector<Float>& numbers) const;

  /// The exponent nearest to a magnitude, within the whole ladder.
  int nearest_exponent(Float magnitude) const;
  /// How many numbers lie between a magnitude and the nearest threshold, end of a zero zone, or step of the delta rule;
  /// these are one set of borders for all deltas.
  std::uint64_t distance_to_border(Float magnitude) const;

private:
  std::size_t index(int exponent_or_delta) const { // of one below the lowest: beyond every vector's end
    return static_cast<std::size_t>(static_cast<std::int64_t>(exponent_or_delta) + delta_limit());
  }

  Width width_;
  std::vector<Float> values_;                                            // by exponent
  std::vector<Float> positive_zeros_, negative_zeros_, smallest_maxima_; // by delta
  std::vector<GFPQ_PARAM_ST> params_;
  SortedMagnitudes<Float> thresholds_, borders_; // below the first exponent there is no threshold
};

/// Shared, read at the first use. Throws std::invalid_argument for a width that is not in the list.
template <class Float>
const Oracle<Float>& oracle(int bits);

} // namespace conformance

#endif
