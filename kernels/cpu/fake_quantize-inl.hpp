// Fake-quantizes a tensor: which method, and the loop.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_FAKE_QUANTIZE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_FAKE_QUANTIZE_INL_HPP
#undef GFPQ_KERNELS_CPU_FAKE_QUANTIZE_INL_HPP
#else
#define GFPQ_KERNELS_CPU_FAKE_QUANTIZE_INL_HPP
#endif

#include "kernels/cpu/by_bytes-inl.hpp"
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
//
// Tried on Granite Rapids with AVX-512, without gain: 2 or 4 registers side by side (8 bit +2 %, 16 bit -1.5 %, and
// from memory +40 %); not to prefetch in a tensor that fits the second cache (8 bit +3 %, 16 bit +1.6 %); to clamp
// doubles by one more instruction and a quarter less latency (of 9 to 15 numbers over and over -4 %, else up to +4 %).

template <class Method>
struct Type {
  using type = Method;
};

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

template <class Float, class Width>
constexpr bool bytes_fit_registers() {
  return Traits::looks_up_bytes && sizeof(Float) == 4 && CarryTables<Float, Width>::P::count == 32;
}

template <class Float, class Width>
constexpr bool powers_fit_bytes() {
  if constexpr (Traits::looks_up_bytes && sizeof(Float) == 4 && products_fit_registers<Float, Width>())
    return ProductTables<Float, Width>::coarse_steps == PowerBytes<Width>::size;
  return false;
}

template <class Float, class Width, class Powers = Powers<Float, Width>>
using ByProducts = ByNumber<Float, Width, ByProduct<Float, Width, Powers>>;

/// For one register: the first method whose tables fit the registers; else pieces in memory.
template <class Float, class Width>
constexpr auto method_for_one_register() {
  if constexpr (products_fit_registers<Float, Width>())
    return Type<ByProducts<Float, Width>>();
  else if constexpr (Traits::clamps_bins && sizeof(Float) == 8)
    return Type<ByBin<Width>>();
  else
    return Type<ByNumber<Float, Width, ByPiece<Float, Width>, short_clamp_way<Float>>>();
}

template <class Float, class Width>
constexpr auto method_for() {
  if constexpr (bytes_fit_registers<Float, Width>())
    return Type<ByNumber<Float, Width, ByBytes<Width>>>();
  else if constexpr (powers_fit_bytes<Float, Width>())
    return Type<ByProducts<Float, Width, PowersByBytes<Width>>>();
  else if constexpr (pairs_fit_registers<Float, Width>())
    return Type<ByPair<Width>>();
  else
    return method_for_one_register<Float, Width>();
}

/// As many registers as the method takes at once.
template <class Float, class Method>
HWY_INLINE void fake_quantize_block(const Method& method, const hn::TFromD<Lanes<Float>>* from,
                                    hn::TFromD<Lanes<Float>>* at) {
  constexpr Lanes<Float> d;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  Vec<Float> numbers[Method::registers];
  for (std::size_t i = 0; i < Method::registers; ++i)
    numbers[i] = hn::LoadU(d, from + i * lanes);
  method(numbers);
  for (std::size_t i = 0; i < Method::registers; ++i)
    hn::StoreU(numbers[i], d, at + i * lanes);
}

/// In place `in` has no part in it.
template <class Float, class Method, bool in_place>
HWY_NOINLINE void fake_quantize_with([[maybe_unused]] const Float* in, Float* out, std::size_t count, int delta) {
  constexpr Lanes<Float> d;
  using Lane = hn::TFromD<Lanes<Float>>;
  constexpr std::size_t lanes = hn::MaxLanes(d), registers = Method::registers, block = registers * lanes;
  const Method method(delta);
  Vec<Float> last_numbers[registers];

  Lane* at = reinterpret_cast<Lane*>(out);
  const auto source_of = [in, out](const Lane* place) {
    return in_place ? place : reinterpret_cast<const Lane*>(in) + (place - reinterpret_cast<const Lane*>(out));
  };
  if (count < lanes) {
    std::fill_n(last_numbers, registers, load_few(source_of(at), count));
    method(last_numbers);
    store_few(last_numbers[0], at, count);
    return;
  }
  if constexpr (registers == 1) {
    if (count > lanes && count < 2 * lanes) {
      // A register and the rest or, where that is faster, two registers that overlap. If the next call has the same
      // numbers, its loads wait for both stores: less if the second register is stored first.
      constexpr bool overlap = lanes > 4 && !Traits::has_masks;
      const std::size_t rest = count - lanes;
      Lane* const second = at + (overlap ? rest : lanes);
      Vec<Float> first_numbers[] = {hn::LoadU(d, source_of(at))};
      Vec<Float> second_numbers[] = {overlap ? hn::LoadU(d, source_of(second)) : load_few(source_of(second), rest)};
      method(first_numbers);
      method(second_numbers);
      if (overlap)
        hn::StoreU(second_numbers[0], d, second);
      else
        store_few(second_numbers[0], second, rest);
      hn::StoreU(first_numbers[0], d, at);
      return;
    }
  }
  // The first block overlaps the aligned ones that follow, and the last register the one before it. A value of the
  // ladder stays as it is, so that it doesn't matter which of them writes first.
  Lane* const last = at + count - lanes;
  const auto is_block_left = [&] {
    if constexpr (registers == 1)
      return at < last;
    else
      return last - at > std::ptrdiff_t(block - lanes);
  };
  std::fill_n(last_numbers, registers, hn::LoadU(d, source_of(last)));
  if constexpr (registers == 1)
    method(last_numbers);
  if (registers <= 2 && is_block_left()) { // more than that compute too long for alignment to matter
    fake_quantize_block<Float>(method, source_of(at), at);
    at += block - lanes + lanes_to_alignment(at);
  }
  for (; is_block_left(); at += block) {
    for (std::size_t i = 0; i < block * sizeof(Lane); i += 64)
      prefetch<Method::prefetches_to_second_cache>(reinterpret_cast<const char*>(source_of(at)) + prefetch_distance +
                                                   i);
    fake_quantize_block<Float>(method, source_of(at), at);
  }
  if constexpr (registers == 1) {
    hn::StoreU(last_numbers[0], d, last);
  } else {
    const auto place = [=](std::size_t i) { return at + std::min(std::ptrdiff_t(i * lanes), last - at); };
    for (std::size_t i = 0; i < registers && place(i) != last; ++i)
      last_numbers[i] = hn::LoadU(d, source_of(place(i)));
    method(last_numbers);
    for (std::size_t i = 0; i < registers; ++i)
      hn::StoreU(last_numbers[i], d, place(i));
  }
}

template <class Float, class Width, bool in_place>
HWY_INLINE void fake_quantize_from(const Float* in, Float* out, std::size_t count, int delta) {
  using Method = typename decltype(method_for<Float, Width>())::type;
  [[maybe_unused]] const RoundingToNearest<Method::needs_rounding_to_nearest> rounding;
  if constexpr (Method::registers == 4) {
    // The method for one register has the shorter latency, and computes no register that is not there.
    using One = typename decltype(method_for_one_register<Float, Width>())::type;
    constexpr std::size_t lanes = hn::MaxLanes(Lanes<Float>()), block = 4 * lanes;
    const auto leaves_half_empty = [=] { return (0 - count) % block >= 2 * lanes; };
    if (count < 2 * block || (count < 4 * block && leaves_half_empty()))
      return fake_quantize_with<Float, One, in_place>(in, out, count, delta);
  }
  fake_quantize_with<Float, Method, in_place>(in, out, count, delta);
}

template <class Float, class Width>
void fake_quantize_in_place(Float* data, std::size_t count, int delta) {
  fake_quantize_from<Float, Width, true>(data, data, count, delta);
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
