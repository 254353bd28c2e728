// Loops that compilers vectorize: one text, which every target's functions have inlined, and so is compiled for each.
// By integers alone, as elements.hpp says.
#ifndef GFPQ_KERNELS_CPU_LOOPS_HPP
#define GFPQ_KERNELS_CPU_LOOPS_HPP

#include <cstddef>
#include <cstring>

#include "../elements.hpp"

#ifdef _MSC_VER
#define GFPQ_INLINE __forceinline
#define GFPQ_RESTRICT __restrict
#else
#define GFPQ_INLINE inline __attribute__((always_inline))
#define GFPQ_RESTRICT __restrict__
#endif

namespace gfpq {
namespace loops {

template <class Float>
GFPQ_INLINE typename Format<Float>::Bits load_bits(const Float* from) {
  typename Format<Float>::Bits bits;
  std::memcpy(&bits, from, sizeof bits);
  return bits;
}

template <class Float>
GFPQ_INLINE typename Format<Float>::Signed
load_magnitude(const Float* from) { // signed, as most instruction sets compare
  return typename Format<Float>::Signed(load_bits(from) & ~Format<Float>::sign);
}

template <class Float>
GFPQ_INLINE void raise_each(const Float* GFPQ_RESTRICT data, std::size_t count,
                            typename Format<Float>::Bits* GFPQ_RESTRICT maxima) {
  using Signed = typename Format<Float>::Signed;
  for (std::size_t i = 0; i < count; ++i) {
    const Signed magnitude = load_magnitude(data + i), former = Signed(maxima[i]);
    const Signed number = magnitude > Signed(Format<Float>::infinity) ? 0 : magnitude;
    maxima[i] = typename Format<Float>::Bits(number > former ? number : former);
  }
}

template <class Float>
GFPQ_INLINE void write_mask(const Float* GFPQ_RESTRICT data, std::size_t count, typename Format<Float>::Bits largest,
                            unsigned char* GFPQ_RESTRICT mask) {
  using Signed = typename Format<Float>::Signed;
  for (std::size_t i = 0; i < count; ++i)
    mask[i] = load_magnitude(data + i) <= Signed(largest);
}

template <class Float>
GFPQ_INLINE void write_mask_of_each(const Float* GFPQ_RESTRICT data, std::size_t count,
                                    const typename Format<Float>::Bits* GFPQ_RESTRICT largest,
                                    unsigned char* GFPQ_RESTRICT mask) {
  using Signed = typename Format<Float>::Signed;
  for (std::size_t i = 0; i < count; ++i)
    mask[i] = load_magnitude(data + i) <= Signed(largest[i]);
}

template <class Half>
GFPQ_INLINE unsigned max_abs_of_halves(const Half* data, std::size_t count) {
  short maximum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    // With so much added, a NaN is negative.
    constexpr int added = 0x7fff - ElementType<Half>::infinity;
    const auto number = static_cast<short>((data[i].bits & 0x7fff) + added);
    maximum = number > maximum ? number : maximum;
  }
  const int magnitude = maximum - (0x7fff - ElementType<Half>::infinity);
  return ElementType<Half>::computed({static_cast<unsigned short>(magnitude > 0 ? magnitude : 0)});
}

template <class Half>
GFPQ_INLINE void widen(const Half* GFPQ_RESTRICT in, std::size_t count, float* GFPQ_RESTRICT out) {
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned computed = ElementType<Half>::computed(in[i]);
    std::memcpy(out + i, &computed, sizeof computed);
  }
}

template <class Half>
GFPQ_INLINE void round(const float* GFPQ_RESTRICT in, std::size_t count, Half* GFPQ_RESTRICT out) {
  for (std::size_t i = 0; i < count; ++i)
    out[i] = ElementType<Half>::rounded(load_bits(in + i));
}

template <class Half>
GFPQ_INLINE void round_normal(const float* GFPQ_RESTRICT in, std::size_t count, Half* GFPQ_RESTRICT out) {
  for (std::size_t i = 0; i < count; ++i)
    out[i] = ElementType<Half>::rounded_normal(load_bits(in + i));
}

} // namespace loops
} // namespace gfpq

#endif
