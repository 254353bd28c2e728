// Looks constants up by the last bits of each lane: in registers where the instruction set can, else in memory.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_LOOKUP_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_LOOKUP_INL_HPP
#undef GFPQ_KERNELS_CPU_LOOKUP_INL_HPP
#else
#define GFPQ_KERNELS_CPU_LOOKUP_INL_HPP
#endif

#include "kernels/cpu/lanes-inl.hpp"
#include "kernels/widths.hpp"

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

/// How many registers hold a table of `size` entries, a power of two; 0 where it stays in memory.
template <class D, int size>
constexpr int registers_for() {
  constexpr int lanes = hn::MaxLanes(D());
  constexpr bool repeats = 2 * size == lanes || size * sizeof(hn::TFromD<D>) == 16;
  constexpr int registers = size >= lanes ? size / lanes : repeats ? 1 : 0;
  return registers <= Traits::max_registers<hn::TFromD<D>> ? registers : 0;
}

/// A table of `size` entries, a power of two, for the lanes of D.
template <class D, int size, int registers = registers_for<D, size>()>
class Lookup {
  using Lane = hn::TFromD<D>;
  using V = hn::VFromD<D>;

public:
  /// The first `size` entries of an array.
  template <class Entry, std::size_t length>
  HWY_INLINE explicit Lookup(const Entry (&entries)[length]) {
    static_assert(sizeof(Entry) == sizeof(Lane) && length >= size);
    constexpr int lanes = hn::MaxLanes(D());
    const Lane* const lanes_from = reinterpret_cast<const Lane*>(entries);
    if constexpr (2 * size == lanes) {
      const auto entries_once = hn::LoadU(hn::Half<D>(), lanes_from);
      table_[0] = hn::Combine(D(), entries_once, entries_once);
    } else if constexpr (size < lanes) {
      table_[0] = hn::LoadDup128(D(), lanes_from);
    } else {
      for (int i = 0; i < registers; ++i)
        table_[i] = hn::LoadU(D(), lanes_from + i * lanes);
    }
  }

  HWY_INLINE V operator()(V index) const { return from_bit<0>(index); }

  /// By the bits from `shift` on.
  template <int shift>
  HWY_INLINE V from_bit(V number) const {
    return in_registers<shift, 0, registers>(number, shift_right<shift>(number));
  }

  /// Only in the lanes of a mask; elsewhere `otherwise`.
  template <class Mask>
  HWY_INLINE V where(Mask mask, V index, V otherwise) const {
    const auto lanes = hn::RebindMask(D(), mask);
    if constexpr (Traits::has_masks && registers == 1)
      return pick_where(lanes, index, table_[0], otherwise);
    else
      return hn::IfThenElse(lanes, (*this)(index), otherwise);
  }

private:
  /// The number itself tells the half of the registers: that doesn't wait for the index.
  template <int shift, int first, int count>
  HWY_INLINE V in_registers(V number, V index) const {
    if constexpr (count == 1) {
      return pick(index, table_[first]);
    } else if constexpr (count == 2 && Traits::looks_up_in_two) {
      return pick(index, table_[first], table_[first + 1]);
    } else {
      const V lower = in_registers<shift, first, count / 2>(number, index);
      const V upper = in_registers<shift, first + count / 2, count / 2>(number, index);
      constexpr int highest_bit = shift + floor_log2(size / registers * count) - 1;
      if constexpr (Traits::has_masks)
        return hn::IfThenElse(hn::TestBit(number, hn::Set(D(), Lane(1) << highest_bit)), upper, lower);
      else
        return if_negative(hn::ShiftLeft<8 * sizeof(Lane) - 1 - highest_bit>(number), upper, lower);
    }
  }

  V table_[registers];
};

template <class D, int size>
class Lookup<D, size, 0> {
  using Lane = hn::TFromD<D>;
  using V = hn::VFromD<D>;

public:
  template <class Entry, std::size_t length>
  HWY_INLINE explicit Lookup(const Entry (&entries)[length]) : entries_(reinterpret_cast<const Lane*>(entries)) {
    static_assert(sizeof(Entry) == sizeof(Lane) && length >= size);
  }

  HWY_INLINE V operator()(V index) const { return gather(entries_, hn::And(index, hn::Set(D(), size - 1))); }

  template <int shift>
  HWY_INLINE V from_bit(V number) const {
    return (*this)(shift_right<shift>(number));
  }

private:
  const Lane* entries_;
};

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
