// The SIMD targets: one text, compiled for each of the list that the compiler knows.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/cpu/simd.hpp"

// Highway is used for its headers alone: its checks and its choice of a target would need libhwy at run time.
#define HWY_IS_DEBUG_BUILD 0
#include <hwy/detect_compiler_arch.h>
#if HWY_ARCH_X86
#define HWY_WANT_AVX3_DL // that is, where the list has it
#define GFPQ_OR_TARGET(highway_target, name) | highway_target
#ifndef GFPQ_COMPILED_TARGETS // a build may do with fewer than the list has
#define GFPQ_COMPILED_TARGETS (0 GFPQ_FOR_EACH_SIMD_TARGET(GFPQ_OR_TARGET))
#endif
#define HWY_DISABLED_TARGETS (~(HWY_SCALAR | HWY_EMU128 | GFPQ_COMPILED_TARGETS))
#elif HWY_ARCH_ARM
#define HWY_COMPILE_ONLY_STATIC
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128) // registers of unknown size
#else
#define HWY_COMPILE_ONLY_SCALAR
#endif
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/simd.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#ifndef GFPQ_KERNELS_CPU_SIMD_COMPILED
#define GFPQ_KERNELS_CPU_SIMD_COMPILED
namespace gfpq {
namespace {

/// The functions of Highway's target, where the compiler knows it.
template <std::int64_t highway_target>
struct Compiled {
  static constexpr bool is_compiled = false;
};

} // namespace
} // namespace gfpq
#endif

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128

#include "kernels/cpu/decode-inl.hpp"
#include "kernels/cpu/encode-inl.hpp"
#include "kernels/cpu/fake_quantize-inl.hpp"
#include "kernels/cpu/fake_quantize_each-inl.hpp"
#include "kernels/cpu/loops-inl.hpp"
#include "kernels/cpu/max_abs-inl.hpp"

namespace gfpq {
namespace {

template <>
struct Compiled<HWY_TARGET> {
  static constexpr bool is_compiled = true;

  template <class Float>
  static constexpr auto max_abs = HWY_NAMESPACE::max_abs<Float>;
  template <class Float>
  static constexpr auto raise_each = HWY_NAMESPACE::raise_each<Float>;
  template <class Float>
  static constexpr auto write_mask = HWY_NAMESPACE::write_mask<Float>;
  template <class Float>
  static constexpr auto write_mask_of_each = HWY_NAMESPACE::write_mask_of_each<Float>;
  template <class Float, class Width>
  static constexpr auto fake_quantize_in_place = HWY_NAMESPACE::fake_quantize_in_place<Float, Width>;
  template <class Float, class Width, class Delta>
  static constexpr auto fake_quantize = HWY_NAMESPACE::fake_quantize_by<Float, Width, Delta>;
  template <class Float, class Width, class Delta>
  static constexpr auto encode = HWY_NAMESPACE::encode<Float, Width, Delta>;
  template <class Float, class Width, class Delta>
  static constexpr auto decode = HWY_NAMESPACE::decode<Float, Width, Delta>;
  template <class Half>
  static constexpr auto max_abs_of_halves = HWY_NAMESPACE::max_abs_of_halves<Half>;
  template <class Half>
  static constexpr auto widen = HWY_NAMESPACE::widen<Half>;
  template <class Half>
  static constexpr auto round = HWY_NAMESPACE::round<Half>;
  template <class Half>
  static constexpr auto round_normal = HWY_NAMESPACE::round_normal<Half>;
};

} // namespace
} // namespace gfpq

#endif // HWY_TARGET

#if HWY_ONCE
#if HWY_ARCH_X86
#include "kernels/cpu/x86_features.hpp"
#endif

namespace gfpq {
namespace {

#if HWY_ARCH_X86
bool has_sse4() { return x86_features().has_sse4; }
bool has_avx2() { return x86_features().has_avx2; }
bool has_avx512() { return x86_features().has_avx512; }
#elif HWY_ARCH_ARM
bool has_neon() { return true; }
#endif

template <class Functions>
[[maybe_unused]] void add(Targets& targets, const char* name, bool (*is_supported)()) {
  if constexpr (Functions::is_compiled) {
    static const Target target(name, is_supported, Functions());
    targets.add(target);
  }
}

} // namespace

Targets compiled_simd_targets() {
  Targets targets;
#define GFPQ_ADD_TARGET(highway_target, name) add<Compiled<highway_target>>(targets, #name, has_##name);
  GFPQ_FOR_EACH_SIMD_TARGET(GFPQ_ADD_TARGET)
#undef GFPQ_ADD_TARGET
  return targets;
}

} // namespace gfpq

#endif // HWY_ONCE
