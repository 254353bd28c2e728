// The bit widths. A new one is one more entry in this list: everything else is derived from it.
#ifndef GFPQ_KERNELS_WIDTHS_HPP
#define GFPQ_KERNELS_WIDTHS_HPP

/// Calls a macro for each width with its bits and, of the specification, S, K and R.
#define GFPQ_FOR_EACH_WIDTH(X)                                                                                         \
  X(8, 16, 127, 511)                                                                                                   \
  X(16, 128, 1407, 4095)

namespace gfpq {

/// The unsigned integer of so many bytes.
template <unsigned bytes>
struct UnsignedOf;
template <>
struct UnsignedOf<1> {
  using Type = unsigned char;
};
template <>
struct UnsignedOf<2> {
  using Type = unsigned short;
};
template <>
struct UnsignedOf<4> {
  using Type = unsigned int;
};
template <>
struct UnsignedOf<8> {
  using Type = unsigned long long;
};

constexpr int floor_log2(int number) { return number > 1 ? 1 + floor_log2(number / 2) : 0; }

template <int bits_, int steps_, int max_code_, int delta_limit_>
struct BitWidth {
  static constexpr int bits = bits_;
  static constexpr int steps = steps_;             ///< values an octave (S)
  static constexpr int max_code = max_code_;       ///< the largest code (K)
  static constexpr int delta_limit = delta_limit_; ///< delta lies in [-delta_limit, delta_limit] (R)

  static_assert(steps > 1 && (steps & (steps - 1)) == 0, "an octave has a power of two of steps");
  static_assert(max_code > 0 && max_code < 1 << (bits - 1), "a code has a sign and bits - 1 more");
  static_assert(delta_limit > 0, "delta lies in [-R, R]");
};

// Width8, Width16 and so on.
#define GFPQ_NAME_WIDTH(bits, ...) using Width##bits = BitWidth<bits, __VA_ARGS__>;
GFPQ_FOR_EACH_WIDTH(GFPQ_NAME_WIDTH)
#undef GFPQ_NAME_WIDTH

#define GFPQ_BITS_OF_WIDTH(bits, ...) bits,
inline constexpr int width_bits[] = {GFPQ_FOR_EACH_WIDTH(GFPQ_BITS_OF_WIDTH)};
#undef GFPQ_BITS_OF_WIDTH

inline constexpr int width_count = sizeof(width_bits) / sizeof(*width_bits);

/// The place of a width with so many bits in the list.
constexpr int index_of_width(int bits) {
  int index = 0;
  while (width_bits[index] != bits)
    ++index; // beyond the end, which is no constant expression, where the list has no such width
  return index;
}
template <class Width>
inline constexpr int width_index = index_of_width(Width::bits);

/// Calls `function` with the width of so many bits. \return whether there is one; without it, nothing is called.
template <class Function>
[[nodiscard]] bool with_width(unsigned bits, const Function& function) {
  switch (bits) {
#define GFPQ_CALL_WITH_WIDTH(bits, ...)                                                                                \
  case bits:                                                                                                           \
    function(Width##bits());                                                                                           \
    return true;
    GFPQ_FOR_EACH_WIDTH(GFPQ_CALL_WITH_WIDTH)
#undef GFPQ_CALL_WITH_WIDTH
  default:
    return false;
  }
}

} // namespace gfpq

/// Calls GFPQ_INSTANTIATE(Float, Width), which the place of use defines, for each element type and width.
#define GFPQ_INSTANTIATE_WIDTH(bits, ...)                                                                              \
  GFPQ_INSTANTIATE(float, Width##bits)                                                                                 \
  GFPQ_INSTANTIATE(double, Width##bits)
#define GFPQ_INSTANTIATE_ALL GFPQ_FOR_EACH_WIDTH(GFPQ_INSTANTIATE_WIDTH)

#endif
