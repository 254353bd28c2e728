// Decodes a tensor: codes to values.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_DECODE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_DECODE_INL_HPP
#undef GFPQ_KERNELS_CPU_DECODE_INL_HPP
#else
#define GFPQ_KERNELS_CPU_DECODE_INL_HPP
#endif

#include "kernels/codes.hpp"
#include "kernels/cpu/blocks-inl.hpp"
#include "kernels/cpu/by_piece-inl.hpp"
#include "kernels/cpu/deltas-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

/// As lanes, with its sign.
template <class D, class Code>
HWY_INLINE hn::VFromD<D> load_codes(D d, const Code* from) {
  const auto codes = hn::LoadU(hn::Rebind<Code, D>(), from);
  if constexpr (sizeof(hn::TFromD<D>) == 8)
    return hn::PromoteTo(d, hn::PromoteTo(hn::Rebind<int32_t, D>(), codes));
  else
    return hn::PromoteTo(d, codes);
}

template <class Float, class Width, class Delta>
void decode(const typename Codes<Width>::Code* in, Float* out, std::size_t count, Delta delta) {
  using F = Format<Float>;
  using V = Vec<Float>;
  using Lane = hn::TFromD<Lanes<Float>>;
  using SignedCode = std::make_signed_t<typename Codes<Width>::Code>;
  using Tables = CarryTables<Float, Width>;
  constexpr Lanes<Float> d;
  constexpr std::size_t lanes = hn::MaxLanes(d);
  const Deltas<Float, Width, Delta> deltas(delta);
  const Lookup<Lanes<Float>, Width::steps> value_of(carry_tables<Float, Width>.value);
  for_each_block<lanes>(reinterpret_cast<const SignedCode*>(in), reinterpret_cast<Lane*>(out), count,
                        [&](const SignedCode* from, Lane* to, std::size_t at) HWY_ATTR {
                          const V code = load_codes(d, from);
                          const V k = hn::And(code, hn::Set(d, Codes<Width>::sign - 1));
                          const V bin = hn::Add(k, hn::Add(deltas.delta(d, at), hn::Set(d, F::bias * Width::steps)));
                          const V exponent =
                              hn::And(hn::ShiftLeft<Tables::P::bin_shift>(bin), set_bits<Float>(F::infinity));
                          const V sign = hn::And(code, set_bits<Float>(F::sign));
                          const auto is_zero = hn::Eq(code, hn::Set(d, std::numeric_limits<SignedCode>::min()));
                          hn::StoreU(hn::IfThenZeroElse(is_zero, hn::Or(hn::Or(exponent, value_of(bin)), sign)), d, to);
                        });
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
