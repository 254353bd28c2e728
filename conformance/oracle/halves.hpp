// The half types by the definition of their formats: an oracle that shares nothing with the library's code.
#ifndef GFPQ_CONFORMANCE_ORACLE_HALVES_HPP
#define GFPQ_CONFORMANCE_ORACLE_HALVES_HPP

#include <cstdint>

namespace conformance {

/// By its bit pattern: a sign, exponent_bits and fraction_bits.
template <int exponent_bits_, int fraction_bits_>
struct Half {
  static constexpr int exponent_bits = exponent_bits_, fraction_bits = fraction_bits_;
  static constexpr std::uint16_t sign = 0x8000, infinity = ((1u << exponent_bits) - 1) << fraction_bits;
  std::uint16_t bits;
};
using Float16 = Half<5, 10>;
using BFloat16 = Half<8, 7>;

/// The number that a half type's is; every one is a float.
template <class HalfType>
float widened(HalfType half);

/// The number of the half type that is nearest to a float, of two the even one: infinity from halfway to the number
/// that would follow the largest. NaN gives NaN.
template <class HalfType>
HalfType rounded(float number);

} // namespace conformance

#endif
