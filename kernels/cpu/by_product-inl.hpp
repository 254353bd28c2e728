// The value nearest to a number within the ladder by products of powers (product_tables.hpp).
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_BY_PRODUCT_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_BY_PRODUCT_INL_HPP
#undef GFPQ_KERNELS_CPU_BY_PRODUCT_INL_HPP
#else
#define GFPQ_KERNELS_CPU_BY_PRODUCT_INL_HPP
#endif

#include "kernels/cpu/lanes-inl.hpp"
#include "kernels/cpu/lookup-inl.hpp"
#include "kernels/cpu/product_tables.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

/// The number's fraction in [1, 2), as the bits of a floating-point number.
template <class Float>
HWY_INLINE Vec<Float> significand(Vec<Float> number) {
  using F = Format<Float>;
  using Bits = typename F::Bits;
  const auto one = set_bits<Float>(Bits(F::bias) << F::fraction_bits);
  return hn::Or(hn::And(number, set_bits<Float>((Bits(1) << F::fraction_bits) - 1)), one);
}

template <class Float, class Width>
class ByProduct {
  using V = Vec<Float>;
  using D = Lanes<Float>;
  using Tables = ProductTables<Float, Width>;

public:
  static constexpr bool needs_rounding_to_nearest = !Traits::rounds_by_instruction;
  static constexpr bool prefetches_to_second_cache = false;

  HWY_INLINE ByProduct()
      : slope_(tables_.slope), offset_(tables_.offset), base_(tables_.base), rest_(tables_.rest),
        fine_value_(tables_.fine_value), fine_threshold_(tables_.fine_threshold), fine_next_(tables_.fine_next) {}

  HWY_INLINE V operator()(V number) const {
    const V bits = significand<Float>(number);
    const auto m = as_floats(bits);
    const V piece = shift_right<Tables::piece_shift>(number);
    const V guess = hn::BitCast(D(), multiply_add(m, as_floats(slope_(piece)), as_floats(offset_(piece))));

    const V coarse = shift_right<Tables::fine_shift>(guess);
    const auto base = as_floats(base_(coarse)), rest = as_floats(rest_(coarse));
    const auto threshold = multiply_add(base, as_floats(fine_threshold_(guess)), rest);
    const auto is_next = is_less(threshold, subtract(m, base)); // the difference is exact
    const auto fine = as_floats(fine_next_.where(is_next, guess, fine_value_(guess)));
    const V value = hn::BitCast(D(), add(base, multiply_add(base, fine, rest)));
    return hn::Add(number, hn::Sub(value, bits));
  }

private:
  static constexpr const Tables& tables_ = product_tables<Float, Width>;
  Lookup<D, Tables::pieces> slope_, offset_;
  Lookup<D, Tables::coarse_steps> base_, rest_;
  Lookup<D, Tables::fine_steps> fine_value_, fine_threshold_, fine_next_;
};

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
