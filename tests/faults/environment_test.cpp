// The caller's floating-point environment, in every state: it changes no result, and is as it was afterwards. Run once
// with each GFPQ_TARGET.
#include <cfenv>
#include <cstring>
#include <string>
#include <thread>

#include "tensors.hpp"

namespace {

/// What a thread's floating-point unit holds: rounding, what is trapped, what was raised.
struct State {
#if defined(__x86_64__)
  unsigned int mxcsr = __builtin_ia32_stmxcsr();
  unsigned short x87_control = 0, x87_status = 0;
  State() { asm volatile("fnstcw %0\n\tfnstsw %1" : "=m"(x87_control), "=m"(x87_status)); }
  bool operator==(const State& other) const {
    return mxcsr == other.mxcsr && x87_control == other.x87_control && x87_status == other.x87_status;
  }
#else
  int rounding = std::fegetround(), raised = std::fetestexcept(FE_ALL_EXCEPT), trapped = fegetexcept();
  bool operator==(const State& other) const {
    return rounding == other.rounding && raised == other.raised && trapped == other.trapped;
  }
#endif
};

struct Setting {
  int rounding, raised;
  bool is_trapping, flushes_denormals;
};

void enter(const Setting& setting) {
  std::fesetenv(FE_DFL_ENV);
  std::fesetround(setting.rounding);
#if defined(__x86_64__)
  if (setting.flushes_denormals)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040); // in and out
#endif
  if (setting.is_trapping)
    feenableexcept(FE_ALL_EXCEPT);
  else
    std::feraiseexcept(setting.raised);
}

/// Numbers on both sides of every threshold of an octave, with denormal, infinite and signalling ones among them.
template <class Float>
std::vector<Float> delicate_tensor(std::size_t count) {
  std::vector<Float> numbers(count);
  for (std::size_t i = 0; i < count; ++i)
    numbers[i] = Float(std::exp2(double(i % 256) / 256 - double(i / 256 % 8)) * (i % 3 == 0 ? -1 : 1));
  using Limits = std::numeric_limits<Float>;
  const Float specials[] = {Limits::signaling_NaN(),
                            Limits::denorm_min(),
                            -Limits::denorm_min(),
                            Limits::min() / 3,
                            Limits::quiet_NaN(),
                            Float(0),
                            -Float(0)};
  for (std::size_t i = 5; i < count; i += 97)
    std::memcpy(&numbers[i], &specials[i / 97 % std::size(specials)], sizeof(Float));
  return numbers;
}

template <class Float>
void check(const Setting& setting, unsigned count, unsigned bits, unsigned mode, const GFPQ_PARAM_ST& stored) {
  const std::vector<Float> input = delicate_tensor<Float>(count);
  std::vector<Float> want = input, got = input;
  GFPQ_PARAM_ST want_param = stored, got_param = stored;
  want_param.mode = got_param.mode = mode;
  const int want_status = HI_GFPQ_QuantAndDeQuant(want.data(), count, bits, &want_param);
  enter(setting);
  const State before;
  const int status = HI_GFPQ_QuantAndDeQuant(got.data(), count, bits, &got_param);
  const State after;
  std::fesetenv(FE_DFL_ENV);
  ASSERT_EQ(status, GFPQ_SUCCESS);
  ASSERT_EQ(want_status, GFPQ_SUCCESS);
  EXPECT_TRUE(before == after) << "the environment has changed";
  EXPECT_EQ(std::memcmp(&got_param, &want_param, sizeof got_param), 0);
  EXPECT_EQ(std::memcmp(got.data(), want.data(), count * sizeof(Float)), 0);
}

TEST(FloatingPoint, EnvironmentIsTheCallersAlone) {
  setenv("OMP_NUM_THREADS", "3", 1);
  float number = 1;
  GFPQ_SetMessageSink([](const char*, void*) {}, nullptr);
  if (HI_GFPQ_QuantAndDeQuant(&number, 1, 8, nullptr) == GFPQ_ERR_NOT_SUPPORT)
    GTEST_SKIP() << "this machine has no " << std::getenv("GFPQ_TARGET");
  for (const int rounding : {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO})
    for (const Setting& setting : {Setting{rounding, 0, false, false}, Setting{rounding, FE_ALL_EXCEPT, false, true},
                                   Setting{rounding, 0, true, false}, Setting{rounding, 0, true, true}})
      for (const unsigned bits : {8u, 16u})
        for (const unsigned count : {1u, 7u, 1000u, 1'200'000u}) {
          SCOPED_TRACE("rounding " + std::to_string(setting.rounding) + ", trapping " +
                       std::to_string(setting.is_trapping) + ", " + std::to_string(bits) + " bit, count " +
                       std::to_string(count));
          GFPQ_PARAM_ST stored{GFPQ_MODE_INIT, {}};
          float one = 1;
          ASSERT_EQ(HI_GFPQ_QuantAndDeQuant(&one, 1, bits, &stored), GFPQ_SUCCESS);
          for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
            if (count > 1000 && (mode == GFPQ_MODE_UPDATE || rounding != FE_UPWARD))
              continue; // they take their time
            check<float>(setting, count, bits, mode, stored);
            check<double>(setting, count, bits, mode, stored);
          }
        }
}

} // namespace
