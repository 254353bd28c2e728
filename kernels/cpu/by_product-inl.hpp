// The values nearest to numbers within the ladder by products of powers (product_tables.hpp).
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_BY_PRODUCT_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_BY_PRODUCT_INL_HPP
#undef GFPQ_KERNELS_CPU_BY_PRODUCT_INL_HPP
#else
#define GFPQ_KERNELS_CPU_BY_PRODUCT_INL_HPP
#endif

#include "kernels/cpu/bytes-inl.hpp"
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

/// Looks up the coarse powers that the guesses for a register name.
template <class Float, class Width>
class Powers {
  using V = Vec<Float>;
  using Tables = ProductTables<Float, Width>;

public:
  static constexpr int registers = 1;

  HWY_INLINE Powers() : base_(tables_.base), rest_(tables_.rest) {}

  HWY_INLINE void operator()(const V (&guesses)[registers], V (&bases)[registers], V (&rests)[registers]) const {
    const V coarse = shift_right<Tables::fine_shift>(guesses[0]);
    bases[0] = base_(coarse);
    rests[0] = rest_(coarse);
  }

private:
  static constexpr const Tables& tables_ = product_tables<Float, Width>;
  Lookup<Lanes<Float>, Tables::coarse_steps> base_, rest_;
};

/// The same for four registers at once, by bytes (byte_tables.hpp).
template <class Width, class Float = float>
class PowersByBytes {
  using V = Vec<Float>;
  using Tables = PowerBytes<Width>;
  static_assert(Tables::base_bytes == 3 && Tables::rest_bytes == 2, "what is looked up here");

public:
  static constexpr int registers = 4;

  HWY_INLINE PowersByBytes() {
    for (int byte = 0; byte < Tables::base_bytes; ++byte)
      base_[byte] = hn::LoadDup128(DBytes(), tables_.base.table[byte]);
    for (int byte = 0; byte < Tables::rest_bytes; ++byte)
      rest_[byte] = hn::LoadDup128(DBytes(), tables_.rest.table[byte]);
  }

  HWY_INLINE void operator()(const V (&guesses)[registers], V (&bases)[registers], V (&rests)[registers]) const {
    constexpr int fine_shift = Tables::Tables::fine_shift;
    const auto words = [&](int first) HWY_ATTR {
      const V coarse_bits = set_bits<Float>((Tables::size - 1) << fine_shift);
      return pack_words(hn::And(guesses[first], coarse_bits), hn::And(guesses[first + 1], coarse_bits));
    };
    const auto coarse_in_place = hn::BitCast(DWords(), pack_bytes(words(0), words(2)));
    const Bytes coarse = hn::BitCast(DBytes(), hn::ShiftRight<fine_shift>(coarse_in_place));
    const auto look_up = [&](Bytes table) HWY_ATTR { return hn::TableLookupBytesOr0(table, coarse); };
    const Bytes zero = hn::Zero(DBytes()), highest = hn::Set(DBytes(), std::uint8_t(Tables::bases_highest_byte));
    unpack(look_up(base_[0]), look_up(base_[1]), look_up(base_[2]), highest, bases);
    unpack(zero, zero, look_up(rest_[0]), look_up(rest_[1]), rests);
  }

private:
  static constexpr const Tables& tables_ = power_bytes<Width>;
  Bytes base_[Tables::base_bytes], rest_[Tables::rest_bytes];
};

template <class Float, class Width, class Powers>
class ByProduct {
  using V = Vec<Float>;
  using D = Lanes<Float>;
  using Tables = ProductTables<Float, Width>;

public:
  static constexpr int registers = Powers::registers;
  static constexpr bool needs_rounding_to_nearest = !Traits::rounds_by_instruction;
  static constexpr bool prefetches_to_second_cache = false;

  HWY_INLINE ByProduct()
      : slope_(tables_.slope), offset_(tables_.offset), fine_value_(tables_.fine_value),
        fine_threshold_(tables_.fine_threshold), fine_next_(tables_.fine_next) {}

  HWY_INLINE void operator()(V (&numbers)[registers]) const {
    V guesses[registers], bases[registers], rests[registers];
    for (int i = 0; i < registers; ++i) {
      const V piece = shift_right<Tables::piece_shift>(numbers[i]);
      const auto m = as_floats(significand<Float>(numbers[i]));
      guesses[i] = hn::BitCast(D(), multiply_add(m, as_floats(slope_(piece)), as_floats(offset_(piece))));
    }
    powers_(guesses, bases, rests);
    for (int i = 0; i < registers; ++i)
      numbers[i] = nearest(numbers[i], guesses[i], as_floats(bases[i]), as_floats(rests[i]));
  }

private:
  template <class Floats>
  HWY_INLINE V nearest(V number, V guess, Floats base, Floats rest) const {
    const V bits = significand<Float>(number);
    const auto threshold = multiply_add(base, as_floats(fine_threshold_(guess)), rest);
    const auto is_next = is_less(threshold, subtract(as_floats(bits), base)); // the difference is exact
    const auto fine = as_floats(fine_next_.where(is_next, guess, fine_value_(guess)));
    const V value = hn::BitCast(D(), add(base, multiply_add(base, fine, rest)));
    return hn::Add(number, hn::Sub(value, bits));
  }

  static constexpr const Tables& tables_ = product_tables<Float, Width>;
  const Powers powers_;
  Lookup<D, Tables::pieces> slope_, offset_;
  Lookup<D, Tables::fine_steps> fine_value_, fine_threshold_, fine_next_;
};

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
