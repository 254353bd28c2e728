// The scalar rule as a target of its own: what the others are tested against, and what runs where there is no other.
#include <cstring>

#include "kernels/cpu/scalar.hpp"
#include "kernels/ladder_table_proof.hpp"

namespace gfpq {
namespace {

template <class Float>
typename Format<Float>::Bits load_bits(const Float* from) {
  typename Format<Float>::Bits bits;
  std::memcpy(&bits, from, sizeof bits);
  return bits;
}

struct ScalarFunctions {
  template <class Float>
  static typename Format<Float>::Bits max_abs(const Float* data, std::size_t count) {
    using F = Format<Float>;
    typename F::Bits maximum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto magnitude = load_bits(data + i) & ~F::sign;
      const bool is_nan = magnitude > F::infinity;
      if (!is_nan && magnitude > maximum)
        maximum = magnitude;
    }
    return maximum;
  }

  template <class Float, class Width>
  static void fake_quantize(Float* data, std::size_t count, int delta) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto bits = ladder<Float, Width>.fake_quantize(load_bits(data + i), delta);
      std::memcpy(data + i, &bits, sizeof bits);
    }
  }
};

} // namespace

const Target scalar_target{"scalar", [] { return true; }, ScalarFunctions()};

} // namespace gfpq
