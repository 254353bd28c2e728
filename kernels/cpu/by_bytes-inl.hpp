// The values nearest to the numbers of four registers of floats, within the ladder, by the carry tables in bytes
// (byte_tables.hpp): the indices of all four fit one register of bytes, and an instruction looks up a byte for each.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_BY_BYTES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_BY_BYTES_INL_HPP
#undef GFPQ_KERNELS_CPU_BY_BYTES_INL_HPP
#else
#define GFPQ_KERNELS_CPU_BY_BYTES_INL_HPP
#endif

#include "kernels/cpu/bytes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

template <class Width, class Float = float>
class ByBytes {
  using F = Format<Float>;
  using V = Vec<Float>;
  using Tables = ByteTables<Width>;
  using P = typename Tables::Tables::P;
  static constexpr int table_size = 16;
  static_assert(P::count == 2 * table_size && Width::steps == table_size, "what the look-ups are made for");

public:
  static constexpr int registers = 4;
  static constexpr bool needs_rounding_to_nearest = false;
  static constexpr bool prefetches_to_second_cache = false;

  HWY_INLINE ByBytes() {
    for (int byte = 0; byte < Tables::bytes; ++byte) {
      lower_carry_[byte] = hn::LoadDup128(DBytes(), tables_.carry.table[byte]);
      upper_carry_[byte] = hn::LoadDup128(DBytes(), tables_.carry.table[byte] + table_size);
      value_[byte] = hn::LoadDup128(DBytes(), tables_.value.table[byte]);
    }
  }

  HWY_INLINE void operator()(V (&numbers)[registers]) const {
    // A byte with its highest bit set looks up 0: of the two halves of the table each leaves the other's entries alone.
    const Bytes piece = packed<P::piece_shift, P::count>(numbers);
    const Bytes in_lower = hn::Add(piece, hn::Set(DBytes(), 0x80 - table_size));
    const Bytes in_upper = hn::Sub(piece, hn::Set(DBytes(), table_size));
    Bytes bytes[Tables::bytes];
    for (int i = 0; i < Tables::bytes; ++i)
      bytes[i] = hn::Or(hn::TableLookupBytesOr0(lower_carry_[i], in_lower),
                        hn::TableLookupBytesOr0(upper_carry_[i], in_upper));
    const Bytes zero = hn::Zero(DBytes());
    V parts[registers];
    unpack(bytes[0], bytes[1], bytes[2], zero, parts);
    for (int i = 0; i < registers; ++i)
      numbers[i] = hn::Add(numbers[i], parts[i]);

    const Bytes bin = packed<P::bin_shift, Width::steps>(numbers);
    for (int i = 0; i < Tables::bytes; ++i)
      bytes[i] = hn::TableLookupBytesOr0(value_[i], bin);
    unpack(bytes[0], bytes[1], bytes[2], zero, parts);
    for (int i = 0; i < registers; ++i)
      numbers[i] = hn::Or(hn::And(numbers[i], set_bits<Float>(F::sign | F::infinity)), parts[i]);
  }

private:
  /// The last bits of the shifted numbers, in the order that unpack() takes back.
  template <int shift, int size>
  static HWY_INLINE Bytes packed(const V (&numbers)[registers]) {
    const auto words = [&](int first) HWY_ATTR {
      const auto both = pack_words(shift_right<shift>(numbers[first]), shift_right<shift>(numbers[first + 1]));
      return hn::And(both, hn::Set(DWords(), size - 1));
    };
    return pack_bytes(words(0), words(2));
  }

  static constexpr const Tables& tables_ = byte_tables<Width>;
  Bytes lower_carry_[Tables::bytes], upper_carry_[Tables::bytes], value_[Tables::bytes];
};

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
