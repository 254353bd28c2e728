// The scalar rule as a target of its own: what the others are tested against, and what runs where there is no other.
#include <cstring>

#include "kernels/cpu/loops.hpp"
#include "kernels/cpu/scalar.hpp"
#include "kernels/ladder_table_proof.hpp"

namespace gfpq {
namespace {

using loops::load_bits;

int delta_of(int delta, std::size_t) { return delta; }
template <class Float>
int delta_of(const EachDelta<Float>& deltas, std::size_t at) {
  return deltas.delta[at];
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

  template <class Float, class Width, class Delta>
  static void fake_quantize(const Float* in, Float* data, std::size_t count, Delta deltas) {
    if (in != data)
      std::memcpy(data, in, count * sizeof *data);
    for (std::size_t i = 0; i < count; ++i) {
      const int delta = delta_of(deltas, i);
      const auto bits = ladder<Float, Width>.fake_quantize(load_bits(data + i), delta);
      std::memcpy(data + i, &bits, sizeof bits);
    }
  }

  template <class Float, class Width>
  static void fake_quantize_in_place(Float* data, std::size_t count, int delta) {
    fake_quantize<Float, Width, int>(data, data, count, delta);
  }

  template <class Float, class Width, class Delta>
  static void encode(const Float* in, typename Codes<Width>::Code* out, std::size_t count, Delta delta) {
    for (std::size_t i = 0; i < count; ++i)
      out[i] = Encoder<Float, Width>(delta_of(delta, i))(load_bits(in + i));
  }

  template <class Float, class Width, class Delta>
  static void decode(const typename Codes<Width>::Code* in, Float* out, std::size_t count, Delta delta) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto value = gfpq::decode<Float, Width>(in[i], delta_of(delta, i));
      std::memcpy(out + i, &value, sizeof value);
    }
  }

  template <class Float>
  static constexpr auto raise_each = loops::raise_each<Float>;
  template <class Float>
  static constexpr auto write_mask = loops::write_mask<Float>;
  template <class Float>
  static constexpr auto write_mask_of_each = loops::write_mask_of_each<Float>;
  template <class Half>
  static constexpr auto max_abs_of_halves = loops::max_abs_of_halves<Half>;
  template <class Half>
  static constexpr auto widen = loops::widen<Half>;
  template <class Half>
  static constexpr auto round = loops::round<Half>;
  template <class Half>
  static constexpr auto round_normal = loops::round_normal<Half>;
};

} // namespace

const Target scalar_target{"scalar", [] { return true; }, ScalarFunctions()};

} // namespace gfpq
