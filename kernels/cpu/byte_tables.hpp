// Tables for float cut into bytes, for instruction sets that look up 16 bytes at once.
#ifndef GFPQ_KERNELS_CPU_BYTE_TABLES_HPP
#define GFPQ_KERNELS_CPU_BYTE_TABLES_HPP

#include "../carry_tables.hpp"
#include "product_tables.hpp"

namespace gfpq {

/// Bytes `first` to `first + count - 1` of `size` entries, the lowest being 0: byte `first + i` of each is in table i.
template <int first, int count, int size>
struct BytesOfEntries {
  using Byte = unsigned char;
  using Bits = Format<float>::Bits;

  alignas(64) Byte table[count][size];

  constexpr explicit BytesOfEntries(const Bits (&entries)[size]) : table() {
    for (int byte = 0; byte < count; ++byte)
      for (int i = 0; i < size; ++i)
        table[byte][i] = Byte(entries[i] >> 8 * (first + byte));
  }

  /// Whether each entry is the sum of its bytes and of `others`, which all have in common.
  constexpr bool are_all_but(Bits others, const Bits (&entries)[size]) const {
    for (int i = 0; i < size; ++i) {
      Bits sum = others;
      for (int byte = 0; byte < count; ++byte)
        sum |= Bits(table[byte][i]) << 8 * (first + byte);
      if (sum != entries[i])
        return false;
    }
    return true;
  }
};

template <class Tables>
constexpr Tables proven_bytes() {
  constexpr Tables tables;
  static_assert(tables.agree_with_the_entries(), "every entry is the sum of its bytes");
  return tables;
}

/// The carry tables. The highest byte is 0 in all.
template <class Width>
struct ByteTables {
  using Tables = CarryTables<float, Width>;
  static constexpr int bytes = 3;

  BytesOfEntries<0, bytes, Tables::P::count> carry{carry_tables<float, Width>.carry};
  BytesOfEntries<0, bytes, Width::steps> value{carry_tables<float, Width>.value};

  constexpr bool agree_with_the_entries() const {
    return carry.are_all_but(0, carry_tables<float, Width>.carry) &&
           value.are_all_but(0, carry_tables<float, Width>.value);
  }
};

template <class Width>
inline constexpr ByteTables<Width> byte_tables = proven_bytes<ByteTables<Width>>();

/// The coarse powers of the product tables. All bases have the same highest byte, and a rest has so few digits that its
/// low bytes are 0.
template <class Width>
struct PowerBytes {
  using Tables = ProductTables<float, Width>;
  using Bits = Format<float>::Bits;
  static constexpr int size = 16; ///< what one instruction looks up
  static constexpr int base_bytes = 3, rest_bytes = 2;
  static constexpr Bits bases_highest_byte = 0x3f;

  struct Patterns {
    Bits base[size], rest[size];

    constexpr explicit Patterns(const Tables& tables) : base(), rest() {
      for (int i = 0; i < size; ++i) {
        base[i] = bits_of(tables.base[i]);
        rest[i] = bits_of(tables.rest[i]);
      }
    }
  };
  BytesOfEntries<0, base_bytes, size> base{Patterns(product_tables<float, Width>).base};
  BytesOfEntries<4 - rest_bytes, rest_bytes, size> rest{Patterns(product_tables<float, Width>).rest};

  constexpr bool agree_with_the_entries() const {
    constexpr Patterns patterns{product_tables<float, Width>};
    return base.are_all_but(bases_highest_byte << 24, patterns.base) && rest.are_all_but(0, patterns.rest);
  }

  /// The pattern of 0 or of a normal number.
  static constexpr Bits bits_of(float number) {
    using F = Format<float>;
    if (number == 0)
      return 0;
    Bits bits = number < 0 ? F::sign : Bits(0);
    if (number < 0)
      number = -number;
    int exponent = F::bias;
    for (; number >= 2; ++exponent)
      number /= 2;
    for (; number < 1; --exponent)
      number *= 2;
    return bits | Bits(exponent) << F::fraction_bits | Bits((number - 1) * float(1 << F::fraction_bits));
  }
};

template <class Width>
inline constexpr PowerBytes<Width> power_bytes = proven_bytes<PowerBytes<Width>>();

} // namespace gfpq

#endif
