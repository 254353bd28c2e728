// The CPU kernels of every instruction set behind one table.
#ifndef GFPQ_KERNELS_CPU_KERNELS_HPP
#define GFPQ_KERNELS_CPU_KERNELS_HPP

#include <cassert>
#include <cstddef>
#include <tuple>

#include "../ladder.hpp"
#include "targets.hpp"

namespace gfpq {

/// One instruction set's kernels for one element type. They run on the calling thread, allocate no memory and take no
/// lock.
template <class Float>
class Kernels {
public:
  using Bits = typename Format<Float>::Bits;

  /// `Functions` has all of them as static members: one that it lacks is a compiler's error. So is one that is
  /// forgotten here, since all are const.
#define GFPQ_FAKE_QUANTIZE(bits, ...) Functions::template fake_quantize<Float, Width##bits>,
  template <class Functions>
  constexpr explicit Kernels(Functions)
      : max_abs(Functions::template max_abs<Float>), fake_quantize_{GFPQ_FOR_EACH_WIDTH(GFPQ_FAKE_QUANTIZE)} {}
#undef GFPQ_FAKE_QUANTIZE

  /// The bits of the largest |x|, NaN left out; 0 where there is none.
  Bits (*const max_abs)(const Float* data, std::size_t count);

  /// Fake-quantizes in place.
  template <class Width>
  void fake_quantize(Float* data, std::size_t count, int delta) const {
    fake_quantize_[width_index<Width>](data, count, delta);
  }

private:
  using FakeQuantize = void (*)(Float* data, std::size_t count, int delta);
  const FakeQuantize fake_quantize_[width_count];
};

/// One instruction set.
class Target {
public:
  template <class Functions>
  constexpr Target(const char* target_name, bool (*has_features)(), Functions functions)
      : name(target_name), is_supported(has_features), kernels_(Kernels<float>(functions), Kernels<double>(functions)) {
  }

  const char* name; ///< as in GFPQ_TARGET: lower case, `scalar` for the rule itself
  bool (*is_supported)();

  template <class Float>
  const Kernels<Float>& kernels() const {
    return std::get<Kernels<Float>>(kernels_);
  }

private:
  std::tuple<Kernels<float>, Kernels<double>> kernels_;
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
