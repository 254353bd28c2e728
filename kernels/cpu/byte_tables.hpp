// The carry tables cut into bytes, for instruction sets that look up 16 bytes at once.
#ifndef GFPQ_KERNELS_CPU_BYTE_TABLES_HPP
#define GFPQ_KERNELS_CPU_BYTE_TABLES_HPP

#include "../carry_tables.hpp"

namespace gfpq {

/// Byte i of every entry for float is in table i. The highest byte is 0 in all, and left out.
template <class Width>
struct ByteTables {
  using Byte = unsigned char;
  using Tables = CarryTables<float, Width>;
  using Bits = typename Tables::Bits;
  static constexpr int bytes = 3;

  alignas(64) Byte carry[bytes][Tables::P::count];
  alignas(64) Byte value[bytes][Width::steps];

  constexpr ByteTables() : carry(), value() {
    for (int byte = 0; byte < bytes; ++byte) {
      for (int i = 0; i < Tables::P::count; ++i)
        carry[byte][i] = Byte(carry_tables<float, Width>.carry[i] >> 8 * byte);
      for (int i = 0; i < Width::steps; ++i)
        value[byte][i] = Byte(carry_tables<float, Width>.value[i] >> 8 * byte);
    }
  }

  /// Whether each entry is the sum of its bytes.
  constexpr bool agree_with_the_entries() const {
    for (int i = 0; i < Tables::P::count; ++i)
      if (sum(carry, i) != carry_tables<float, Width>.carry[i])
        return false;
    for (int i = 0; i < Width::steps; ++i)
      if (sum(value, i) != carry_tables<float, Width>.value[i])
        return false;
    return true;
  }

private:
  template <int size>
  static constexpr Bits sum(const Byte (&tables)[bytes][size], int i) {
    return Bits(tables[0][i]) | Bits(tables[1][i]) << 8 | Bits(tables[2][i]) << 16;
  }
};

template <class Width>
constexpr ByteTables<Width> proven_byte_tables() {
  constexpr ByteTables<Width> tables;
  static_assert(tables.agree_with_the_entries(), "the bytes of the carry tables are their entries");
  return tables;
}

template <class Width>
inline constexpr ByteTables<Width> byte_tables = proven_byte_tables<Width>();

} // namespace gfpq

#endif
