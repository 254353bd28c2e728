// What the operations do with a piece of a group whose delta is known: numbers or codes that lie one behind the other,
// at most `chunk_size` of them where they are computed in another type, in a buffer on the stack.
#ifndef GFPQ_SRC_TRANSFORMS_HPP
#define GFPQ_SRC_TRANSFORMS_HPP

#include <cstddef>
#include <cstring>

#include "kernels/codes.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/elements.hpp"

namespace gfpq {

template <class Element>
using ComputedOf = typename ElementType<Element>::Computed;
template <class Element>
using ComputedBits = typename Format<ComputedOf<Element>>::Bits;

/// Numbers in a buffer: it fits the first cache, with what is read and written beside it, and any thread's stack.
template <class Element>
inline constexpr std::size_t chunk_size = 8192 / sizeof(ComputedOf<Element>);

/// The bit pattern in which a number is computed.
template <class Element>
ComputedBits<Element> load(const Element* from) {
  if constexpr (ElementType<Element>::is_computed_in_itself) {
    ComputedBits<Element> bits;
    std::memcpy(&bits, from, sizeof bits);
    return bits;
  } else {
    return ElementType<Element>::computed(*from);
  }
}

/// Writes the number of the type that is nearest to what was computed.
template <class Element>
void store(ComputedBits<Element> computed, Element* to) {
  const auto rounded = ElementType<Element>::rounded(computed);
  static_assert(sizeof rounded == sizeof *to);
  std::memcpy(to, &rounded, sizeof rounded);
}

/// Numbers of a half type as those that they are computed as.
template <class Element>
void widen(const Element* from, std::size_t count, ComputedOf<Element>* to) {
  for (std::size_t i = 0; i < count; ++i)
    store<ComputedOf<Element>>(load(from + i), to + i);
}

/// The bits of the largest |x|, NaN left out; 0 where there is none.
template <class Element>
ComputedBits<Element> max_abs(const Target& target, const Element* numbers, std::size_t count) {
  if constexpr (ElementType<Element>::is_computed_in_itself) {
    return target.kernels<Element>().max_abs(numbers, count);
  } else {
    short maximum = 0; // signed, as the instruction sets compare
    for (std::size_t i = 0; i < count; ++i) {
      const auto magnitude = static_cast<short>(numbers[i].bits & 0x7fff);
      const bool is_larger = magnitude > maximum && magnitude <= ElementType<Element>::infinity;
      maximum = is_larger ? magnitude : maximum;
    }
    return ElementType<Element>::computed({static_cast<unsigned short>(maximum)});
  }
}

/// Writes where |x| does not exceed the largest value; NaN does.
template <class Element, class Width>
void write_mask(const Element* numbers, std::size_t count, int delta, unsigned char* mask) {
  const auto largest = ladder<ComputedOf<Element>, Width>.value(delta + Width::max_code);
  for (std::size_t i = 0; i < count; ++i)
    mask[i] = (load(numbers + i) & ~Format<ComputedOf<Element>>::sign) <= largest;
}

/// Numbers to values. Source and destination may be one.
template <class Element, class Width>
class FakeQuantize {
public:
  using In = Element;
  using Out = Element;

  FakeQuantize(const Target& target, int delta) : kernels_(target.kernels<ComputedOf<Element>>()), delta_(delta) {}

  void operator()(const In* in, Out* out, unsigned char* mask, std::size_t count) const {
    if (mask != nullptr)
      write_mask<Element, Width>(in, count, delta_, mask);
    if constexpr (ElementType<Element>::is_computed_in_itself) {
      if (in != out)
        std::memcpy(out, in, count * sizeof *out);
      kernels_.template fake_quantize<Width>(out, count, delta_);
    } else {
      using Computed = ComputedOf<Element>;
      alignas(64) Computed computed[chunk_size<Element>];
      widen(in, count, computed);
      kernels_.template fake_quantize<Width>(computed, count, delta_);
      // Loops of their own, which compilers vectorize: below the smallest normal number to round is more work.
      if (ladder<Computed, Width>.value(delta_) >= ElementType<Element>::smallest_normal_computed) {
        for (std::size_t i = 0; i < count; ++i)
          out[i] = ElementType<Element>::rounded_normal(load(computed + i));
      } else {
        for (std::size_t i = 0; i < count; ++i)
          store(load(computed + i), out + i);
      }
    }
  }

private:
  const Kernels<ComputedOf<Element>>& kernels_;
  const int delta_;
};

/// Numbers to codes.
template <class Element, class Width>
class Encode {
public:
  using In = Element;
  using Out = typename Codes<Width>::Code;

  Encode(const Target&, int delta) : encoder_(delta), delta_(delta) {}

  void operator()(const In* in, Out* out, unsigned char* mask, std::size_t count) const {
    if (mask != nullptr)
      write_mask<Element, Width>(in, count, delta_, mask);
    if constexpr (ElementType<Element>::is_computed_in_itself) {
      for (std::size_t i = 0; i < count; ++i)
        out[i] = encoder_(load(in + i));
    } else {
      ComputedOf<Element> computed[chunk_size<Element>];
      widen(in, count, computed);
      for (std::size_t i = 0; i < count; ++i)
        out[i] = encoder_(load(computed + i));
    }
  }

private:
  const Encoder<ComputedOf<Element>, Width> encoder_;
  const int delta_;
};

/// Codes that exist to values.
template <class Element, class Width>
class Decode {
public:
  using In = typename Codes<Width>::Code;
  using Out = Element;

  Decode(const Target&, int delta) : delta_(delta) {}

  void operator()(const In* in, Out* out, unsigned char*, std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i)
      store(decode<ComputedOf<Element>, Width>(in[i], delta_), out + i);
  }

private:
  const int delta_;
};

} // namespace gfpq

#endif
