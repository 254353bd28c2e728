// The CPU kernels of every instruction set behind one table.
#ifndef GFPQ_KERNELS_CPU_KERNELS_HPP
#define GFPQ_KERNELS_CPU_KERNELS_HPP

#include <cstddef>
#include <type_traits>

#include "../ladder.hpp"

namespace gfpq {

/// One instruction set's kernels for one type. They run on the calling thread, and take no memory and no lock.
template <class Float>
struct Kernels {
  using Bits = typename Format<Float>::Bits;

  /// The bits of the largest |x|, NaN left out; 0 where there is none.
  Bits (*max_abs)(const Float* data, std::size_t count);

  /// Quantizes and dequantizes in place.
  void (*quantize8)(Float* data, std::size_t count, int delta);
  void (*quantize16)(Float* data, std::size_t count, int delta);

  template <class W>
  void quantize(Float* data, std::size_t count, int delta) const {
    (std::is_same_v<W, Width8> ? quantize8 : quantize16)(data, count, delta);
  }
};

/// One instruction set.
struct Target {
  const char* name; ///< as in GFPQ_TARGET: lower case, `scalar` for the rule itself
  bool (*is_supported)();
  Kernels<float> f32;
  Kernels<double> f64;

  template <class Float>
  const Kernels<Float>& kernels() const {
    if constexpr (std::is_same_v<Float, float>)
      return f32;
    else
      return f64;
  }
};

/// A few targets, in order. Takes no memory: a call must not fail where there is none.
class Targets {
public:
  void add(const Target& target) { list_[size_++] = &target; }

  bool empty() const { return size_ == 0; }
  const Target* front() const { return list_[0]; }
  const Target* back() const { return list_[size_ - 1]; }
  const Target* const* begin() const { return list_; }
  const Target* const* end() const { return list_ + size_; }

private:
  const Target* list_[4] = {}; // no machine has more
  std::size_t size_ = 0;
};

/// All that this machine can run, fastest first; the last is `scalar`.
const Targets& supported_targets();

} // namespace gfpq

#endif
