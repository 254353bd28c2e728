// The 16 bytes in which a tensor's delta is kept.
#ifndef GFPQ_SRC_PARAMETER_BLOCK_HPP
#define GFPQ_SRC_PARAMETER_BLOCK_HPP

#include <cstdint>
#include <cstring>
#include <optional>

#include "gfpq.hpp"

namespace gfpq {

/// Writes the four little-endian words: three of check bits around delta.
inline void encode_block(int delta, unsigned char (&block)[GFPQ_PARAM_LEN]) {
  const auto word1 = static_cast<std::uint32_t>(delta);
  const std::uint32_t x = ~word1;
  const std::uint32_t word0 = (x << 3) | (x << 11) | (x << 21) | (x << 27);
  const std::uint32_t words[] = {word0, word1, word0 ^ 0xA5A5A5A5u, word0 ^ 0x5A5A5A5Au};
  for (int i = 0; i < GFPQ_PARAM_LEN; ++i)
    block[i] = static_cast<unsigned char>(words[i / 4] >> (i % 4 * 8));
}

/// The block's delta, or nothing where the words disagree. A block does not say for which bit width it was made.
inline std::optional<int> decode_block(const unsigned char (&block)[GFPQ_PARAM_LEN]) {
  const std::uint32_t word1 =
      block[4] | std::uint32_t{block[5]} << 8 | std::uint32_t{block[6]} << 16 | std::uint32_t{block[7]} << 24;
  const auto delta = static_cast<std::int32_t>(word1);
  unsigned char expected[GFPQ_PARAM_LEN];
  encode_block(delta, expected);
  if (std::memcmp(block, expected, sizeof expected) != 0)
    return std::nullopt;
  return delta;
}

} // namespace gfpq

#endif
