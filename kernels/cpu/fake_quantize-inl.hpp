// Fake-quantizes a tensor: which method, and the loop.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_FAKE_QUANTIZE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_FAKE_QUANTIZE_INL_HPP
#undef GFPQ_KERNELS_CPU_FAKE_QUANTIZE_INL_HPP
#else
#define GFPQ_KERNELS_CPU_FAKE_QUANTIZE_INL_HPP
#endif

#include "kernels/cpu/by_number-inl.hpp"
#include "kernels/cpu/by_pair-inl.hpp"
#include "kernels/cpu/by_piece-inl.hpp"
#include "kernels/cpu/by_product-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

// Tried on Zen 5, without gain: to work on 2 to 8 registers side by side; for 8 bit on AVX2, to guess the step by a
// parabola, which halves the table; for products, to guess by a cubic instead of lines, and to form both values from
// the threshold; to fake-quantize a tensor from its end, which the pass for the maximum has left in the cache.

template <class Float, class Width>
constexpr bool pieces_fit_registers() {
  return registers_for<Lanes<Float>, CarryTables<Float, Width>::P::count>() > 0;
}

template <class Float, class Width>
constexpr bool products_fit_registers() {
  if constexpr (Traits::has_fused_multiply_add && !pieces_fit_registers<Float, Width>()) {
    using D = Lanes<Float>;
    using Tables = ProductTables<Float, Width>;
    return Tables::fine_steps > 1 && registers_for<D, Tables::pieces>() > 0 &&
           registers_for<D, Tables::coarse_steps>() > 0 && registers_for<D, Tables::fine_steps>() > 0;
  }
  return false;
}

template <class Float, class Width>
constexpr bool pairs_fit_registers() {
  return Traits::splits_words && sizeof(Float) == 8 && registers_for<Lanes<float>, CarryWords<Width>::P::count>() > 0;
}

/// The first method whose tables fit the registers; else pieces in memory.
template <class Float, class Width, bool pieces = pieces_fit_registers<Float, Width>(),
          bool products = products_fit_registers<Float, Width>(), bool pairs = pairs_fit_registers<Float, Width>()>
using MethodFor = std::conditional_t<
    products, ByNumber<Float, Width, ByProduct<Float, Width>>,
    std::conditional_t<!pieces && pairs, ByPair<Width>, ByNumber<Float, Width, ByPiece<Float, Width>>>>;

/// `Method` fake-quantizes a register, or two.
template <class Float, class Method>
HWY_NOINLINE void fake_quantize_with(Float* data, std::size_t count, int delta) {
  const Lanes<Float> d;
  using Lane = hn::TFromD<decltype(d)>;
  constexpr std::size_t lanes = hn::MaxLanes(Lanes<Float>());
  const Method method(delta);

  Lane* const begin = reinterpret_cast<Lane*>(data);
  if (count < lanes) {
    alignas(64) Lane few[lanes] = {};
    std::memcpy(few, begin, count * sizeof(Lane));
    hn::Store(method(hn::Load(d, few)), d, few);
    std::memcpy(begin, few, count * sizeof(Lane));
    return;
  }
  // The first and the last register overlap the aligned ones between. A value of the ladder stays as it is, so that
  // it doesn't matter which of them writes first.
  Lane* const last = begin + count - lanes;
  const Vec<Float> last_results = method(hn::LoadU(d, last));
  hn::StoreU(method(hn::LoadU(d, begin)), d, begin);
  Lane* at = begin + lanes_to_alignment(begin);
  if constexpr (Method::takes_pairs) {
    for (; at + lanes < last; at += 2 * lanes) {
      hwy::Prefetch(reinterpret_cast<const char*>(at) + prefetch_distance);
      Vec<Float> a = hn::LoadU(d, at), b = hn::LoadU(d, at + lanes);
      method(a, b);
      hn::StoreU(a, d, at);
      hn::StoreU(b, d, at + lanes);
    }
  }
  for (; at < last; at += lanes) {
    hwy::Prefetch(reinterpret_cast<const char*>(at) + prefetch_distance);
    hn::StoreU(method(hn::LoadU(d, at)), d, at);
  }
  hn::StoreU(last_results, d, last);
}

template <class Float, class Width>
void fake_quantize(Float* data, std::size_t count, int delta) {
  using Method = MethodFor<Float, Width>;
  [[maybe_unused]] const RoundingToNearest<Method::needs_rounding_to_nearest> rounding;
  fake_quantize_with<Float, Method>(data, count, delta);
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
