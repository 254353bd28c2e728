// What the operations do with numbers or codes that lie one behind the other and whose deltas are known: at most
// `chunk_size` of them where they are computed in another type, in a buffer on the stack.
#ifndef GFPQ_SRC_TRANSFORMS_HPP
#define GFPQ_SRC_TRANSFORMS_HPP

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "kernels/cpu/kernels.hpp"

namespace gfpq {

template <class Element>
using ComputedOf = typename ElementType<Element>::Computed;
template <class Element>
using ComputedBits = typename Format<ComputedOf<Element>>::Bits;

/// Numbers in a buffer: it fits the first cache, with what is read and written beside it, and any thread's stack.
template <class Element>
inline constexpr std::size_t chunk_size = 8192 / sizeof(ComputedOf<Element>);

/// The kernels for the type that numbers are computed in.
template <class Element>
const Kernels<ComputedOf<Element>>& kernels_of(const Target& target) {
  return target.kernels<ComputedOf<Element>>();
}

/// Calls `work(numbers)` with the numbers as those that they are computed as.
template <class Element, class Work>
void with_computed(const Target& target, const Element* numbers, std::size_t count, const Work& work) {
  if constexpr (ElementType<Element>::is_computed_in_itself) {
    work(numbers);
  } else {
    alignas(64) ComputedOf<Element> computed[chunk_size<Element>];
    target.half_kernels<Element>().widen(numbers, count, computed);
    work(computed);
  }
}

/// Calls `work(numbers)` with memory for computed numbers, and writes those of the type that are nearest to them. They
/// are values of a ladder, or 0; `lowest_delta` is the least of their deltas.
template <class Element, class Width, class Work>
void through_computed(const Target& target, Element* numbers, std::size_t count, int lowest_delta, const Work& work) {
  if constexpr (ElementType<Element>::is_computed_in_itself) {
    work(numbers);
  } else {
    alignas(64) ComputedOf<Element> computed[chunk_size<Element>];
    work(computed);
    const HalfKernels<Element>& kernels = target.half_kernels<Element>();
    const auto lowest = ladder<ComputedOf<Element>, Width>.value(lowest_delta);
    const bool is_normal = lowest >= ElementType<Element>::smallest_normal_computed;
    (is_normal ? kernels.round_normal : kernels.round)(computed, count, numbers);
  }
}

/// The bits of the largest |x|, NaN left out; 0 where there is none.
template <class Element>
ComputedBits<Element> max_abs(const Target& target, const Element* numbers, std::size_t count) {
  if constexpr (ElementType<Element>::is_computed_in_itself)
    return target.kernels<Element>().max_abs(numbers, count);
  else
    return target.half_kernels<Element>().max_abs(numbers, count);
}

/// The largest magnitude of any codes, whether they exist or not.
template <class Width>
int largest_code(const typename Codes<Width>::Code* codes, std::size_t count) {
  std::make_signed_t<typename Codes<Width>::Code> largest = 0; // signed, as the instruction sets compare
  for (std::size_t i = 0; i < count; ++i)
    largest = std::max(largest, decltype(largest)(codes[i] & (Codes<Width>::sign - 1)));
  return largest;
}

/// What the transforms do with a delta: an int, for all numbers, or an EachDelta.
inline int lowest_of(int delta) { return delta; }
template <class Float>
int lowest_of(const EachDelta<Float>& delta) {
  return delta.lowest_delta;
}

template <class Width, class Float>
void write_mask(const Kernels<Float>& kernels, const Float* numbers, std::size_t count, int delta,
                unsigned char* mask) {
  if (mask != nullptr)
    kernels.write_mask(numbers, count, ladder<Float, Width>.value(delta + Width::max_code), mask);
}
template <class Width, class Float>
void write_mask(const Kernels<Float>& kernels, const Float* numbers, std::size_t count, const EachDelta<Float>& delta,
                unsigned char* mask) {
  if (mask != nullptr)
    kernels.write_mask_of_each(numbers, count, delta.highest, mask);
}

/// Numbers to values. Source and destination may be one.
template <class Element, class Width, class Delta = int>
class FakeQuantize {
public:
  using In = Element;
  using Out = Element;

  FakeQuantize(const Target& target, const Delta& delta) : target_(target), delta_(delta) {}

  void operator()(const In* in, Out* out, unsigned char* mask, std::size_t count) const {
    using Computed = ComputedOf<Element>;
    const Kernels<Computed>& kernels = kernels_of<Element>(target_);
    through_computed<Element, Width>(target_, out, count, lowest_of(delta_), [&](Computed* values) {
      if constexpr (ElementType<Element>::is_computed_in_itself) {
        write_mask<Width>(kernels, in, count, delta_, mask);
        kernels.template fake_quantize<Width>(in, values, count, delta_);
      } else {
        target_.half_kernels<Element>().widen(in, count, values);
        write_mask<Width>(kernels, values, count, delta_, mask);
        kernels.template fake_quantize<Width>(values, values, count, delta_);
      }
    });
  }

private:
  const Target& target_;
  const Delta delta_;
};

/// Numbers to codes.
template <class Element, class Width, class Delta = int>
class Encode {
public:
  using In = Element;
  using Out = typename Codes<Width>::Code;

  Encode(const Target& target, const Delta& delta) : target_(target), delta_(delta) {}

  void operator()(const In* in, Out* out, unsigned char* mask, std::size_t count) const {
    with_computed(target_, in, count, [&](const ComputedOf<Element>* numbers) {
      write_mask<Width>(kernels_of<Element>(target_), numbers, count, delta_, mask);
      kernels_of<Element>(target_).template encode<Width>(numbers, out, count, delta_);
    });
  }

private:
  const Target& target_;
  const Delta delta_;
};

/// Codes that exist to values.
template <class Element, class Width, class Delta = int>
class Decode {
public:
  using In = typename Codes<Width>::Code;
  using Out = Element;

  Decode(const Target& target, const Delta& delta) : target_(target), delta_(delta) {}

  void operator()(const In* in, Out* out, unsigned char*, std::size_t count) const {
    through_computed<Element, Width>(target_, out, count, lowest_of(delta_), [&](ComputedOf<Element>* values) {
      kernels_of<Element>(target_).template decode<Width>(in, values, count, delta_);
    });
  }

private:
  const Target& target_;
  const Delta delta_;
};

} // namespace gfpq

#endif
