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
  static constexpr bool prefetches_to_second_cache = false;

  HWY_INLINE explicit ByPair(int delta)
      : is_zero_(range_of(ladder<Float, Width>, delta)), limits_(bin_limits<Width>(delta)), high_carry_(tables_.high),
        low_carry_(tables_.low), high_value_(tables_.high.value), low_value_(tables_.low.value) {}

  HWY_INLINE void operator()(V (&numbers)[registers]) const {
    V &a = numbers[0], &b = numbers[1];
    const Words high = high_words(a, b), low = low_words(a, b);
    const Words low_as_signed = hn::Xor(low, set_bits<float>(Format<float>::sign));
    const auto carries = hn::VecFromMask(D(), hn::Gt(low_as_signed, low_carry_(high))); // -1 where it does
    // To clamp the numbers first, as 64-bit lanes, would take a third longer. What a NaN becomes doesn't matter.
    const Words binned = limits_(hn::Sub(hn::Add(high, high_carry_(high)), carries));

    const Words sign_and_exponent =
        hn::And(binned, set_bits<float>((Format<Float>::sign | Format<Float>::infinity) >> 32));
    const Words high_value = hn::Or(sign_and_exponent, high_value_.template from_bit<P::bin_shift>(binned));
    const Words low_value = low_value_.template from_bit<P::bin_shift>(binned);
    const Lanes<Float> d;
    a = hn::IfThenZeroElse(is_zero_(a), hn::BitCast(d, hn::InterleaveLower(D(), low_value, high_value)));
    b = hn::IfThenZeroElse(is_zero_(b), hn::BitCast(d, hn::InterleaveUpper(D(), low_value, high_value)));
  }

private:
  static constexpr const Tables& tables_ = carry_words<Width>;
  const ZeroTest<Float> is_zero_;
  const SignedLimits<float> limits_;
  PieceLookup<D, P> high_carry_, low_carry_;
  Lookup<D, Width::steps> high_value_, low_value_;
};

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
