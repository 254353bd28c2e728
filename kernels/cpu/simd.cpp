// The kernels with SIMD instructions: one text, compiled for every instruction set that Highway and the compiler know.
#include <cstdint>
#include <cstring>

#include "kernels/carry_tables.hpp"
#include "kernels/cpu/product_tables.hpp"
#include "kernels/cpu/simd.hpp"

// Highway is used for its headers alone: its checks and its choice of a target would need libhwy at run time.
#define HWY_IS_DEBUG_BUILD 0
#include <hwy/detect_compiler_arch.h>
#if HWY_ARCH_X86
#define HWY_DISABLED_TARGETS (~(HWY_SCALAR | HWY_EMU128 | HWY_SSE4 | HWY_AVX2 | HWY_AVX3))
#elif HWY_ARCH_ARM
#define HWY_COMPILE_ONLY_STATIC
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128) // registers of unknown size
#else
#define HWY_COMPILE_ONLY_SCALAR
#endif
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/simd.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

#include "kernels/cpu/lookup-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

/// How far ahead to prefetch, in bytes. The loops are too long for the hardware's own prefetching to keep up.
constexpr std::size_t prefetch_distance = 8192;

/// Bit patterns of a type's numbers as lanes. Signed, since that is what most instruction sets compare: a magnitude is
/// never negative.
template <class Float>
using Lanes = hn::ScalableTag<hwy::MakeSigned<Float>>;

template <class Float>
using Vec = hn::VFromD<Lanes<Float>>;

template <class Float>
HWY_INLINE Vec<Float> set_bits(typename Format<Float>::Bits bits) {
  return hn::Set(Lanes<Float>(), hwy::MakeSigned<Float>(bits));
}

/// Shifts a number that is not negative; few instruction sets shift signed 64-bit lanes right.
template <int count, class V>
HWY_INLINE V shift_right(V number) {
  const hn::DFromV<V> d;
  const hn::RebindToUnsigned<decltype(d)> unsigned_d;
  return hn::BitCast(d, hn::ShiftRight<count>(hn::BitCast(unsigned_d, number)));
}

/// How many lanes to skip to get to an aligned register: more than none, since the first is done apart.
template <class Lane>
HWY_INLINE std::size_t lanes_to_alignment(const Lane* at) {
  constexpr std::size_t size = sizeof(hn::VFromD<hn::ScalableTag<Lane>>);
  return (size - reinterpret_cast<std::uintptr_t>(at) % size) / sizeof(Lane);
}

/// The same fraction in [1, 2), as the bits of a floating-point number.
template <class Float>
HWY_INLINE Vec<Float> significand(Vec<Float> magnitude) {
  using F = Format<Float>;
  using Bits = typename F::Bits;
  const auto one = set_bits<Float>(Bits(F::bias) << F::fraction_bits);
  return hn::Or(hn::And(magnitude, set_bits<Float>((Bits(1) << F::fraction_bits) - 1)), one);
}

// The value nearest to a magnitude within the ladder, in two ways. Constructors are spelled out since GCC does not
// compile implicit ones for the target.
//
// Tried on Zen 5, without gain: to work on 2 to 8 registers side by side; for 8 bit on AVX2, to guess the step by a
// parabola, which halves the table; for products, to guess by a cubic instead of lines, and to form both values from
// the threshold; to quantize a tensor from its end, which the pass for the maximum has left in the cache.

/// Looks up what belongs to a magnitude's piece of an octave, by the bits that follow the exponent.
template <class D, class W, int fraction_bits>
class PieceLookup {
  using V = hn::VFromD<D>;
  static constexpr int pieces = 2 * W::steps;
  static constexpr int bin_shift = fraction_bits - floor_log2(W::steps);

public:
  template <class Tables>
  HWY_INLINE explicit PieceLookup(const Tables& tables) : narrow_(tables.carry), wide_(tables.wide_carry) {}

  HWY_INLINE V operator()(V magnitude) const {
    const V narrow = narrow_(shift_right<bin_shift - 1>(magnitude));
    if constexpr (!upper_half_is_wide)
      return narrow;
    const V wide = wide_(shift_right<bin_shift>(magnitude));
    const V half_as_sign = hn::ShiftLeft<8 * sizeof(hn::TFromD<D>) - fraction_bits>(magnitude);
    return if_negative(half_as_sign, wide, narrow);
  }

private:
  // Where the narrow pieces of a whole octave take four registers, two for the lower half and one of wide pieces for
  // the upper half are faster; a wider register holds more at once.
  static constexpr bool upper_half_is_wide = HWY_TARGET == HWY_AVX2 && registers_for<D, pieces>() == 4;

  Lookup<D, upper_half_is_wide ? pieces / 2 : pieces> narrow_;
  Lookup<D, W::steps / 2> wide_;
};

/// By a table of pieces.
template <class Float, class W>
class ByPiece {
  using F = Format<Float>;
  using V = Vec<Float>;
  using Tables = CarryTables<Float, W>;

public:
  HWY_INLINE ByPiece() : carry_(tables_), value_(tables_.value) {}

  HWY_INLINE V operator()(V magnitude) const {
    const V binned = hn::Add(magnitude, carry_(magnitude));
    const V exponent = hn::And(binned, set_bits<Float>(F::infinity));
    return hn::Or(exponent, value_(shift_right<Tables::bin_shift>(binned)));
  }

private:
  static constexpr const Tables& tables_ = carry_tables<Float, W>;
  PieceLookup<Lanes<Float>, W, F::fraction_bits> carry_;
  Lookup<Lanes<Float>, W::steps> value_;
};

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2

/// By products. Needs rounding to nearest.
template <class Float, class W>
class ByProduct {
  using V = Vec<Float>;
  using D = Lanes<Float>;
  using Tables = ProductTables<Float, W>;

public:
  HWY_INLINE ByProduct()
      : slope_(tables_.slope), offset_(tables_.offset), base_(tables_.base), rest_(tables_.rest),
        fine_value_(tables_.fine_value), fine_threshold_(tables_.fine_threshold), fine_next_(tables_.fine_next) {}

  HWY_INLINE V operator()(V magnitude) const {
    const V bits = significand<Float>(magnitude);
    const auto m = as_floats(bits);
    const V piece = shift_right<Tables::piece_shift>(magnitude);
    const V guess = hn::BitCast(D(), hn::MulAdd(m, as_floats(slope_(piece)), as_floats(offset_(piece))));

    const V coarse = shift_right<Tables::fine_shift>(guess);
    const auto base = as_floats(base_(coarse)), rest = as_floats(rest_(coarse));
    const auto threshold = hn::MulAdd(base, as_floats(fine_threshold_(guess)), rest);
    const auto is_next = hn::Gt(hn::Sub(m, base), threshold); // the difference is exact
    const auto fine = hn::IfThenElse(is_next, as_floats(fine_next_(guess)), as_floats(fine_value_(guess)));
    const V value = hn::BitCast(D(), hn::Add(base, hn::MulAdd(base, fine, rest)));
    return hn::Add(value, hn::Sub(magnitude, bits));
  }

private:
  static constexpr const Tables& tables_ = product_tables<Float, W>;
  static_assert(tables_.exact);
  Lookup<D, Tables::pieces> slope_, offset_;
  Lookup<D, Tables::coarse_steps> base_, rest_;
  Lookup<D, Tables::fine_steps> fine_value_, fine_threshold_, fine_next_;
};

#endif

/// What becomes zero.
template <class Float, class W>
class ZeroTest {
  using F = Format<Float>;
  using V = Vec<Float>;

public:
  HWY_INLINE explicit ZeroTest(int delta) : lowest_positive_(smallest(delta)), lowest_negative_(smallest(delta + 1)) {}

  /// Twice the largest magnitude that becomes zero, for a number's sign. It quantizes to the lowest value.
  HWY_INLINE V lowest(V number) const { return if_negative(number, lowest_negative_, lowest_positive_); }

  HWY_INLINE auto operator()(V number) const {
    const V magnitude = hn::And(number, set_bits<Float>(~F::sign));
    // One comparison finds what becomes zero: twice a magnitude of half the lowest or less is not above the lowest,
    // and the double of a NaN is negative as an integer. Infinity's would be too, hence "less one".
    const V doubled_less_one = hn::Add(magnitude, set_bits<Float>((typename F::Bits(1) << F::fraction_bits) - 1));
    return hn::Gt(lowest(number), doubled_less_one);
  }

private:
  /// The lowest value's power, rounded down.
  static HWY_INLINE V smallest(int exponent) {
    return set_bits<Float>(ladder<Float, W>.zero_limit(exponent) + (typename F::Bits(1) << F::fraction_bits));
  }

  const V lowest_positive_, lowest_negative_;
};

/// Quantizes one register of numbers.
template <class Float, class W, class Nearest>
class Quantizer {
  using F = Format<Float>;
  using V = Vec<Float>;

public:
  static constexpr bool takes_pairs = false;

  HWY_INLINE explicit Quantizer(int delta)
      : is_zero_(delta), highest_(set_bits<Float>(ladder<Float, W>.value(delta + W::max_code))) {}

  HWY_INLINE V operator()(V number) const {
    const V magnitude = hn::And(number, set_bits<Float>(~F::sign));
    const auto is_zero = is_zero_(number);
    const V value = nearest_(hn::Max(hn::Min(magnitude, highest_), is_zero_.lowest(number)));
    const V sign = hn::And(number, set_bits<Float>(F::sign));
    return hn::IfThenZeroElse(is_zero, hn::Or(value, sign));
  }

private:
  const ZeroTest<Float, W> is_zero_;
  const V highest_;
  const Nearest nearest_;
};

#if HWY_TARGET == HWY_AVX2

/// Quantizes two registers of double at once, by a table of pieces: with their high words in one register and their low
/// words in another, tables in registers serve, where 64-bit lanes would have to gather from memory.
template <class W>
class PairQuantizer {
  using V = Vec<double>;
  using Words = Vec<float>;
  using D = Lanes<float>;
  static constexpr int fraction_bits = Format<double>::fraction_bits - 32; // of the high word
  static constexpr int bin_shift = fraction_bits - floor_log2(W::steps);

public:
  static constexpr bool takes_pairs = true;

  HWY_INLINE explicit PairQuantizer(int delta)
      : is_zero_(delta), lowest_positive_(bin_of(delta)), lowest_negative_(bin_of(delta + 1)),
        highest_(bin_of(delta + W::max_code)), high_carry_(tables_.high), low_carry_(tables_.low),
        high_value_(tables_.high.value), low_value_(tables_.low.value) {}

  HWY_INLINE void operator()(V& a, V& b) const {
    const auto a_words = as_floats(hn::BitCast(D(), a)), b_words = as_floats(hn::BitCast(D(), b));
    // In the order that Interleave* takes back.
    const Words high = hn::BitCast(D(), decltype(a_words){_mm256_shuffle_ps(a_words.raw, b_words.raw, 0xdd)});
    const Words low = hn::BitCast(D(), decltype(a_words){_mm256_shuffle_ps(a_words.raw, b_words.raw, 0x88)});

    const Words sign = hn::And(high, set_bits<float>(Format<float>::sign));
    const Words magnitude = hn::Xor(high, sign);
    const Words low_as_signed = hn::Xor(low, set_bits<float>(Format<float>::sign));
    const auto carries = hn::VecFromMask(D(), hn::Gt(low_as_signed, low_carry_(magnitude))); // -1 where it does
    const Words binned = hn::Sub(hn::Add(magnitude, high_carry_(magnitude)), carries);
    // To clamp the magnitudes first, as 64-bit lanes, would take a third longer.
    const Words lowest = if_negative(high, lowest_negative_, lowest_positive_);
    const Words clamped = hn::Max(hn::Min(binned, highest_), lowest);

    const Words exponent = hn::And(clamped, set_bits<float>(Format<double>::infinity >> 32));
    const Words bin = shift_right<bin_shift>(clamped);
    const Words high_value = hn::Or(hn::Or(exponent, sign), high_value_(bin));
    const Words low_value = low_value_(bin);
    const Lanes<double> d;
    a = hn::IfThenZeroElse(is_zero_(a), hn::BitCast(d, hn::InterleaveLower(D(), low_value, high_value)));
    b = hn::IfThenZeroElse(is_zero_(b), hn::BitCast(d, hn::InterleaveUpper(D(), low_value, high_value)));
  }

  HWY_INLINE V operator()(V number) const {
    V same = number;
    (*this)(number, same);
    return number;
  }

private:
  static HWY_INLINE Words bin_of(int exponent) {
    return set_bits<float>(unsigned(exponent + Format<double>::bias * W::steps) << bin_shift);
  }

  static constexpr const CarryWords<W>& tables_ = carry_words<W>;
  const ZeroTest<double, W> is_zero_;
  const Words lowest_positive_, lowest_negative_, highest_;
  PieceLookup<D, W, fraction_bits> high_carry_, low_carry_;
  Lookup<D, W::steps> high_value_, low_value_;
};

#endif

template <class Float, class Quantize>
HWY_NOINLINE void quantize_with(Float* data, std::size_t count, int delta) {
  const Lanes<Float> d;
  using Lane = hn::TFromD<decltype(d)>;
  constexpr std::size_t lanes = hn::MaxLanes(Lanes<Float>());
  const Quantize quantizer(delta);

  Lane* const begin = reinterpret_cast<Lane*>(data);
  if (count < lanes) {
    alignas(64) Lane few[lanes] = {};
    std::memcpy(few, begin, count * sizeof(Lane));
    hn::Store(quantizer(hn::Load(d, few)), d, few);
    std::memcpy(begin, few, count * sizeof(Lane));
    return;
  }
  // The first and the last register overlap the aligned ones between. A quantized number stays as it is when quantized
  // again, so that it doesn't matter which of them writes first.
  Lane* const last = begin + count - lanes;
  const Vec<Float> quantized_last = quantizer(hn::LoadU(d, last));
  hn::StoreU(quantizer(hn::LoadU(d, begin)), d, begin);
  Lane* at = begin + lanes_to_alignment(begin);
  if constexpr (Quantize::takes_pairs) {
    for (; at + lanes < last; at += 2 * lanes) {
      hwy::Prefetch(reinterpret_cast<const char*>(at) + prefetch_distance);
      Vec<Float> a = hn::LoadU(d, at), b = hn::LoadU(d, at + lanes);
      quantizer(a, b);
      hn::StoreU(a, d, at);
      hn::StoreU(b, d, at + lanes);
    }
  }
  for (; at < last; at += lanes) {
    hwy::Prefetch(reinterpret_cast<const char*>(at) + prefetch_distance);
    hn::StoreU(quantizer(hn::LoadU(d, at)), d, at);
  }
  hn::StoreU(quantized_last, d, last);
}

#if HWY_ARCH_X86
/// Rounds to nearest while it lives, and leaves the caller's rounding mode and exception flags as they were.
class RoundingToNearest {
public:
  RoundingToNearest() { _mm_setcsr(0x1f80); }
  ~RoundingToNearest() { _mm_setcsr(callers_); }

private:
  const unsigned int callers_ = _mm_getcsr();
};
#endif

template <class Float, class W>
void quantize(Float* data, std::size_t count, int delta) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  if constexpr (W::bits == 16 && (HWY_TARGET == HWY_AVX3 || sizeof(Float) == 4)) {
    const RoundingToNearest rounding;
    return quantize_with<Float, Quantizer<Float, W, ByProduct<Float, W>>>(data, count, delta);
  }
#endif
#if HWY_TARGET == HWY_AVX2
  if constexpr (W::bits == 8 && sizeof(Float) == 8)
    return quantize_with<Float, PairQuantizer<W>>(data, count, delta);
#endif
  quantize_with<Float, Quantizer<Float, W, ByPiece<Float, W>>>(data, count, delta);
}

template <class Float>
typename Format<Float>::Bits max_abs(const Float* data, std::size_t count) {
  using F = Format<Float>;
  using V = Vec<Float>;
  using Lane = hwy::MakeSigned<Float>;
  const Lanes<Float> d;
  constexpr std::size_t lanes = hn::MaxLanes(Lanes<Float>());
  const auto raise = [d](V maximum, const Lane* from) HWY_ATTR {
    const V magnitude = hn::And(hn::LoadU(d, from), set_bits<Float>(~F::sign));
    const auto is_nan = hn::Gt(magnitude, set_bits<Float>(F::infinity));
    return hn::Max(maximum, hn::IfThenZeroElse(is_nan, magnitude));
  };

  const Lane* const begin = reinterpret_cast<const Lane*>(data);
  const Lane* const end = begin + count;
  V maximum = hn::Zero(d);
  if (count < lanes) {
    alignas(64) Lane few[lanes] = {};
    std::memcpy(few, begin, count * sizeof(Lane));
    maximum = raise(maximum, few);
  } else {
    maximum = raise(maximum, begin);
    const Lane* at = begin + lanes_to_alignment(begin);
    V maxima[4] = {maximum, maximum, maximum, maximum};
    for (; std::size_t(end - at) >= 4 * lanes; at += 4 * lanes) {
      for (std::size_t i = 0; i < 4 * sizeof(V); i += 64)
        hwy::Prefetch(reinterpret_cast<const char*>(at) + prefetch_distance + i);
      for (std::size_t i = 0; i < 4; ++i)
        maxima[i] = raise(maxima[i], at + i * lanes);
    }
    maximum = hn::Max(hn::Max(maxima[0], maxima[1]), hn::Max(maxima[2], maxima[3]));
    for (; std::size_t(end - at) >= lanes; at += lanes)
      maximum = raise(maximum, at);
    maximum = raise(maximum, end - lanes);
  }
  return hn::GetLane(hn::MaxOfLanes(d, maximum));
}

} // namespace

template <class Float>
constexpr Kernels<Float> kernels{max_abs<Float>, quantize<Float, Width8>, quantize<Float, Width16>};

} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif // HWY_TARGET

#if HWY_ONCE

namespace gfpq {
namespace {

#if HWY_ARCH_X86
// What Highway takes for granted in code for these targets, but for F16C: all with AVX2 have it, and not every compiler
// can ask.
bool has_sse4() {
  __builtin_cpu_init(); // a caller's constructor may run before the compiler's own
  return __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("sse4.2") &&
         __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("aes");
}
bool has_avx2() {
  return has_sse4() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd");
}
#endif

#if HWY_TARGETS & HWY_AVX3
constexpr Target avx512{"avx512", has_avx512, N_AVX3::kernels<float>, N_AVX3::kernels<double>};
#endif
#if HWY_TARGETS & HWY_AVX2
constexpr Target avx2{"avx2", has_avx2, N_AVX2::kernels<float>, N_AVX2::kernels<double>};
#endif
#if HWY_TARGETS & HWY_SSE4
constexpr Target sse4{"sse4", has_sse4, N_SSE4::kernels<float>, N_SSE4::kernels<double>};
#endif
#if HWY_ARCH_ARM && !(HWY_STATIC_TARGET & (HWY_SCALAR | HWY_EMU128))
constexpr Target neon{"neon", [] { return true; }, HWY_STATIC_DISPATCH(kernels<float>),
                      HWY_STATIC_DISPATCH(kernels<double>)};
#endif

} // namespace

Targets compiled_simd_targets() {
  Targets targets;
#if HWY_TARGETS & HWY_AVX3
  targets.add(avx512);
#endif
#if HWY_TARGETS & HWY_AVX2
  targets.add(avx2);
#endif
#if HWY_TARGETS & HWY_SSE4
  targets.add(sse4);
#endif
#if HWY_ARCH_ARM && !(HWY_STATIC_TARGET & (HWY_SCALAR | HWY_EMU128))
  targets.add(neon);
#endif
  return targets;
}

} // namespace gfpq

#endif // HWY_ONCE
