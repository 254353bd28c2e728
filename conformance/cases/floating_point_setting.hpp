// Calls in a floating-point environment that the caller has set.
#ifndef GFPQ_CONFORMANCE_CASES_FLOATING_POINT_SETTING_HPP
#define GFPQ_CONFORMANCE_CASES_FLOATING_POINT_SETTING_HPP

#include <cfenv>
#include <cstdint>
#include <string>
#include <utility>

#if defined(__SSE2__)
#include <immintrin.h>
#if defined(__GNUC__)
#define GFPQ_HAS_X87
#endif
#endif

namespace conformance {

/// What a caller may have set.
struct Setting {
  std::string name;
  int rounding;
  bool flushes_denormals, raised, trapping;
};

/// Enters a setting; as it ends, everything is as before.
class FloatingPoint {
public:
  explicit FloatingPoint(const Setting& setting) {
    std::fegetenv(&former_);
    std::fesetenv(FE_DFL_ENV);
    std::fesetround(setting.rounding);
#if defined(__SSE2__)
    if (setting.flushes_denormals)
      _mm_setcsr(_mm_getcsr() | 0x8040); // results and inputs
#elif defined(__aarch64__)
    if (setting.flushes_denormals)
      asm volatile("msr fpcr, %0" : : "r"(fpcr() | 1ull << 24));
#endif
#if defined(__GLIBC__)
    if (setting.trapping)
      feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW | FE_INEXACT);
#endif
    if (setting.raised) {
      std::feraiseexcept(FE_ALL_EXCEPT);
#if defined(__SSE2__)
      _mm_setcsr(_mm_getcsr() | all_flags);
#endif
#if defined(GFPQ_HAS_X87)
      X87 state = x87();
      state.status |= all_flags;
      asm volatile("fldenv %0" : : "m"(state));
#endif
    }
  }
  ~FloatingPoint() { std::fesetenv(&former_); }
  FloatingPoint(const FloatingPoint&) = delete;
  FloatingPoint& operator=(const FloatingPoint&) = delete;

  /// Whether all flags are raised now, wherever this processor keeps them.
  static bool all_raised() {
#if defined(__SSE2__)
    if ((_mm_getcsr() & all_flags) != all_flags)
      return false;
#endif
#if defined(GFPQ_HAS_X87) // long double's
    if ((x87().status & all_flags) != all_flags)
      return false;
#endif
    return std::fetestexcept(FE_ALL_EXCEPT) == FE_ALL_EXCEPT;
  }

private:
#if defined(__SSE2__)
  static constexpr unsigned all_flags = 0x3f;
#endif
#if defined(GFPQ_HAS_X87)
  struct X87 { // as fnstenv stores it
    std::uint16_t control, unused, status, rest[11];
  };
  static X87 x87() {
    X87 state;
    asm volatile("fnstenv %0\n\tfldcw %0" : "=m"(state)); // which masks all exceptions, and what follows does not
    return state;
  }
#endif
#if defined(__aarch64__)
  static unsigned long long fpcr() {
    unsigned long long bits;
    asm volatile("mrs %0, fpcr" : "=r"(bits));
    return bits;
  }
#endif
  std::fenv_t former_;
};

inline const std::pair<int, const char*> roundings[] = {{FE_TONEAREST, "rounding to nearest"},
                                                        {FE_UPWARD, "rounding upward"},
                                                        {FE_DOWNWARD, "rounding downward"},
                                                        {FE_TOWARDZERO, "rounding toward zero"}};

} // namespace conformance

#endif
