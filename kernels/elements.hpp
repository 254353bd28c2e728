// The types of a tensor's numbers: those that the kernels compute with, and the half types, which are computed in float
// and rounded to nearest even. By integers alone: no rounding mode, trap or flag of the caller has a part in it. A GPU
// has none of these, and converts float16 by an instruction.
#ifndef GFPQ_KERNELS_ELEMENTS_HPP
#define GFPQ_KERNELS_ELEMENTS_HPP

#ifndef __CUDA_ARCH__ // a GPU has its own way, and may have no standard header
#include <cstring>
#endif

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
  static constexpr unsigned smallest_normal_computed = 0; ///< the same holds for all
  GFPQ_HOST_DEVICE static constexpr BFloat16 rounded_normal(unsigned number) { return rounded(number); }
};

template <>
struct ElementType<Float16> {
  using Computed = float;
  static constexpr bool is_computed_in_itself = false;
  static constexpr unsigned short infinity = 0x7c00;

  /// Without a branch, by masks, so that compilers make vector instructions of it. A denormal number is its fraction
  /// times 2^-24: an integer that a float holds, which no rounding mode changes and no flag tells of.
  GFPQ_HOST_DEVICE static unsigned computed(Float16 number) {
#ifdef __CUDA_ARCH__
    unsigned bits;
    asm("{ .reg .f32 f; cvt.f32.f16 f, %1; mov.b32 %0, f; }" : "=r"(bits) : "h"(number.bits));
    return bits;
#else
    const int magnitude = number.bits & 0x7fff;
    const float fraction = static_cast<float>(magnitude);
    unsigned denormal;
    std::memcpy(&denormal, &fraction, sizeof denormal);
    const unsigned is_some = 0u - unsigned(magnitude != 0);
    const unsigned is_normal = 0u - unsigned(magnitude >= smallest_normal);
    denormal -= is_some & 24u << 23;
    unsigned normal = (unsigned(magnitude) << dropped_bits) + bias_difference;
    normal += (0u - unsigned(magnitude >= infinity)) & bias_difference;
    return (number.bits & 0x8000u) << 16 | (normal & is_normal) | (denormal & ~is_normal);
#endif
  }

  /// As above, of 0 and of what is no smaller than 2^-14; without a branch.
  static constexpr unsigned smallest_normal_computed = (127u - 14u) << 23;
  GFPQ_HOST_DEVICE static constexpr Float16 rounded_normal(unsigned number) {
    const int magnitude = int(number & 0x7fffffffu);
    const unsigned normal = shifted(unsigned(magnitude), dropped_bits) - (bias_difference >> dropped_bits);
    const unsigned finite = magnitude == 0 ? 0 : normal;
    const unsigned half = magnitude >= int(overflow) ? unsigned(infinity) : finite;
    return {static_cast<unsigned short>((number >> 16 & 0x8000u) | half)};
  }

  /// The same for all; below 2^-14 the numbers are multiples of 2^-24.
  GFPQ_HOST_DEVICE static Float16 rounded(unsigned number) {
#ifdef __CUDA_ARCH__
    Float16 half = {};
    asm("{ .reg .f32 f; mov.b32 f, %1; cvt.rn.f16.f32 %0, f; }" : "=h"(half.bits) : "r"(number));
    return half;
#else
    const unsigned sign = number >> 16 & 0x8000u;
    const unsigned magnitude = number & 0x7fffffffu;
    if (magnitude >= smallest_normal_computed)
      return rounded_normal(number);
    const unsigned exponent = magnitude >> 23;
    if (exponent < underflow_exponent)
      return {static_cast<unsigned short>(sign)};
    const unsigned significand = (magnitude & 0x7fffffu) | 0x800000u;
    return {static_cast<unsigned short>(sign | shifted(significand, int(126 - exponent)))};
#endif
  }

private:
  static constexpr int dropped_bits = 13;
  static constexpr int smallest_normal = 0x400;
  static constexpr unsigned bias_difference = (127u - 15u) << 23;
  static constexpr unsigned overflow = 0x477ff000u;        ///< 65520, halfway from the largest number to the next
  static constexpr unsigned underflow_exponent = 127 - 25; ///< of 2^-25, half of the smallest number

  /// number / 2^count, rounded to nearest even.
  GFPQ_HOST_DEVICE static constexpr unsigned shifted(unsigned number, int count) {
    return (number + ((1u << (count - 1)) - 1) + (number >> count & 1)) >> count;
  }
};

} // namespace gfpq

#endif
