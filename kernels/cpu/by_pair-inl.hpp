// Fake-quantizes two registers of double at once, by the tables of pieces in words (carry_tables.hpp): with the high
// words in one register and the low words in another, tables in registers serve, where 64-bit lanes would have to
// gather from memory. Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_BY_PAIR_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_BY_PAIR_INL_HPP
#undef GFPQ_KERNELS_CPU_BY_PAIR_INL_HPP
#else
#define GFPQ_KERNELS_CPU_BY_PAIR_INL_HPP
#endif

#include "kernels/cpu/by_number-inl.hpp"
#include "kernels/cpu/by_piece-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

template <class Width, class Float = double>
class ByPair {
  using V = Vec<Float>;
  using Words = Vec<float>;
  using D = Lanes<float>;
  using Tables = CarryWords<Width>;
  using P = typename Tables::P;

public:
  static constexpr int registers = 2;
  static constexpr bool needs_rounding_to_nearest = false;

  HWY_INLINE explicit ByPair(int delta)
      : is_zero_(range_of(ladder<Float, Width>, delta)), lowest_positive_(bin_of(delta)),
        lowest_negative_(bin_of(delta + 1)), highest_(bin_of(delta + Width::max_code)), high_carry_(tables_.high),
        low_carry_(tables_.low), high_value_(tables_.high.value), low_value_(tables_.low.value) {}

  HWY_INLINE void operator()(V (&numbers)[registers]) const {
    V &a = numbers[0], &b = numbers[1];
    const Words high = high_words(a, b), low = low_words(a, b);
    const Words sign = hn::And(high, set_bits<float>(Format<float>::sign));
    const Words magnitude = hn::Xor(high, sign);
    const Words low_as_signed = hn::Xor(low, set_bits<float>(Format<float>::sign));
    const auto carries = hn::VecFromMask(D(), hn::Gt(low_as_signed, low_carry_(magnitude))); // -1 where it does
    const Words binned = hn::Sub(hn::Add(magnitude, high_carry_(magnitude)), carries);
    // To clamp the magnitudes first, as 64-bit lanes, would take a third longer.
    const Words lowest = if_negative(high, lowest_negative_, lowest_positive_);
    const Words clamped = hn::Max(hn::Min(binned, highest_), lowest);

    const Words exponent = hn::And(clamped, set_bits<float>(Format<Float>::infinity >> 32));
    const Words bin = shift_right<P::bin_shift>(clamped);
    const Words high_value = hn::Or(hn::Or(exponent, sign), high_value_(bin));
    const Words low_value = low_value_(bin);
    const Lanes<Float> d;
    a = hn::IfThenZeroElse(is_zero_(a), hn::BitCast(d, hn::InterleaveLower(D(), low_value, high_value)));
    b = hn::IfThenZeroElse(is_zero_(b), hn::BitCast(d, hn::InterleaveUpper(D(), low_value, high_value)));
  }

private:
  static HWY_INLINE Words bin_of(int exponent) {
    return set_bits<float>(unsigned(exponent + Format<Float>::bias * Width::steps) << P::bin_shift);
  }

  static constexpr const Tables& tables_ = carry_words<Width>;
  const ZeroTest<Float> is_zero_;
  const Words lowest_positive_, lowest_negative_, highest_;
  PieceLookup<D, P> high_carry_, low_carry_;
  Lookup<D, Width::steps> high_value_, low_value_;
};

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
