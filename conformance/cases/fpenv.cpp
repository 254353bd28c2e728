// Fpenv: calls in whatever floating-point environment the caller has.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "cases/everywhere.hpp"
#include "cases/floating_point_setting.hpp"

namespace conformance {
namespace {

/// Values of the ladder and both sides of thresholds, with denormal numbers among them.
template <class Float>
std::vector<Float> delicate_numbers(int bits, int delta) {
  using Limits = std::numeric_limits<Float>;
  const Oracle<Float>& right = oracle<Float>(bits);
  std::vector<Float> numbers = {Limits::denorm_min(), -Limits::denorm_min(), Limits::min() / 3, Float(0), -Float(0)};
  for (int exponent = delta + 2; exponent <= delta + right.max_code(); exponent += right.max_code() / 120)
    for (const Float number : {below_border(right.above_threshold(exponent)).back(), right.value(exponent),
                               above_border(right.above_threshold(exponent)).back()}) {
      numbers.push_back(number);
      numbers.push_back(-number);
    }
  return numbers;
}

/// Makes a call under a setting; nothing but the call is under it.
template <class Float>
void check_call(Checks& checks, int bits, Entry entry, const Setting& setting, unsigned mode, int delta,
                const std::vector<Float>& input, const std::vector<Float>& want) {
  std::vector<Float> data = input;
  GFPQ_PARAM_ST param = param_of<Float>(bits, mode == without_parameter ? 0u : mode,
                                        mode == GFPQ_MODE_APPLY_ONLY ? delta : -oracle<Float>(bits).delta_limit());
  GFPQ_PARAM_ST* const used = mode == without_parameter ? nullptr : &param;
  const auto count = static_cast<unsigned>(data.size());
  int status;
  {
    const FloatingPoint environment(setting);
    status = test_run().library->quantize(Device::cpu, data.data(), count, static_cast<unsigned>(bits), used, entry);
  }
  const Call call{"HI_GFPQ_QuantAndDeQuant",
                  type_name<Float>,
                  static_cast<unsigned>(bits),
                  name_of_mode(mode),
                  delta,
                  std::to_string(count) + " numbers, called with " + setting.name};
  checks.status(call, status, GFPQ_SUCCESS);
  if (used != nullptr)
    checks.param(call, param, param_of<Float>(bits, mode, delta));
  check_numbers(checks, call, input.data(), data.data(), want.data(), want.size());
}

/// Calls of all modes and several lengths under a setting.
template <class Float>
void check_short_tensors(Checks& checks, int bits, Entry entry, const Setting& setting) {
  const Oracle<Float>& right = oracle<Float>(bits);
  const auto check = [&](const std::vector<Float>& input, unsigned mode, int delta) {
    check_call(checks, bits, entry, setting, mode, delta, input, right.quantize(input, delta));
  };
  for (const int delta : {-right.delta_limit() / 6, -right.max_code() / 2}) {
    const std::vector<Float> numbers = delicate_numbers<Float>(bits, delta);
    std::vector<Float> fitted = numbers;
    fitted.push_back(-away_from_zero(right.smallest_maximum(delta), 64));
    for (const unsigned mode : all_modes)
      check(mode == GFPQ_MODE_APPLY_ONLY ? numbers : fitted, mode, delta);
    for (std::size_t begin = 0; begin + 3 < numbers.size(); begin += 41)
      check({numbers.begin() + static_cast<std::ptrdiff_t>(begin),
             numbers.begin() + static_cast<std::ptrdiff_t>(begin + 3)},
            GFPQ_MODE_APPLY_ONLY, delta);
  }
  // A maximum that hardware may take for zero.
  for (const Float tiny : {std::numeric_limits<Float>::denorm_min(), std::numeric_limits<Float>::min() / 2})
    for (const std::size_t count : {1, 50})
      for (const unsigned mode : fitting_modes)
        check(std::vector<Float>(count, tiny), mode, -right.delta_limit());
}

/// NaN, quiet and signalling, infinities, and tensors of nothing else, or of zeros, under a setting.
template <class Float>
void check_special_numbers(Checks& checks, int bits, Entry entry, const Setting& setting) {
  const Oracle<Float>& right = oracle<Float>(bits);
  const int delta = -right.delta_limit() / 6;
  const std::vector<Float> numbers = with_nan(delicate_numbers<Float>(bits, delta), 11);
  std::vector<Float> fitted = numbers, applied = numbers;
  fitted.push_back(-away_from_zero(right.smallest_maximum(delta), 64));
  for (const Float infinity : {std::numeric_limits<Float>::infinity(), -std::numeric_limits<Float>::infinity()})
    applied.insert(applied.begin() + 5, infinity);
  for (const unsigned mode : all_modes) {
    const std::vector<Float>& input = mode == GFPQ_MODE_APPLY_ONLY ? applied : fitted;
    check_call(checks, bits, entry, setting, mode, delta, input, right.quantize(input, delta));
  }
  using Limits = std::numeric_limits<Float>;
  for (const Float number : {Float(0), -Float(0), Limits::infinity(), Limits::quiet_NaN(), Limits::max()})
    for (const std::size_t count : {1, 50})
      for (const unsigned mode : all_modes) {
        const std::vector<Float> input(count, number);
        const int of_all = mode == GFPQ_MODE_APPLY_ONLY ? delta : right.delta(input);
        check_call(checks, bits, entry, setting, mode, of_all, input, right.quantize(input, of_all));
      }
}

/// With threads of the library's own, if it has any.
template <class Float>
void check_long_tensor(Checks& checks, int bits, Entry entry, const Setting& setting, unsigned mode) {
  const LongTensor<Float>& numbers = long_tensor<Float>(bits);
  std::vector<Float> input = numbers.input, want = numbers.want;
  if (mode != GFPQ_MODE_APPLY_ONLY) {
    input.back() = numbers.largest;
    want.back() = numbers.largest_want;
  }
  check_call(checks, bits, entry, setting, mode, numbers.delta, input, want);
}

CONFORMANCE_TEST(Fpenv, Rounding, "GFPQ-FPENV-01") {
  need_host_memory();
  for_each_entry([&](auto kind, int bits, Entry entry) {
    for (const auto& [rounding, name] : roundings)
      for (const bool raised : {false, true})
        check_short_tensors<decltype(kind)>(
            requirements["GFPQ-FPENV-01"], bits, entry,
            {name + std::string(raised ? ", all flags raised" : ""), rounding, false, raised, false});
  });
}

CONFORMANCE_TEST_THREADS(Fpenv, RoundingOfLongTensors, "GFPQ-FPENV-01") {
  need_host_memory();
  std::size_t turn = 0;
  for_each_entry([&](auto kind, int bits, Entry entry) {
    for (const auto& [rounding, name] : roundings) // each with both modes, for one kind or another
      check_long_tensor<decltype(kind)>(requirements["GFPQ-FPENV-01"], bits, entry,
                                        {name, rounding, false, false, false},
                                        turn++ % 2 == 0 ? GFPQ_MODE_APPLY_ONLY : GFPQ_MODE_UPDATE);
    ++turn;
  });
}

CONFORMANCE_TEST(Fpenv, FlushedDenormals, "GFPQ-FPENV-02") {
  need_host_memory();
  for_each_entry([&](auto kind, int bits, Entry entry) {
    for (const auto& [rounding, name] : roundings)
      check_short_tensors<decltype(kind)>(
          requirements["GFPQ-FPENV-02"], bits, entry,
          {name + std::string(", denormals flushed to zero"), rounding, true, false, false});
  });
}

CONFORMANCE_TEST(Fpenv, RaisedFlags, "GFPQ-FPENV-04") {
  need_host_memory();
  const Setting setting{"all flags raised", FE_TONEAREST, false, true, false};
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    const LongTensor<Float>& numbers = long_tensor<Float>(bits);
    const auto check = [&](std::size_t count, unsigned width, unsigned mode) {
      std::vector<Float> data(numbers.input.begin(), numbers.input.begin() + static_cast<std::ptrdiff_t>(count));
      GFPQ_PARAM_ST param = parameters_of<Float>(bits, mode).before;
      bool still_raised;
      {
        const FloatingPoint environment(setting);
        test_run().library->quantize(Device::cpu, data.data(), static_cast<unsigned>(count), width,
                                     mode == without_parameter ? nullptr : &param, entry);
        still_raised = FloatingPoint::all_raised();
      }
      requirements["GFPQ-FPENV-04"].that(still_raised, [&] {
        const Call call{test_run().library->function_name<Float>(Device::cpu, entry),
                        type_name<Float>,
                        width,
                        name_of_mode(mode),
                        std::nullopt,
                        std::to_string(count) + " numbers, called with " + setting.name};
        return call.describe() + ", cleared some";
      });
    };
    for (const unsigned mode : all_modes)
      for (const std::size_t count : {std::size_t(1), std::size_t(50), std::size_t(5000), numbers.input.size()})
        check(count, static_cast<unsigned>(bits), mode);
    check(50, 9, without_parameter); // an error, which prints
  });
}

#if defined(__GLIBC__)
// Where a trap strikes, the case ends.
CONFORMANCE_TEST(Fpenv, Traps, "GFPQ-FPENV-03") {
  need_host_memory();
  for_each_entry([&](auto kind, int bits, Entry entry) {
    const Setting setting{"all exceptions trapped", FE_TONEAREST, false, false, true};
    check_short_tensors<decltype(kind)>(requirements["GFPQ-FPENV-03"], bits, entry, setting);
    for (const unsigned mode : {GFPQ_MODE_APPLY_ONLY, GFPQ_MODE_UPDATE})
      check_long_tensor<decltype(kind)>(requirements["GFPQ-FPENV-03"], bits, entry, setting, mode);
    check_special_numbers<decltype(kind)>(requirements["GFPQ-FPENV-03"], bits, entry, setting);
  });
}
#else
CONFORMANCE_TEST(Fpenv, Traps, "GFPQ-FPENV-03") { throw Skip("written for the GNU C library alone"); }
#endif

} // namespace
} // namespace conformance
