// The 16 bytes in which a tensor's delta is kept.
#ifndef GFPQ_SRC_PARAMETER_BLOCK_HPP
#define GFPQ_SRC_PARAMETER_BLOCK_HPP

#include <cstdint>
#include <optional>

#include "gfpq.hpp"

namespace gfpq {

/// The first of the three words that tell a valid block; the others are this one with some bits inverted.
inline std::uint32_t check_word(std::uint32_t word1) {
  const std::uint32_t x = ~word1;
  return (x << 3) | (x << 11) | (x << 21) | (x << 27);
}

/// Writes the four little-endian words: three of check bits around delta.
inline void encode_block(int delta, unsigned char (&block)[GFPQ_PARAM_LEN]) {
  const auto word1 = static_cast<std::uint32_t>(delta);
  const std::uint32_t word0 = check_word(word1);
  const std::uint32_t words[] = {word0, word1, word0 ^ 0xA5A5A5A5u, word0 ^ 0x5A5A5A5Au};
  for (int i = 0; i < GFPQ_PARAM_LEN; ++i)
    block[i] = static_cast<unsigned char>(words[i / 4] >> (i % 4 * 8));
}

/// The block's delta, or nothing where the words disagree. A block does not say for which bit width it was made.
/// Word by word: a call on a few numbers would notice bytes that are written and compared.
inline std::optional<int> decode_block(const unsigned char (&block)[GFPQ_PARAM_LEN]) {
  const auto word = [&](int i) {
    const unsigned char* const bytes = block + 4 * i;
    return bytes[0] | std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[2]} << 16 | std::uint32_t{bytes[3]} << 24;
  };
  const std::uint32_t word0 = word(0), word1 = word(1);
  const bool is_valid =
      word0 == check_word(word1) && word(2) == (word0 ^ 0xA5A5A5A5u) && word(3) == (word0 ^ 0x5A5A5A5Au);
  if (!is_valid)
    return std::nullopt;
  return static_cast<std::int32_t>(word1);
}

} // namespace gfpq

#endif
