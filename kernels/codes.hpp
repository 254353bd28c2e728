// Codes: encode is number to code, decode is code to value; one after the other is to fake-quantize.
//
// A code is stored as sign and magnitude: the highest bit is the sign, the others are k. What would be "minus 0" is the
// number 0. The bin that the carry tables look up is S times the exponent plus the step: it already is the code.
#ifndef GFPQ_KERNELS_CODES_HPP
#define GFPQ_KERNELS_CODES_HPP

#include <type_traits>

#include "carry_tables.hpp"
#include "range.hpp"

namespace gfpq {

template <class Width>
struct Codes {
  static_assert(Width::bits <= 16, "a code has 8 or 16 bits");
  using Code = std::conditional_t<Width::bits <= 8, unsigned char, unsigned short>;
  static constexpr Code sign = Code(1u << (8 * sizeof(Code) - 1));
  static constexpr Code zero = sign; ///< the number 0, which takes the code of "minus 0"

  /// Whether it stands for a number.
  static constexpr bool exists(Code code) { return (code & ~sign) <= Width::max_code; }
};

/// Encodes numbers, by their bit patterns, for one delta.
template <class Float, class Width>
class Encoder {
  using F = Format<Float>;
  using Bits = typename F::Bits;
  using Tables = CarryTables<Float, Width>;
  using C = Codes<Width>;

public:
  constexpr explicit Encoder(int delta)
      : range_(range_of(ladder<Float, Width>, delta)), origin_(delta + F::bias * Width::steps) {}

  constexpr typename C::Code operator()(Bits number) const {
    const Bits magnitude = number & ~F::sign;
    const bool is_negative = magnitude != number;
    const Bits doubled = magnitude + Range<Float>::doubled_less_one; // see range.hpp
    if (doubled >= F::sign || doubled < (is_negative ? range_.lowest_negative : range_.lowest_positive))
      return C::zero;
    const Bits binned = NearestByPiece<Float, Width>::binned(magnitude, carry_tables<Float, Width>.carry);
    const int nearest = int(binned >> Tables::P::bin_shift) - origin_, lowest = is_negative;
    const int k = nearest < lowest ? lowest : nearest > Width::max_code ? Width::max_code : nearest;
    return static_cast<typename C::Code>(is_negative ? C::sign | k : k);
  }

private:
  Range<Float> range_;
  int origin_;
};

/// The value of a code that exists.
template <class Float, class Width>
constexpr typename Format<Float>::Bits decode(typename Codes<Width>::Code code, int delta) {
  using C = Codes<Width>;
  if (code == C::zero)
    return 0;
  const auto value = ladder<Float, Width>.value(delta + (code & (C::sign - 1)));
  return (code & C::sign) != 0 ? value | Format<Float>::sign : value;
}

} // namespace gfpq

#endif
