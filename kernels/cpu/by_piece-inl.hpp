// The values nearest to the numbers of a register, within the ladder, by a table of pieces (carry_tables.hpp).
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_BY_PIECE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_BY_PIECE_INL_HPP
#undef GFPQ_KERNELS_CPU_BY_PIECE_INL_HPP
#else
#define GFPQ_KERNELS_CPU_BY_PIECE_INL_HPP
#endif

#include "kernels/carry_tables.hpp"
#include "kernels/cpu/clamp-inl.hpp"
#include "kernels/cpu/lookup-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

// Constructors are spelled out since GCC does not compile implicit ones for the target.

/// Looks up what belongs to a number's piece of an octave, by the bits that follow the exponent.
template <class D, class P>
class PieceLookup {
  using V = hn::VFromD<D>;

public:
  template <class Tables>
  HWY_INLINE explicit PieceLookup(const Tables& tables) : narrow_(tables.carry), wide_(tables.wide_carry) {}

  HWY_INLINE V operator()(V number) const {
    const V narrow = narrow_.template from_bit<P::piece_shift>(number);
    if constexpr (!upper_half_is_wide)
      return narrow;
    const V wide = wide_.template from_bit<P::bin_shift>(number);
    const V half_as_sign = hn::ShiftLeft<8 * sizeof(hn::TFromD<D>) - P::fraction_bits>(number);
    return if_negative(half_as_sign, wide, narrow);
  }

private:
  // Where the narrow pieces of a whole octave take four registers, two for the lower half and one of wide pieces for
  // the upper half are faster; where one instruction looks up in two, that is not so.
  static constexpr bool upper_half_is_wide = !Traits::looks_up_in_two && registers_for<D, P::count>() == 4;

  Lookup<D, upper_half_is_wide ? P::count / 2 : P::count> narrow_;
  Lookup<D, P::wide_count> wide_;
};

template <class Float, class Width>
class ByPiece {
  using F = Format<Float>;
  using V = Vec<Float>;
  using Tables = CarryTables<Float, Width>;

public:
  static constexpr int registers = 1;
  static constexpr bool needs_rounding_to_nearest = false;
  static constexpr bool prefetches_to_second_cache = Traits::looks_up_in_two;

  HWY_INLINE ByPiece() : carry_(tables_), value_(tables_.value) {}

  HWY_INLINE void operator()(V (&numbers)[registers]) const { numbers[0] = value(binned(numbers[0])); }

  HWY_INLINE V binned(V number) const { return hn::Add(number, carry_(number)); }

  HWY_INLINE V value(V binned) const {
    const V sign_and_exponent = hn::And(binned, set_bits<Float>(F::sign | F::infinity));
    return hn::Or(sign_and_exponent, value_.template from_bit<Tables::P::bin_shift>(binned));
  }

private:
  static constexpr const Tables& tables_ = carry_tables<Float, Width>;
  PieceLookup<Lanes<Float>, typename Tables::P> carry_;
  Lookup<Lanes<Float>, Width::steps> value_;
};

/// The limits of the high words of doubles' sums: below each lowest bin and above the highest one there is none.
template <class Width>
HWY_INLINE SignedLimits<float> bin_limits(int delta) {
  const auto bin_of = [](int exponent) {
    return unsigned(exponent + Format<double>::bias * Width::steps) << CarryWords<Width>::P::bin_shift;
  };
  return {bin_of(delta), bin_of(delta + 1), bin_of(delta + Width::max_code)};
}

/// Fake-quantizes the doubles of a register: not they are clamped, but the high words of their sums, where instruction
/// sets have no minimum and maximum of 64-bit lanes. What that makes of a NaN doesn't matter.
template <class Width, class Float = double>
class ByBin {
  using V = Vec<Float>;

public:
  static constexpr int registers = 1;
  static constexpr bool needs_rounding_to_nearest = false;
  static constexpr bool prefetches_to_second_cache = false;

  HWY_INLINE explicit ByBin(int delta)
      : is_zero_(range_of(ladder<Float, Width>, delta)), limits_(bin_limits<Width>(delta)) {}

  HWY_INLINE void operator()(V (&numbers)[registers]) const {
    const Vec<float> words = hn::BitCast(Lanes<float>(), nearest_.binned(numbers[0]));
    const V value = nearest_.value(hn::BitCast(Lanes<Float>(), limits_(words)));
    numbers[0] = hn::IfThenZeroElse(is_zero_(numbers[0]), value);
  }

private:
  const ZeroTest<Float> is_zero_;
  const SignedLimits<float> limits_;
  const ByPiece<Float, Width> nearest_;
};

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
