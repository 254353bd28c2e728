// What PTX's instructions compute where C++ has no operator for it, or where C++ leaves open what PTX defines.
#ifndef GFPQ_TESTS_PTX_OPERATIONS_HPP
#define GFPQ_TESTS_PTX_OPERATIONS_HPP

#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <limits>

namespace gfpq {
namespace ptx {

template <class To, class From>
To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From), "a register of another width");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

template <class T>
T least(T a, T b) {
  return a < b ? a : b;
}

template <class T>
T greatest(T a, T b) {
  return a < b ? b : a;
}

template <class T>
T absolute(T value) {
  return value < 0 ? T(0 - value) : value;
}

template <class T>
bool overflows(T a, T b) {
  return std::numeric_limits<T>::is_signed && a == std::numeric_limits<T>::min() && b == T(-1);
}

/// By zero: what PTX leaves open is all ones, as GPUs give it.
template <class T>
T divided(T a, T b) {
  return b == 0 ? T(-1) : overflows(a, b) ? a : T(a / b);
}

template <class T>
T remaining(T a, T b) {
  return b == 0 ? a : overflows(a, b) ? T(0) : T(a % b);
}

/// The count is not cut to the width's bits, as the host's is.
template <class T>
T shifted_left(T value, std::uint32_t count) {
  return count >= sizeof(T) * 8 ? T(0) : T(value << count);
}

template <class T>
T shifted_right(T value, std::uint32_t count) {
  const std::uint32_t last = sizeof(T) * 8 - 1;
  return count <= last ? T(value >> count) : value < 0 ? T(-1) : T(0);
}

inline std::uint32_t funnel_shifted_left(std::uint32_t low, std::uint32_t high, std::uint32_t count) {
  return static_cast<std::uint32_t>(((std::uint64_t(high) << 32 | low) << (count & 31)) >> 32);
}

inline std::uint32_t funnel_shifted_right(std::uint32_t low, std::uint32_t high, std::uint32_t count) {
  return static_cast<std::uint32_t>((std::uint64_t(high) << 32 | low) >> (count & 31));
}

inline std::uint32_t low_bits(std::uint32_t count) { return count >= 32 ? ~0u : (1u << count) - 1; }

/// bfe and bfi use 8 bits of the position and of the length.
inline std::uint32_t extracted(std::uint32_t from, std::uint32_t position, std::uint32_t length) {
  return shifted_right(from, position & 255) & low_bits(length & 255);
}

inline std::uint32_t inserted(std::uint32_t from, std::uint32_t into, std::uint32_t position, std::uint32_t length) {
  const std::uint32_t mask = shifted_left(low_bits(length & 255), position & 255);
  return (into & ~mask) | (shifted_left(from, position & 255) & mask);
}

/// Four bytes of the eight of both, by a selector's four digits; a digit's top bit asks for the byte's sign.
inline std::uint32_t permuted(std::uint32_t low, std::uint32_t high, std::uint32_t selector) {
  const std::uint64_t bytes = std::uint64_t(high) << 32 | low;
  std::uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned digit = selector >> (4 * i) & 15;
    const std::uint32_t byte = bytes >> (8 * (digit & 7)) & 255;
    result |= (digit & 8 ? (byte & 128 ? 255u : 0u) : byte) << (8 * i);
  }
  return result;
}

/// Any function of three bits, by its eight values.
inline std::uint32_t logic(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t values) {
  std::uint32_t result = 0;
  for (unsigned i = 0; i < 8; ++i)
    if (values >> i & 1)
      result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  return result;
}

inline std::uint32_t leading_zeros(std::uint32_t value) { return value == 0 ? 32 : __builtin_clz(value); }

// By the processor, which has them since 2012: g++ has no half type before its version 12.
__attribute__((target("f16c"))) inline float from_half(std::uint16_t bits) { return _cvtsh_ss(bits); }
__attribute__((target("f16c"))) inline std::uint16_t to_half(float value) {
  return value != value ? 0x7FFF : _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT); // PTX has one NaN
}

} // namespace ptx
} // namespace gfpq

#endif
