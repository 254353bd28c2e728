// Codes: encode is number to code, decode is code to value; one after the other is to fake-quantize.
//
// A code is stored as sign and magnitude: the highest bit is the sign, the others are k. What would be "minus 0" is the
// number 0. The bin that the carry tables look up is S times the exponent plus the step: it already is the code.
#ifndef GFPQ_KERNELS_CODES_HPP
#define GFPQ_KERNELS_CODES_HPP

#include "carry_tables.hpp"
#include "range.hpp"

namespace gfpq {

template <class Width>
struct Codes {
  static_assert(Width::bits <= 16, "a code has 8 or 16 bits");
  using Code = typename UnsignedOf<(Width::bits + 7) / 8>::Type;
  static constexpr Code sign = Code(1u << (8 * sizeof(Code) - 1));
  static constexpr Code zero = sign; ///< the number 0, which takes the code of "minus 0"

  /// Whether it stands for a number.
  GFPQ_HOST_DEVICE static constexpr bool exists(Code code) { return (code & ~sign) <= Width::max_code; }
};

/// Encodes numbers, by their bit patterns, for one delta. The GPU has tables of its own, and uses `code_of` alone.
template <class Float, class Width>
class Encoder {
  using F = Format<Float>;
  using Bits = typename F::Bits;
  using Tables = CarryTables<Float, Width>;
  using C = Codes<Width>;

public:
  constexpr explicit Encoder(int delta) : range_(range_of(ladder<Float, Width>, delta)), delta_(delta) {}

  constexpr typename C::Code operator()(Bits number) const {
    return code_of(number, range_, delta_, carry_tables<Float, Width>.carry);
  }

  GFPQ_HOST_DEVICE static constexpr typename C::Code code_of(Bits number, const Range<Float>& range, int delta,
                                                             const Bits* carry) {
    const Bits magnitude = number & ~F::sign;
    const bool is_negative = magnitude != number;
    const Bits doubled = magnitude + Range<Float>::doubled_less_one; // see range.hpp
    const Bits zero_below = is_negative ? range.lowest_negative : range.lowest_positive;
    const bool is_zero = typename F::Signed(doubled) < typename F::Signed(zero_below);
#ifndef __CUDA_ARCH__ // a GPU's threads do not part ways for a number
    if (is_zero)
      return C::zero;
#endif
    const Bits binned = NearestByPiece<Float, Width>::binned(magnitude, carry);
    const int nearest = int(binned >> Tables::P::bin_shift) - (delta + F::bias * Width::steps);
    const int lowest = is_negative;
    const int k = nearest < lowest ? lowest : nearest > Width::max_code ? Width::max_code : nearest;
    return static_cast<typename C::Code>(is_zero ? C::zero : is_negative ? C::sign | k : k);
  }

private:
  Range<Float> range_;
  int delta_;
};

/// The value of a code that exists, by the rule, wherever it lies.
template <class Float, class Width>
GFPQ_HOST_DEVICE constexpr typename Format<Float>::Bits decode(const Ladder<Float, Width>& rule,
                                                               typename Codes<Width>::Code code, int delta) {
  using C = Codes<Width>;
  if (code == C::zero)
    return 0;
  const auto value = rule.value(delta + (code & (C::sign - 1)));
  return (code & C::sign) != 0 ? value | Format<Float>::sign : value;
}

template <class Float, class Width>
constexpr typename Format<Float>::Bits decode(typename Codes<Width>::Code code, int delta) {
  return decode<Float, Width>(ladder<Float, Width>, code, delta);
}

} // namespace gfpq

#endif
