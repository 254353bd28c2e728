// One delta for all numbers or one for each (kernels.hpp), as registers need them.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_DELTAS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_DELTAS_INL_HPP
#undef GFPQ_KERNELS_CPU_DELTAS_INL_HPP
#else
#define GFPQ_KERNELS_CPU_DELTAS_INL_HPP
#endif

#include "kernels/cpu/clamp-inl.hpp"
#include "kernels/cpu/kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

/// What a register's numbers need of their deltas, by the place of its first.
template <class Float, class Width, class Delta>
class Deltas;

template <class Float, class Width>
class Deltas<Float, Width, int> {
public:
  HWY_INLINE explicit Deltas(int delta) : clamp_(range_of(ladder<Float, Width>, delta)), delta_(delta) {}

  HWY_INLINE const Clamp<Float>& clamp(std::size_t) const { return clamp_; }

  template <class D>
  HWY_INLINE hn::VFromD<D> delta(D d, std::size_t) const {
    return hn::Set(d, delta_);
  }

private:
  const Clamp<Float> clamp_;
  const int delta_;
};

template <class Float, class Width>
class Deltas<Float, Width, const EachDelta<Float>&> {
  using Lane = hn::TFromD<Lanes<Float>>;

public:
  HWY_INLINE explicit Deltas(const EachDelta<Float>& each) : each_(each) {}

  HWY_INLINE Clamp<Float> clamp(std::size_t at) const {
    return Clamp<Float>(load(each_.lowest_positive + at), load(each_.lowest_negative + at), load(each_.highest + at));
  }

  template <class D>
  HWY_INLINE hn::VFromD<D> delta(D d, std::size_t at) const {
    if constexpr (sizeof(hn::TFromD<D>) == sizeof(int))
      return hn::LoadU(d, each_.delta + at);
    else
      return hn::PromoteTo(d, hn::LoadU(hn::Rebind<int, D>(), each_.delta + at));
  }

private:
  static HWY_INLINE Vec<Float> load(const typename Format<Float>::Bits* from) {
    return hn::LoadU(Lanes<Float>(), reinterpret_cast<const Lane*>(from));
  }

  const EachDelta<Float> each_; // a copy, which no store through another pointer can change
};

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
