// The 16 bytes in which a tensor's delta is kept.
#ifndef GFPQ_SRC_PARAMETER_BLOCK_HPP
#define GFPQ_SRC_PARAMETER_BLOCK_HPP

#include <optional>

#include "gfpq.hpp"
#include "kernels/block.hpp"

namespace gfpq {

static_assert(sizeof(BlockWords) == GFPQ_PARAM_LEN, "a block is its words");

inline void encode_block(int delta, unsigned char (&block)[GFPQ_PARAM_LEN]) {
  const BlockWords words = BlockWords::of(delta);
  for (int i = 0; i < GFPQ_PARAM_LEN; ++i)
    block[i] = static_cast<unsigned char>(words.word[i / 4] >> (i % 4 * 8));
}

/// The block's delta, or nothing where the words disagree. A block does not say for which bit width it was made.
/// Word by word: a call on a few numbers would notice bytes that are written and compared.
inline std::optional<int> decode_block(const unsigned char (&block)[GFPQ_PARAM_LEN]) {
  const auto word = [&](int i) {
    const unsigned char* const bytes = block + 4 * i;
    return bytes[0] | unsigned{bytes[1]} << 8 | unsigned{bytes[2]} << 16 | unsigned{bytes[3]} << 24;
  };
  const BlockWords words{{word(0), word(1), word(2), word(3)}};
  if (!words.is_valid())
    return std::nullopt;
  return words.delta();
}

} // namespace gfpq

#endif
