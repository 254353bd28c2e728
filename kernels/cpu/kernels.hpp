// The CPU kernels of every instruction set behind one table.
#ifndef GFPQ_KERNELS_CPU_KERNELS_HPP
#define GFPQ_KERNELS_CPU_KERNELS_HPP

#include <cassert>
#include <cstddef>
#include <tuple>
#include <type_traits>

#include "../codes.hpp"
#include "../elements.hpp"
#include "targets.hpp"

namespace gfpq {

/// The deltas of numbers side by side, each number's own, and what they make of the ladder (range.hpp): arrays of as
/// many as there are numbers, and of 64 bytes more that can be read.
template <class Float>
struct EachDelta {
  using Bits = typename Format<Float>::Bits;

  const Bits *lowest_positive, *lowest_negative, *highest;
  const int* delta;
  int lowest_delta; ///< of all
};

/// One instruction set's kernels for one element type. They run on the calling thread, allocate no memory and take no
/// lock.
///
/// `Delta` is an int, for all numbers, or an EachDelta. In and out may not overlap, but to fake-quantize may be the
/// same.
template <class Float>
class Kernels {
public:
  using Bits = typename Format<Float>::Bits;
  template <class Width>
  using Code = typename Codes<Width>::Code;

  /// `Functions` has all of them as static members: one that it lacks is a compiler's error. So is one that is
  /// forgotten here, since all are const.
#define GFPQ_FAKE_QUANTIZE(bits, ...) Functions::template fake_quantize_in_place<Float, Width##bits>,
  template <class Functions>
  constexpr explicit Kernels(Functions functions)
      : max_abs(Functions::template max_abs<Float>), raise_each(Functions::template raise_each<Float>),
        write_mask(Functions::template write_mask<Float>),
        write_mask_of_each(Functions::template write_mask_of_each<Float>), fake_quantize_in_place_{GFPQ_FOR_EACH_WIDTH(
                                                                               GFPQ_FAKE_QUANTIZE)},
        by_delta_(functions), by_each_delta_(functions) {}
#undef GFPQ_FAKE_QUANTIZE

  /// The bits of the largest |x|, NaN left out; 0 where there is none.
  Bits (*const max_abs)(const Float* data, std::size_t count);

  /// Raises each maximum to the bits of its |x|, but for NaN.
  void (*const raise_each)(const Float* data, std::size_t count, Bits* maxima);

  /// Writes 1 where |x| does not exceed the largest value, 0 for others and NaN.
  void (*const write_mask)(const Float* data, std::size_t count, Bits largest, unsigned char* mask);
  void (*const write_mask_of_each)(const Float* data, std::size_t count, const Bits* largest, unsigned char* mask);

  template <class Width>
  void fake_quantize(Float* data, std::size_t count, int delta) const {
    fake_quantize_in_place_[width_index<Width>](data, count, delta);
  }

  template <class Width, class Delta>
  void fake_quantize(const Float* in, Float* out, std::size_t count, const Delta& delta) const {
    if constexpr (std::is_same_v<Delta, int>)
      if (in == out)
        return fake_quantize<Width>(out, count, delta);
    transforms<Width>(delta).fake_quantize(in, out, count, delta);
  }

  template <class Width, class Delta>
  void encode(const Float* in, Code<Width>* out, std::size_t count, const Delta& delta) const {
    transforms<Width>(delta).encode(in, out, count, delta);
  }

  /// Of codes that exist.
  template <class Width, class Delta>
  void decode(const Code<Width>* in, Float* out, std::size_t count, const Delta& delta) const {
    transforms<Width>(delta).decode(in, out, count, delta);
  }

private:
  template <class Width, class Delta>
  struct Transforms {
    template <class Functions>
    constexpr explicit Transforms(Functions)
        : fake_quantize(Functions::template fake_quantize<Float, Width, Delta>),
          encode(Functions::template encode<Float, Width, Delta>),
          decode(Functions::template decode<Float, Width, Delta>) {}

    void (*const fake_quantize)(const Float* in, Float* out, std::size_t count, Delta delta);
    void (*const encode)(const Float* in, Code<Width>* out, std::size_t count, Delta delta);
    void (*const decode)(const Code<Width>* in, Float* out, std::size_t count, Delta delta);
  };

  template <class, class... Each>
  struct All : Each... {
    template <class Functions>
    constexpr explicit All(Functions functions) : Each(functions)... {}
  };
#define GFPQ_AND_TRANSFORMS(bits, ...) , Transforms<Width##bits, Delta>
  template <class Delta>
  using AllTransforms = All<void GFPQ_FOR_EACH_WIDTH(GFPQ_AND_TRANSFORMS)>;
#undef GFPQ_AND_TRANSFORMS

  template <class Width>
  const Transforms<Width, int>& transforms(int) const {
    return by_delta_;
  }
  template <class Width>
  const Transforms<Width, const EachDelta<Float>&>& transforms(const EachDelta<Float>&) const {
    return by_each_delta_;
  }

  void (*const fake_quantize_in_place_[width_count])(Float* data, std::size_t count, int delta);
  const AllTransforms<int> by_delta_; // from one place to another
  const AllTransforms<const EachDelta<Float>&> by_each_delta_;
};

/// One instruction set's kernels for a half type, which is computed in float.
template <class Half>
class HalfKernels {
public:
  template <class Functions>
  constexpr explicit HalfKernels(Functions)
      : max_abs(Functions::template max_abs_of_halves<Half>), widen(Functions::template widen<Half>),
        round(Functions::template round<Half>), round_normal(Functions::template round_normal<Half>) {}

  /// As of Kernels; of the float that the number is.
  unsigned (*const max_abs)(const Half* data, std::size_t count);

  /// Writes the floats that the numbers are.
  void (*const widen)(const Half* in, std::size_t count, float* out);

  /// Writes the nearest numbers to floats, of two the even one; the faster one of zeros and of what is no smaller than
  /// ElementType<Half>::smallest_normal_computed alone.
  void (*const round)(const float* in, std::size_t count, Half* out);
  void (*const round_normal)(const float* in, std::size_t count, Half* out);
};

/// One instruction set.
class Target {
public:
  template <class Functions>
  constexpr Target(const char* target_name, bool (*has_features)(), Functions functions)
      : name(target_name), is_supported(has_features), kernels_(Kernels<float>(functions), Kernels<double>(functions)),
        half_kernels_(HalfKernels<Float16>(functions), HalfKernels<BFloat16>(functions)) {}

  const char* name; ///< as in GFPQ_TARGET: lower case, `scalar` for the rule itself
  bool (*is_supported)();

  template <class Float>
  const Kernels<Float>& kernels() const {
    return std::get<Kernels<Float>>(kernels_);
  }
  template <class Half>
  const HalfKernels<Half>& half_kernels() const {
    return std::get<HalfKernels<Half>>(half_kernels_);
  }

private:
  std::tuple<Kernels<float>, Kernels<double>> kernels_;
  std::tuple<HalfKernels<Float16>, HalfKernels<BFloat16>> half_kernels_;
};

/// Targets in order. Allocates no memory: a call must not fail where there is none.
class Targets {
public:
  static constexpr std::size_t capacity = simd_target_count + 1; // the scalar one

  void add(const Target& target) {
    assert(size_ < capacity);
    list_[size_++] = &target;
  }

  bool empty() const { return size_ == 0; }
  const Target* front() const { return list_[0]; }
  const Target* back() const { return list_[size_ - 1]; }
  const Target* const* begin() const { return list_; }
  const Target* const* end() const { return list_ + size_; }

private:
  const Target* list_[capacity] = {};
  std::size_t size_ = 0;
};

/// All that this machine can run, fastest first; the last is `scalar`.
const Targets& supported_targets();

} // namespace gfpq

#endif
