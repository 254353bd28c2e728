// The proof that each entry of the ladder table is the power that it stands for, rounded down.
//
// p stands for 2^(i/256), both in units of 2^-63. It is that, rounded down, if and only if
//
//     p^256 <= 2^i < (p+1)^256
//
// with p = 1 for i = 0; the other powers are irrational, so that neither side is ever equal. Eight squarings make a
// 256th power. With 128 bits, rounded up for p and down for p+1, they are good to 2^-116 of it, where one unit of p
// makes 2^-56; so they tell which octave it lies in.
#ifndef GFPQ_KERNELS_LADDER_TABLE_PROOF_HPP
#define GFPQ_KERNELS_LADDER_TABLE_PROOF_HPP

#include "ladder_table.hpp"

namespace gfpq {

/// A number in [1, 2) in units of 2^-127, and a power of two.
struct WideFloat {
  unsigned long long high, low;
  int exponent;
};

/// The upper 64 bits of a product.
constexpr unsigned long long high_product(unsigned long long a, unsigned long long b) {
  const unsigned long long a_high = a >> 32, a_low = a & 0xffffffff, b_high = b >> 32, b_low = b & 0xffffffff;
  const unsigned long long middle = a_high * b_low + (a_low * b_low >> 32);
  const unsigned long long other = a_low * b_high + (middle & 0xffffffff);
  return a_high * b_high + (middle >> 32) + (other >> 32);
}

/// The square, rounded down; `excess` is added to its last place before it is brought to [1, 2).
constexpr WideFloat squared(const WideFloat& number, unsigned excess) {
  const unsigned long long middle =
      high_product(number.high, number.low); // twice in the square; what is cut off is < 4
  WideFloat square{high_product(number.high, number.high), number.high * number.high, 2 * number.exponent};
  const unsigned long long parts[] = {middle, middle, excess};
  for (const unsigned long long part : parts) {
    square.low += part;
    square.high += square.low < part;
  }
  if (square.high >> 63 != 0)
    ++square.exponent;
  else
    square = {square.high << 1 | square.low >> 63, square.low << 1, square.exponent};
  return square;
}

/// The octave of (number / 2^63)^256, the power being rounded up by `excess` = 4 or down by 0.
constexpr int octave_of_256th_power(unsigned long long number, unsigned excess) {
  WideFloat power{number, 0, 0};
  for (int i = 0; i < 8; ++i)
    power = squared(power, excess);
  return power.exponent;
}

/// Whether `entry` is 2^(i/256) in units of 2^-63, rounded down.
constexpr bool is_power_rounded_down(int i, unsigned long long entry) {
  if (i == 0)
    return entry == 1ull << 63;
  return octave_of_256th_power(entry, 4) < i && octave_of_256th_power(entry + 1, 0) >= i;
}

constexpr bool are_powers_rounded_down() {
  for (int i = 0; i < power_of_two_steps; ++i)
    if (!is_power_rounded_down(i, power_of_two[i]))
      return false;
  return true;
}
static_assert(are_powers_rounded_down(), "each entry of the ladder table is its power of two, rounded down");

} // namespace gfpq

#endif
