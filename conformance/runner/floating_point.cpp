#include "runner/floating_point.hpp"

#include <cstdio>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace conformance {
namespace {

struct Bits {
  std::uint64_t bits;
  const char* text;
};

#if defined(__x86_64__) || defined(_M_X64)
constexpr std::uint32_t flags = 0x3f; // what operations have raised
constexpr const char* register_name = "MXCSR";
constexpr Bits parts[] = {
    {0x0040, "denormals are zero"}, {0x8000, "flush to zero"}, {0x6000, "rounding"}, {0x1f80, "traps"}};
#elif defined(__aarch64__)
constexpr const char* register_name = "FPCR";
constexpr Bits parts[] = {{0x1000000, "flush to zero"}, {0xc00000, "rounding"}, {0x9f00, "traps"}};
#else
constexpr const char* register_name = "the control register";
constexpr Bits parts[] = {{0, ""}};
#endif

} // namespace

FloatingPointControl floating_point_control() {
  FloatingPointControl control;
#if defined(__x86_64__) || defined(_M_X64)
  control.vector = _mm_getcsr() & ~flags;
#if defined(__GNUC__)
  __asm__ volatile("fnstcw %0" : "=m"(control.x87));
#endif
#elif defined(__aarch64__) && defined(__GNUC__)
  __asm__ volatile("mrs %0, fpcr" : "=r"(control.vector));
#endif
  return control;
}

void set_floating_point_control(const FloatingPointControl& control) {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_setcsr(static_cast<std::uint32_t>(control.vector)); // with no flag raised, so that no trap is sprung
#if defined(__GNUC__)
  __asm__ volatile("fnclex\n\tfldcw %0" : : "m"(control.x87));
#endif
#elif defined(__aarch64__) && defined(__GNUC__)
  __asm__ volatile("msr fpcr, %0" : : "r"(control.vector));
#else
  static_cast<void>(control);
#endif
}

std::string describe_change(const FloatingPointControl& want, const FloatingPointControl& got) {
  char text[96];
  if (want.vector == got.vector) {
    std::snprintf(text, sizeof text, "the x87 control word 0x%04x instead of 0x%04x", got.x87, want.x87);
    return text;
  }
  std::snprintf(text, sizeof text, "%s 0x%llx instead of 0x%llx", register_name,
                static_cast<unsigned long long>(got.vector), static_cast<unsigned long long>(want.vector));
  std::string changed;
  for (const Bits& part : parts)
    if (((want.vector ^ got.vector) & part.bits) != 0)
      changed += std::string(changed.empty() ? "" : ", ") + part.text;
  return std::string(text) + " (" + changed + ")";
}

} // namespace conformance
