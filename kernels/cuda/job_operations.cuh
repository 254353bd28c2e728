// What jobs do with a number or a code, by the rule's own classes.
#ifndef GFPQ_KERNELS_CUDA_JOB_OPERATIONS_CUH
#define GFPQ_KERNELS_CUDA_JOB_OPERATIONS_CUH

#include "job_units.hpp"
#include "kernels.cuh"
// After language.hpp, which is in these.
#include "../codes.hpp"
#include "../elements.hpp"

namespace gfpq {
namespace cuda {

/// A number of the type as it lies in memory.
template <class Element>
using RawOf = typename UnsignedOf<sizeof(Element)>::Type;

#ifdef GFPQ_CUDA_KERNELS

template <class Element>
__device__ GFPQ_ALWAYS_INLINE typename Format<typename ElementType<Element>::Computed>::Bits
computed_of(RawOf<Element> raw) {
  if constexpr (ElementType<Element>::is_computed_in_itself)
    return raw;
  else
    return ElementType<Element>::computed(Element{raw});
}

template <class Element>
__device__ GFPQ_ALWAYS_INLINE RawOf<Element>
raw_of(typename Format<typename ElementType<Element>::Computed>::Bits computed) {
  if constexpr (ElementType<Element>::is_computed_in_itself)
    return computed;
  else
    return ElementType<Element>::rounded(computed).bits;
}

template <class Element>
constexpr RawOf<Element> infinity_of() {
  if constexpr (ElementType<Element>::is_computed_in_itself)
    return Format<Element>::infinity;
  else
    return ElementType<Element>::infinity;
}

/// Whether a value can be rounded to the type by its fraction alone, before it is looked up: in bfloat16 there is as
/// much exponent as in a float, and no fraction of a value is rounded up to the next octave.
template <class Element, class Width>
constexpr bool is_rounded_by_fraction = false;
template <class Width>
constexpr bool is_rounded_by_fraction<BFloat16, Width> = [] {
  for (const unsigned fraction : carry_tables<float, Width>.value)
    if (unsigned(ElementType<BFloat16>::rounded(fraction).bits) << 16 >= Range<float>::octave)
      return false;
  return true;
}();

struct Unchanged {
  template <class Bits>
  __device__ Bits operator()(Bits bits) const {
    return bits;
  }
};

template <class Table, class Change = Unchanged>
__device__ void copy_table(const Table& from, Table& to, Change change = {}) {
  constexpr unsigned size = sizeof(Table) / sizeof(*from);
  GFPQ_UNROLL
  for (unsigned first = 0; first < size; first += block_threads)
    if (const unsigned i = first + GfpqThreadIndex::thread(); i < size)
      to[i] = change(from[i]);
}

// The operations. Each has the numbers that it reads and writes, the tables that the threads of a block share, the
// operation itself, and `look`, whose largest result the first kernel finds. What is beyond `largest_seen` counts for
// nothing.

/// What the operations on numbers have in common.
template <class Element, class Width_>
class NumberOperation {
public:
  using Width = Width_;
  using Float = typename ElementType<Element>::Computed;
  using Bits = typename Format<Float>::Bits;
  using In = RawOf<Element>;
  static constexpr bool is_decode = false, ends_at_once = false;

  __device__ explicit NumberOperation(int delta)
      : delta_(delta), range_(range_of(device_ladder<Float, Width>, delta)) {}

  // Magnitudes, which order as the numbers do. Beyond infinity is NaN.
  using Seen = typename UnsignedOf<sizeof(In) == 8 ? 8 : 4>::Type;
  static constexpr Seen largest_seen = infinity_of<Element>();
  __device__ GFPQ_ALWAYS_INLINE static Seen look(In number) { return number & ((Seen(1) << (8 * sizeof(In) - 1)) - 1); }
  __device__ GFPQ_ALWAYS_INLINE static Bits magnitude_of(Seen seen) {
    return computed_of<Element>(static_cast<In>(seen));
  }
  __device__ GFPQ_ALWAYS_INLINE bool is_within(In number) const {
    return (computed_of<Element>(number) & ~Format<Float>::sign) <= range_.highest;
  }

protected:
  using P = typename CarryTables<Float, Width>::P;
  int delta_;
  Range<Float> range_;
};

template <class Element, class Width>
class FakeQuantizeOperation : public NumberOperation<Element, Width> {
  using Base = NumberOperation<Element, Width>;
  using typename Base::P;

public:
  using typename Base::Bits, typename Base::Float;
  using Out = typename Base::In;
  static constexpr bool is_rounded = is_rounded_by_fraction<Element, Width>;

  struct Tables {
    Bits carry[P::count];
    Bits value[Width::steps];

    __device__ void load() {
      copy_table(device_tables<Float, Width>.carry, carry);
      if constexpr (is_rounded)
        copy_table(device_tables<Float, Width>.value, value,
                   [](Bits fraction) { return computed_of<Element>(raw_of<Element>(fraction)); });
      else
        copy_table(device_tables<Float, Width>.value, value);
    }
  };

  __device__ FakeQuantizeOperation(int delta, const Tables& tables)
      : Base(delta), quantizer_(this->range_, tables.carry, tables.value) {}

  __device__ GFPQ_ALWAYS_INLINE Out operator()(typename Base::In number) const {
    const Bits value = quantizer_(computed_of<Element>(number));
    if constexpr (is_rounded)
      return static_cast<Out>(value >> (8 * (sizeof(Bits) - sizeof(Out))));
    else
      return raw_of<Element>(value);
  }

private:
  FakeQuantizer<Float, Width> quantizer_;
};

template <class Element, class Width>
class EncodeOperation : public NumberOperation<Element, Width> {
  using Base = NumberOperation<Element, Width>;
  using typename Base::P;

public:
  using typename Base::Bits, typename Base::Float;
  using Out = typename Codes<Width>::Code;

  struct Tables {
    Bits carry[P::count];

    __device__ void load() { copy_table(device_tables<Float, Width>.carry, carry); }
  };

  __device__ EncodeOperation(int delta, const Tables& tables) : Base(delta), carry_(tables.carry) {}

  __device__ GFPQ_ALWAYS_INLINE Out operator()(typename Base::In number) const {
    return Encoder<Float, Width>::code_of(computed_of<Element>(number), this->range_, this->delta_, carry_);
  }

private:
  const Bits* carry_;
};

template <class Element, class Width_>
class DecodeOperation {
public:
  using Width = Width_;
  using Float = typename ElementType<Element>::Computed;
  using Bits = typename Format<Float>::Bits;
  using In = typename Codes<Width>::Code;
  using Out = RawOf<Element>;
  static constexpr bool is_decode = true;
  static constexpr bool ends_at_once = Codes<Width>::sign - 1 == Width::max_code; ///< all codes exist

  struct Tables {
    __device__ void load() {}
  };

  __device__ DecodeOperation(int delta, const Tables&) : delta_(delta) {}

  using Seen = unsigned;
  static constexpr Seen largest_seen = ~0u;
  __device__ GFPQ_ALWAYS_INLINE static Seen look(In code) { return code & (Codes<Width>::sign - 1u); }
  __device__ static bool is_within(In) { return true; }
  __device__ GFPQ_ALWAYS_INLINE Out operator()(In code) const {
    return raw_of<Element>(decode<Float, Width>(device_ladder<Float, Width>, code, delta_));
  }

private:
  int delta_;
};

#endif // GFPQ_CUDA_KERNELS

} // namespace cuda
} // namespace gfpq

#endif
