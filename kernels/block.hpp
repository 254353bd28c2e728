// The four words of a parameter block, little-endian in its 16 bytes: delta, and three of check bits around it.
#ifndef GFPQ_KERNELS_BLOCK_HPP
#define GFPQ_KERNELS_BLOCK_HPP

#include "ladder.hpp"

namespace gfpq {

struct BlockWords {
  static constexpr int count = 4;
  unsigned word[count];

  GFPQ_HOST_DEVICE static constexpr BlockWords of(int delta) {
    const unsigned first = check_word(unsigned(delta));
    return {{first, unsigned(delta), first ^ second_mask, first ^ third_mask}};
  }

  /// Whether the words agree: then they hold a delta. They do not say for which bit width. Without a branch, so that a
  /// GPU loads all of them at once.
  GFPQ_HOST_DEVICE constexpr bool is_valid() const {
    return ((word[0] ^ check_word(word[1])) | (word[0] ^ word[2] ^ second_mask) | (word[0] ^ word[3] ^ third_mask)) ==
           0;
  }
  GFPQ_HOST_DEVICE constexpr int delta() const { return int(word[1]); }

  GFPQ_HOST_DEVICE constexpr bool was_never_set() const { return (word[0] | word[1] | word[2] | word[3]) == 0; }

private:
  static constexpr unsigned second_mask = 0xA5A5A5A5u, third_mask = 0x5A5A5A5Au;

  /// The first of the three words that tell a valid block; the others are this one with some bits inverted.
  GFPQ_HOST_DEVICE static constexpr unsigned check_word(unsigned word1) {
    const unsigned x = ~word1;
    return (x << 3) | (x << 11) | (x << 21) | (x << 27);
  }
};

} // namespace gfpq

#endif
