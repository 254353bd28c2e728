// Clamps numbers to the ladder, with their signs.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_CLAMP_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_CLAMP_INL_HPP
#undef GFPQ_KERNELS_CPU_CLAMP_INL_HPP
#else
#define GFPQ_KERNELS_CPU_CLAMP_INL_HPP
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
      : ZeroTest(set_bits<Float>(range.lowest_positive), set_bits<Float>(range.lowest_negative)) {}
  HWY_INLINE ZeroTest(V lowest_positive, V lowest_negative)
      : lowest_positive_(lowest_positive), lowest_negative_(lowest_negative) {}

  /// The ladder's lowest magnitude for a number's sign.
  HWY_INLINE V lowest(V number) const { return if_negative(number, lowest_negative_, lowest_positive_); }

  HWY_INLINE auto operator()(V number) const {
    const V magnitude = hn::And(number, set_bits<Float>(~Format<Float>::sign));
    return hn::Gt(lowest(number), hn::Add(magnitude, set_bits<Float>(Range<Float>::doubled_less_one)));
  }

private:
  const V lowest_positive_, lowest_negative_;
};

/// How numbers are clamped: by the first of these ways that the target has.
enum class ClampWay {
  floats,    ///< by comparing floating-point numbers, for each sign under a mask
  integers,  ///< as integers with the sign (range.hpp)
  magnitudes ///< the sign is split off
};

template <class Float>
constexpr ClampWay clamp_way = Traits::has_masks                               ? ClampWay::floats
                               : Traits::clamps_integers && sizeof(Float) == 4 ? ClampWay::integers
                                                                               : ClampWay::magnitudes;

/// The way of shortest latency, for small calls: integers take eight instructions that wait for one another.
template <class Float>
constexpr ClampWay short_clamp_way = clamp_way<Float> == ClampWay::integers ? ClampWay::magnitudes : clamp_way<Float>;

/// The number within the ladder, with its sign; 0 for what becomes zero. The range is that of all lanes, or registers
/// have each lane's.
template <class Float, ClampWay way = clamp_way<Float>>
class Clamp;

template <class Float>
class Clamp<Float, ClampWay::floats> {
  using F = Format<Float>;
  using V = Vec<Float>;

public:
  HWY_INLINE explicit Clamp(const Range<Float>& range)
      : zero_positive_(set(range.lowest_positive - range.octave)),
        zero_negative_(set(F::sign | (range.lowest_negative - range.octave))),
        lowest_positive_(set(range.lowest_positive)), lowest_negative_(set(F::sign | range.lowest_negative)),
        highest_(set(range.highest)) {}
  HWY_INLINE Clamp(V lowest_positive, V lowest_negative, V highest)
      : zero_positive_(as_floats(hn::Sub(lowest_positive, set_bits<Float>(Range<Float>::octave)))),
        zero_negative_(negative(hn::Sub(lowest_negative, set_bits<Float>(Range<Float>::octave)))),
        lowest_positive_(as_floats(lowest_positive)), lowest_negative_(negative(lowest_negative)),
        highest_(as_floats(highest)) {}

  HWY_INLINE V operator()(V bits) const {
    const auto number = as_floats(bits);
    const auto is_positive = is_less(zero_positive_, number), is_negative = is_less(number, zero_negative_);
    const auto at_most = with_lesser_magnitude(number, highest_);
    const auto positive_or_zero = larger_or_zero(is_positive, at_most, lowest_positive_);
    return hn::BitCast(Lanes<Float>(), larger_where(is_negative, at_most, lowest_negative_, positive_or_zero));
  }

private:
  using Numbers = decltype(as_floats(V()));
  static HWY_INLINE Numbers set(typename F::Bits bits) { return as_floats(set_bits<Float>(bits)); }
  static HWY_INLINE Numbers negative(V magnitude) { return as_floats(hn::Or(magnitude, set_bits<Float>(F::sign))); }

  const Numbers zero_positive_, zero_negative_, lowest_positive_, lowest_negative_, highest_;
};

/// Clamps both signs at once, as integers (range.hpp). The limits are magnitudes.
template <class Float>
class SignedLimits {
  using F = Format<Float>;
  using Bits = typename F::Bits;
  using V = Vec<Float>;
  using D = Lanes<Float>;

public:
  HWY_INLINE SignedLimits(Bits lowest_positive, Bits lowest_negative, Bits highest)
      : lowest_positive_(set_bits<Float>(lowest_positive)),
        lowest_negative_(set_bits<Float>(F::sign | lowest_negative)), highest_positive_(set_bits<Float>(highest)),
        highest_negative_(set_bits<Float>(F::sign | highest)) {}
  HWY_INLINE SignedLimits(V lowest_positive, V lowest_negative, V highest)
      : lowest_positive_(lowest_positive), lowest_negative_(hn::Or(lowest_negative, set_bits<Float>(F::sign))),
        highest_positive_(highest), highest_negative_(hn::Or(highest, set_bits<Float>(F::sign))) {}

  HWY_INLINE V operator()(V number) const {
    const V at_most = unsigned_min(hn::Min(number, highest_positive_), highest_negative_);
    return unsigned_max(hn::Max(at_most, lowest_negative_), lowest_positive_);
  }

private:
  static HWY_INLINE auto as_unsigned(V v) { return hn::BitCast(hn::RebindToUnsigned<D>(), v); }
  static HWY_INLINE V unsigned_min(V a, V b) { return hn::BitCast(D(), hn::Min(as_unsigned(a), as_unsigned(b))); }
  static HWY_INLINE V unsigned_max(V a, V b) { return hn::BitCast(D(), hn::Max(as_unsigned(a), as_unsigned(b))); }

  const V lowest_positive_, lowest_negative_, highest_positive_, highest_negative_;
};

template <class Float>
class Clamp<Float, ClampWay::integers> {
  using F = Format<Float>;
  using V = Vec<Float>;

public:
  HWY_INLINE explicit Clamp(const Range<Float>& range)
      : limits_(range.lowest_positive, range.lowest_negative, range.highest),
        raise_offset_(set_bits<Float>(range.raise_offset())), raise_limit_(set_bits<Float>(range.raise_limit())) {}
  HWY_INLINE Clamp(V lowest_positive, V lowest_negative, V highest)
      : limits_(lowest_positive, lowest_negative, highest),
        raise_offset_(hn::Sub(set_bits<Float>(F::sign + F::infinity), highest)),
        raise_limit_(hn::Add(raise_offset_, set_bits<Float>(Range<Float>::doubled_less_one))) {}

  HWY_INLINE V operator()(V number) const {
    const V clamped = limits_(number);
    const V raised = hn::Add(hn::Sub(clamped, number), raise_offset_);
    return hn::IfThenZeroElse(hn::Gt(raised, raise_limit_), clamped);
  }

private:
  const SignedLimits<Float> limits_;
  const V raise_offset_, raise_limit_;
};

template <class Float>
class Clamp<Float, ClampWay::magnitudes> {
  using F = Format<Float>;
  using V = Vec<Float>;

public:
  HWY_INLINE explicit Clamp(const Range<Float>& range) : is_zero_(range), highest_(set_bits<Float>(range.highest)) {}
  HWY_INLINE Clamp(V lowest_positive, V lowest_negative, V highest)
      : is_zero_(lowest_positive, lowest_negative), highest_(highest) {}

  HWY_INLINE V operator()(V number) const {
    const V sign = hn::And(number, set_bits<Float>(F::sign));
    const V clamped = hn::Max(hn::Min(hn::Xor(number, sign), highest_), is_zero_.lowest(number));
    return hn::IfThenZeroElse(is_zero_(number), hn::Or(clamped, sign));
  }

private:
  const ZeroTest<Float> is_zero_;
  const V highest_;
};

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
