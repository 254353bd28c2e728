// Numbers, codes and masks that a thread loads and stores at once. For host and device, so that the host can test it.
#ifndef GFPQ_KERNELS_CUDA_PACKETS_HPP
#define GFPQ_KERNELS_CUDA_PACKETS_HPP

#include "tiles.hpp"

namespace gfpq {
namespace cuda {

/// `lanes` numbers, 16 bytes at most, in words that all architectures load at once: PTX has no vector of more than
/// four.
template <class Number, unsigned lanes>
class alignas(sizeof(Number) * lanes) Packet {
  static constexpr unsigned bytes = sizeof(Number) * lanes;
  static constexpr unsigned word_bytes = sizeof(Number) == 8 ? 8 : bytes < 4 ? bytes : 4;
  static constexpr unsigned words = bytes / word_bytes;
  static constexpr unsigned lanes_of_word = word_bytes / sizeof(Number);
  using Word = typename UnsignedOf<word_bytes>::Type;
  static_assert(bytes <= 16, "the widest that all architectures load and store at once");

public:
  GFPQ_HOST_DEVICE GFPQ_ALWAYS_INLINE Number get(unsigned lane) const {
    return static_cast<Number>(words_[lane / lanes_of_word] >> shift_of(lane));
  }
  /// Of a packet that was cleared.
  GFPQ_HOST_DEVICE GFPQ_ALWAYS_INLINE void set(unsigned lane, Number number) {
    words_[lane / lanes_of_word] |= static_cast<Word>(Word(number) << shift_of(lane));
  }
  GFPQ_HOST_DEVICE GFPQ_ALWAYS_INLINE void clear() {
    GFPQ_UNROLL
    for (unsigned i = 0; i < words; ++i)
      words_[i] = 0;
  }

private:
  GFPQ_HOST_DEVICE static constexpr unsigned shift_of(unsigned lane) {
    return lane % lanes_of_word * 8 * unsigned(sizeof(Number));
  }

#ifdef __clang__
  typedef Word Words __attribute__((ext_vector_type(words)));
  Words words_; // of an array, Clang would load some words one by one
#else
  Word words_[words];
#endif
};

} // namespace cuda
} // namespace gfpq

#endif
