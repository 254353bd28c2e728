// Encodes a tensor: numbers to codes.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_ENCODE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_ENCODE_INL_HPP
#undef GFPQ_KERNELS_CPU_ENCODE_INL_HPP
#else
#define GFPQ_KERNELS_CPU_ENCODE_INL_HPP
#endif

#include "kernels/codes.hpp"
#include "kernels/cpu/blocks-inl.hpp"
#include "kernels/cpu/by_piece-inl.hpp"
#include "kernels/cpu/deltas-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

/// The codes of a register of words: floats that have their bin (carry_tables.hpp), or such doubles' high words.
///
/// A code is stored as -2^(bits-1) + k or, without a sign, as k: as signed numbers. What becomes zero has the bin 0,
/// and so a negative k: with the sign of that it is less than the smallest code, to which it saturates, which is
/// zero's.
template <class Float, class Width>
class CodesOfBins {
  using D = Lanes<float>;
  using V = Vec<float>;
  using SignedCode = std::make_signed_t<typename Codes<Width>::Code>;
  using DCode = hn::Rebind<SignedCode, D>;
  static constexpr int bin_shift = Pieces<Width, Format<Float>::fraction_bits>::bin_shift - 8 * int(sizeof(Float) - 4);
  static constexpr int base = Format<Float>::bias * Width::steps;
  static_assert(base - Width::delta_limit > 0, "bin 0 is below every ladder");

public:
  HWY_INLINE void operator()(V binned, V delta, SignedCode* to) const {
    const V bin = shift_right<bin_shift>(hn::And(binned, set_bits<float>(~Format<float>::sign)));
    const V k = hn::Sub(bin, hn::Add(delta, hn::Set(D(), base)));
    const V sign = hn::BroadcastSignBit(hn::Or(binned, k));
    const V code = hn::Add(k, hn::And(sign, hn::Set(D(), std::numeric_limits<SignedCode>::min())));
    hn::StoreU(hn::DemoteTo(DCode(), code), DCode(), to);
  }
};

template <class Float, class Width, class Delta>
void encode(const Float* in, typename Codes<Width>::Code* out, std::size_t count, Delta delta) {
  using Tables = CarryTables<Float, Width>;
  using Lane = hn::TFromD<Lanes<Float>>;
  using SignedCode = std::make_signed_t<typename Codes<Width>::Code>;
  using Words = Lanes<float>;
  constexpr std::size_t words = hn::MaxLanes(Words());
  const Deltas<Float, Width, Delta> deltas(delta);
  const PieceLookup<Lanes<Float>, typename Tables::P> carry(carry_tables<Float, Width>);
  const CodesOfBins<Float, Width> store_codes;
  const auto binned = [&](const Lane* from, std::size_t at) HWY_ATTR {
    const Vec<Float> number = deltas.clamp(at)(hn::LoadU(Lanes<Float>(), from));
    return hn::BitCast(Words(), hn::Add(number, carry(number)));
  };
  for_each_block<words>(reinterpret_cast<const Lane*>(in), reinterpret_cast<SignedCode*>(out), count,
                        [&](const Lane* from, SignedCode* to, std::size_t at) HWY_ATTR {
                          auto bins = binned(from, at);
                          if constexpr (sizeof(Float) == 8)
                            bins = hn::ConcatOdd(Words(), binned(from + words / 2, at + words / 2), bins);
                          store_codes(bins, deltas.delta(Words(), at), to);
                        });
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
