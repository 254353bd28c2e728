// Fake-quantizes a register of numbers, by either way to the nearest value.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_BY_NUMBER_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_BY_NUMBER_INL_HPP
#undef GFPQ_KERNELS_CPU_BY_NUMBER_INL_HPP
#else
#define GFPQ_KERNELS_CPU_BY_NUMBER_INL_HPP
#endif

#include "kernels/cpu/lanes-inl.hpp"
#include "kernels/range.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

/// What becomes zero (range.hpp).
template <class Float>
class ZeroTest {
  using V = Vec<Float>;

public:
  HWY_INLINE explicit ZeroTest(const Range<Float>& range)
      : lowest_positive_(set_bits<Float>(range.lowest_positive)),
        lowest_negative_(set_bits<Float>(range.lowest_negative)) {}

  /// The ladder's lowest magnitude for a number's sign.
  HWY_INLINE V lowest(V number) const { return if_negative(number, lowest_negative_, lowest_positive_); }

  HWY_INLINE auto operator()(V number) const {
    const V magnitude = hn::And(number, set_bits<Float>(~Format<Float>::sign));
    return hn::Gt(lowest(number), hn::Add(magnitude, set_bits<Float>(Range<Float>::doubled_less_one)));
  }

private:
  const V lowest_positive_, lowest_negative_;
};

/// Fake-quantizes the numbers of a register. `Nearest` gives the value nearest to a magnitude within the ladder.
template <class Float, class Width, class Nearest>
class ByNumber {
  using F = Format<Float>;
  using V = Vec<Float>;

public:
  static constexpr bool takes_pairs = false;
  static constexpr bool needs_rounding_to_nearest = Nearest::needs_rounding_to_nearest;

  HWY_INLINE explicit ByNumber(int delta) : ByNumber(range_of(ladder<Float, Width>, delta)) {}

  HWY_INLINE V operator()(V number) const {
    const V magnitude = hn::And(number, set_bits<Float>(~F::sign));
    const auto is_zero = is_zero_(number);
    const V value = nearest_(hn::Max(hn::Min(magnitude, highest_), is_zero_.lowest(number)));
    const V sign = hn::And(number, set_bits<Float>(F::sign));
    return hn::IfThenZeroElse(is_zero, hn::Or(value, sign));
  }

private:
  HWY_INLINE explicit ByNumber(const Range<Float>& range) : is_zero_(range), highest_(set_bits<Float>(range.highest)) {}

  const ZeroTest<Float> is_zero_;
  const V highest_;
  const Nearest nearest_;
};

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
