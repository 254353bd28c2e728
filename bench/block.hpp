// The parameter block as a benchmark needs it: the delta in its second word, little-endian on every machine.
#ifndef GFPQ_BENCH_BLOCK_HPP
#define GFPQ_BENCH_BLOCK_HPP

#include <cstdint>

#include "gfpq.hpp"

namespace bench {

inline int delta_of(const GFPQ_PARAM_ST& param) {
  const unsigned char* byte = param.buf + 4;
  return static_cast<std::int32_t>(byte[0] | std::uint32_t{byte[1]} << 8 | std::uint32_t{byte[2]} << 16 |
                                   std::uint32_t{byte[3]} << 24);
}

/// Writes that word alone: the block is not valid by that.
inline void set_delta(GFPQ_PARAM_ST& param, int delta) {
  for (int i = 0; i < 4; ++i)
    param.buf[4 + i] = static_cast<unsigned char>(static_cast<std::uint32_t>(delta) >> 8 * i);
}

} // namespace bench

#endif
