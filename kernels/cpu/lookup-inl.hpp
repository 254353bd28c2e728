// Looks constants up by the last bits of each lane: in registers where the instruction set can, else in memory.
// Included once for each target, after highway.h.
#if defined(GFPQ_KERNELS_CPU_LOOKUP_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GFPQ_KERNELS_CPU_LOOKUP_INL_HPP
#undef GFPQ_KERNELS_CPU_LOOKUP_INL_HPP
#else
#define GFPQ_KERNELS_CPU_LOOKUP_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace gfpq {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class V>
HWY_INLINE auto as_floats(V bits) {
  return hn::BitCast(hn::RebindToFloat<hn::DFromV<V>>(), bits);
}

template <class V>
HWY_INLINE V if_negative(V number, V yes, V no) {
#if HWY_TARGET == HWY_AVX3
  return hn::IfVecThenElse(hn::BroadcastSignBit(number), yes, no); // a mask register would take longer
#else
  return hn::BitCast(hn::DFromV<V>(), hn::IfNegativeThenElse(as_floats(number), as_floats(yes), as_floats(no)));
#endif
}

// What picks lanes out of one register, or two, by the last bits of `index`. Highway's TableLookupLanes wants the other
// bits cleared, and its TwoTablesLookupLanes is younger than the version that we support.
#if HWY_TARGET == HWY_AVX3
using Int32s = hn::VFromD<hn::ScalableTag<int32_t>>;
using Int64s = hn::VFromD<hn::ScalableTag<int64_t>>;
HWY_INLINE Int32s pick(Int32s index, Int32s a) { return Int32s{_mm512_permutexvar_epi32(index.raw, a.raw)}; }
HWY_INLINE Int64s pick(Int64s index, Int64s a) { return Int64s{_mm512_permutexvar_epi64(index.raw, a.raw)}; }
HWY_INLINE Int32s pick(Int32s index, Int32s a, Int32s b) {
  return Int32s{_mm512_permutex2var_epi32(a.raw, index.raw, b.raw)};
}
HWY_INLINE Int64s pick(Int64s index, Int64s a, Int64s b) {
  return Int64s{_mm512_permutex2var_epi64(a.raw, index.raw, b.raw)};
}
template <class D>
constexpr int max_registers = 4;
#elif HWY_TARGET == HWY_AVX2
using Int32s = hn::VFromD<hn::ScalableTag<int32_t>>;
HWY_INLINE Int32s pick(Int32s index, Int32s a) { return Int32s{_mm256_permutevar8x32_epi32(a.raw, index.raw)}; }
HWY_INLINE Int32s pick(Int32s index, Int32s a, Int32s b) {
  return if_negative(hn::ShiftLeft<28>(index), pick(index, b), pick(index, a));
}
template <class D>
constexpr int max_registers = sizeof(hn::TFromD<D>) == 4 ? 4 : 0;
#else
template <class D>
constexpr int max_registers = 0;
#endif

/// How many registers hold a table; 0 where it stays in memory.
template <class D, int size>
constexpr int registers_for() {
  constexpr int lanes = hn::MaxLanes(D());
  constexpr int registers = size < lanes ? 1 : size / lanes;
  return registers <= max_registers<D> ? registers : 0;
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
    if constexpr (size < lanes) {
      const hn::Half<D> half;
      const auto entries_once = hn::LoadU(half, reinterpret_cast<const Lane*>(entries));
      static_assert(2 * size == lanes);
      table_[0] = hn::Combine(D(), entries_once, entries_once);
    } else {
      for (int i = 0; i < registers; ++i)
        table_[i] = hn::LoadU(D(), reinterpret_cast<const Lane*>(entries) + i * lanes);
    }
  }

  HWY_INLINE V operator()(V index) const {
    if constexpr (registers == 1) {
      return pick(index, table_[0]);
    } else if constexpr (registers == 2) {
      return pick(index, table_[0], table_[1]);
    } else {
      const V last_bit_first = hn::ShiftLeft<8 * sizeof(Lane) - floor_log2(size)>(index);
      return if_negative(last_bit_first, pick(index, table_[2], table_[3]), pick(index, table_[0], table_[1]));
    }
  }

private:
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

  HWY_INLINE V operator()(V index) const {
    return hn::GatherIndex(D(), entries_, hn::And(index, hn::Set(D(), size - 1)));
  }

private:
  const Lane* entries_;
};

} // namespace
} // namespace HWY_NAMESPACE
} // namespace gfpq
HWY_AFTER_NAMESPACE();

#endif
