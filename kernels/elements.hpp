// The types of a tensor's numbers: those that the kernels compute with, and the half types, which are computed in float
// and rounded to nearest even. By integers alone: no rounding mode, trap or flag of the caller has a part in it.
#ifndef GFPQ_KERNELS_ELEMENTS_HPP
#define GFPQ_KERNELS_ELEMENTS_HPP

#include "ladder.hpp"

namespace gfpq {

/// IEEE 754's binary16, by its bit pattern: 5 bits of exponent and 10 of fraction.
struct Float16 {
  unsigned short bits;
};

/// The upper half of a float.
struct BFloat16 {
  unsigned short bits;
};

/// What a type's numbers are computed in, and the way there and back, as bit patterns. The largest magnitude is found
/// among the patterns themselves, which order as the numbers do.
template <class Element>
struct ElementType {
  using Computed = Element;
  using Bits = typename Format<Element>::Bits;
  static constexpr bool is_computed_in_itself = true;
  GFPQ_HOST_DEVICE static constexpr Bits rounded(Bits computed) { return computed; }
};

template <>
struct ElementType<BFloat16> {
  using Computed = float;
  static constexpr bool is_computed_in_itself = false;
  static constexpr unsigned short infinity = 0x7f80;

  GFPQ_HOST_DEVICE static constexpr unsigned computed(BFloat16 number) { return unsigned(number.bits) << 16; }

  /// The nearest number to a float that is not NaN; of two the even one. A carry out of the fraction is right: it leads
  /// to the next exponent, and at the end to infinity.
  GFPQ_HOST_DEVICE static constexpr BFloat16 rounded(unsigned number) {
    return {static_cast<unsigned short>((number + 0x7fffu + (number >> 16 & 1)) >> 16)};
  }
};

template <>
struct ElementType<Float16> {
  using Computed = float;
  static constexpr bool is_computed_in_itself = false;
  static constexpr unsigned short infinity = 0x7c00;

  GFPQ_HOST_DEVICE static constexpr unsigned computed(Float16 number) {
    const unsigned sign = (number.bits & 0x8000u) << 16;
    const unsigned magnitude = number.bits & 0x7fffu;
    if (magnitude >= infinity)
      return sign | ((magnitude << dropped_bits) + 2 * bias_difference);
    if (magnitude >= smallest_normal)
      return sign | ((magnitude << dropped_bits) + bias_difference);
    if (magnitude == 0)
      return sign;
    unsigned fraction = magnitude,
             exponent = bias_difference + (1u << 23); // that of a denormal number's last bit, 2^-24
    while ((fraction & smallest_normal) == 0) {
      fraction <<= 1;
      exponent -= 1u << 23;
    }
    return sign | (exponent + ((fraction ^ smallest_normal) << dropped_bits));
  }

  /// As above; below 2^-14 the numbers are multiples of 2^-24.
  GFPQ_HOST_DEVICE static constexpr Float16 rounded(unsigned number) {
    const unsigned sign = number >> 16 & 0x8000u;
    const unsigned magnitude = number & 0x7fffffffu;
    if (magnitude >= overflow)
      return {static_cast<unsigned short>(sign | infinity)};
    if (magnitude >= bias_difference + (1u << 23))
      return {
          static_cast<unsigned short>(sign | (shifted(magnitude, dropped_bits) - (bias_difference >> dropped_bits)))};
    const unsigned exponent = magnitude >> 23;
    if (exponent < underflow_exponent)
      return {static_cast<unsigned short>(sign)};
    const unsigned significand = (magnitude & 0x7fffffu) | 0x800000u;
    return {static_cast<unsigned short>(sign | shifted(significand, int(126 - exponent)))};
  }

private:
  static constexpr int dropped_bits = 13;
  static constexpr unsigned smallest_normal = 0x400;
  static constexpr unsigned bias_difference = (127u - 15u) << 23;
  static constexpr unsigned overflow = 0x477ff000u;        ///< 65520, halfway from the largest number to the next
  static constexpr unsigned underflow_exponent = 127 - 25; ///< of 2^-25, half of the smallest number

  /// number / 2^count, rounded to nearest even.
  GFPQ_HOST_DEVICE static constexpr unsigned shifted(unsigned number, int count) {
    return (number + ((1u << (count - 1)) - 1) + (number >> count & 1)) >> count;
  }
};

static_assert(ElementType<Float16>::computed({0x3c00}) == 0x3f800000u &&
                  ElementType<Float16>::rounded(0x3f800000u).bits == 0x3c00,
              "1");
static_assert(ElementType<Float16>::computed({1}) == 0x33800000u, "the smallest denormal number is 2^-24");
static_assert(ElementType<Float16>::computed({0x03ff}) == 0x387fc000u, "the largest denormal number");
static_assert(ElementType<Float16>::computed({0xfc00}) == 0xff800000u, "-infinity");
static_assert(ElementType<Float16>::rounded(0x33000000u).bits == 0, "2^-25 is a tie: 0 is even");
static_assert(ElementType<Float16>::rounded(0x33000001u).bits == 1, "more than half of the smallest number");
static_assert(ElementType<Float16>::rounded(0x387fffffu).bits == 0x400, "up to the smallest normal number");
static_assert(ElementType<Float16>::rounded(0x477fefffu).bits == 0x7bff &&
                  ElementType<Float16>::rounded(0x477ff000u).bits == 0x7c00,
              "the largest number ends halfway to the next");
static_assert(ElementType<BFloat16>::rounded(0x3f808000u).bits == 0x3f80 &&
                  ElementType<BFloat16>::rounded(0x3f818000u).bits == 0x3f82,
              "a tie goes to the even number");

} // namespace gfpq

#endif
