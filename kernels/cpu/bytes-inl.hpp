// Four registers of floats as registers of bytes, of which one instruction looks up all.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_BYTES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_BYTES_INL_HPP
#undef GFPQ_KERNELS_CPU_BYTES_INL_HPP
#else
#define GFPQ_KERNELS_CPU_BYTES_INL_HPP
#endif

#include "kernels/cpu/byte_tables.hpp"
#include "kernels/cpu/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

using DBytes = hn::Repartition<std::uint8_t, Lanes<float>>;
using DWords = hn::Repartition<std::uint16_t, Lanes<float>>;
using Bytes = hn::VFromD<DBytes>;

/// Puts the four bytes of each lane together: the lanes of the first register come first in each of `bytes`, from the
/// lowest byte on.
HWY_INLINE void unpack(Bytes byte_0, Bytes byte_1, Bytes byte_2, Bytes byte_3, Vec<float> (&numbers)[4]) {
  const auto as_words = [](Bytes v) HWY_ATTR { return hn::BitCast(DWords(), v); };
  const auto low_words_01 = as_words(hn::InterleaveLower(DBytes(), byte_0, byte_1));
  const auto low_words_23 = as_words(hn::InterleaveUpper(DBytes(), byte_0, byte_1));
  const auto high_words_01 = as_words(hn::InterleaveLower(DBytes(), byte_2, byte_3));
  const auto high_words_23 = as_words(hn::InterleaveUpper(DBytes(), byte_2, byte_3));
  const Lanes<float> d;
  numbers[0] = hn::BitCast(d, hn::InterleaveLower(DWords(), low_words_01, high_words_01));
  numbers[1] = hn::BitCast(d, hn::InterleaveUpper(DWords(), low_words_01, high_words_01));
  numbers[2] = hn::BitCast(d, hn::InterleaveLower(DWords(), low_words_23, high_words_23));
  numbers[3] = hn::BitCast(d, hn::InterleaveUpper(DWords(), low_words_23, high_words_23));
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
