// Python: the `_PY` function is asked all that the C++ function for float is.
#include <cmath>
#include <limits>

#include "cases/everywhere.hpp"
#include "cases/refusals.hpp"

namespace conformance {
namespace {

/// Runs `check(bits)` with calls through the `_PY` function.
template <class Check>
void for_each_width(Check check) {
  if (!test_run().library->has<float>(test_run().device, Entry::python))
    throw MissingFunction("the library does not export the _PY function");
  const CallsThrough python(Entry::python);
  for (const int bits : offered_widths<float>())
    check(bits);
}

CONFORMANCE_TEST(Python, Numbers, "GFPQ-PYTHON-01") {
  using Limits = std::numeric_limits<float>;
  Checks& checks = requirements["GFPQ-PYTHON-01"];
  for_each_width([&](int bits) {
    const Oracle<float>& right = oracle<float>(bits);
    for (const int delta : deltas(bits, right.max_code() / 2)) {
      std::vector<float> numbers = {right.positive_zero(delta),
                                    away_from_zero(right.positive_zero(delta), 1),
                                    right.negative_zero(delta),
                                    away_from_zero(right.negative_zero(delta), 1),
                                    0.0f,
                                    -0.0f,
                                    Limits::denorm_min(),
                                    -Limits::denorm_min(),
                                    Limits::max(),
                                    -Limits::max()};
      for (int exponent = delta + 2; exponent <= delta + right.max_code(); ++exponent)
        for (const float number : {right.below_threshold(exponent), right.above_threshold(exponent)}) {
          numbers.push_back(number);
          numbers.push_back(-number);
        }
      check_apply(checks, bits, delta, numbers, "both sides of each threshold");
    }
    for (const int delta : deltas(bits, right.delta_limit() / 5)) {
      check_apply_everywhere(checks, bits, delta, mixed_numbers<float>(bits, delta, 200), "mixed numbers");
      check_apply_everywhere(checks, bits, delta, std::vector<float>(10, -0.0f), "-0");
    }
  });
}

CONFORMANCE_TEST(Python, NaN, "GFPQ-PYTHON-05") {
  Checks& checks = requirements["GFPQ-PYTHON-05"];
  for_each_width([&](int bits) {
    for (const int delta : {-77, 0, 200}) {
      check_apply_everywhere(checks, bits, delta, with_nan(numbers_in_range<float>(bits, delta, 150)), "NaN");
      GFPQ_PARAM_ST param{};
      check_fit(checks, bits, &param, with_nan(numbers_in_range<float>(bits, delta, 150)), "NaN");
    }
  });
}

CONFORMANCE_TEST(Python, Modes, "GFPQ-PYTHON-02") {
  Checks& checks = requirements["GFPQ-PYTHON-02"];
  for_each_width([&](int bits) {
    const Oracle<float>& right = oracle<float>(bits);
    for (const int wanted : deltas(bits, right.delta_limit() / 7)) {
      const auto input = numbers_in_range<float>(bits, wanted, 60);
      const int found = right.delta(input);
      for (const int stored : deltas(bits, right.delta_limit() / 3)) {
        for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE}) {
          GFPQ_PARAM_ST param = param_of<float>(bits, mode, stored);
          check_fit(checks, bits, &param, input, "the block has " + std::to_string(stored));
        }
        check_apply(checks, bits, stored, input, "the data ask for " + std::to_string(found));
      }
      check_fit<float>(checks, bits, nullptr, input);
    }
    for (const float maximum : {1e-30f, 1e-6f, 0.7f, 1.0f, 9.0f, 1e10f, 1e38f})
      check_maximum_everywhere(checks, bits, maximum, "a maximum");
    const std::vector<float> nothing;
    check_fit<float>(checks, bits, nullptr, nothing, "count 0");
    for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE}) {
      GFPQ_PARAM_ST param = param_of<float>(bits, mode, -500);
      check_fit(checks, bits, &param, nothing, "count 0");
    }
  });
}

CONFORMANCE_TEST(Python, Errors, "GFPQ-PYTHON-03") {
  CapturedOutput quiet;
  Checks& checks = requirements["GFPQ-PYTHON-03"];
  for_each_width([&](int bits) {
    const auto width = static_cast<unsigned>(bits);
    const GFPQ_PARAM_ST good = param_of<float>(bits, GFPQ_MODE_UPDATE, -77);
    for (const unsigned bad : bad_widths())
      for (const std::size_t count : {5, 0, 3000}) {
        check_refused<float>({checks, checks}, bad, &good, GFPQ_ERR_BAD_FORMAT, "a bad bit width", count);
        check_refused<float>({checks, checks}, bad, nullptr, GFPQ_ERR_BAD_FORMAT, "a bad bit width", count);
      }
    for (const unsigned count : {0u, 1u, 1000u, 0xFFFFFFFFu})
      for (const unsigned any_width : {width, 9u}) {
        GFPQ_PARAM_ST param = good;
        const Call call{"HI_GFPQ_QuantAndDeQuant_PY",
                        "float",
                        any_width,
                        "UPDATE",
                        {},
                        "data is null, count " + std::to_string(count)};
        const int status = test_run().library->quantize_py(test_run().device, nullptr, count, any_width, &param);
        checks.status(call, status, GFPQ_ERR_BAD_PARAMETERS);
        checks.param(call, param, good);
      }
  });
}

CONFORMANCE_TEST(Python, BadParameters, "GFPQ-PYTHON-06") {
  CapturedOutput quiet;
  Checks& checks = requirements["GFPQ-PYTHON-06"];
  for_each_width([&](int bits) {
    const auto width = static_cast<unsigned>(bits);
    const auto check = [&](const GFPQ_PARAM_ST& param, const std::string& what) {
      for (const std::size_t count : {5, 0, 3000})
        check_refused<float>({checks, checks}, width, &param, GFPQ_ERR_BAD_PARAMETERS, what, count);
    };
    for (const unsigned mode : bad_modes())
      check(param_of<float>(bits, mode, -77), "an unknown mode");
    for (const unsigned mode : {GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
      check(GFPQ_PARAM_ST{mode, {}}, "an unset block");
      if (test_run().has_own_blocks)
        continue;
      for (int bit = 0; bit < 8 * GFPQ_PARAM_LEN; ++bit) {
        GFPQ_PARAM_ST param = oracle<float>(bits).param(mode, -77);
        param.buf[bit / 8] = static_cast<unsigned char>(param.buf[bit / 8] ^ 1 << bit % 8);
        if (!is_well_formed(param)) // the check words do not tell all deltas apart
          check(param, "a damaged block");
      }
      for (int beyond = 1; beyond < 5000; beyond += beyond / 8 + 1)
        for (const int sign : {-1, 1})
          check(well_formed(mode, sign * (oracle<float>(bits).delta_limit() + beyond)), "a delta out of range");
    }
  });
}

CONFORMANCE_TEST(Python, Lengths, "GFPQ-PYTHON-04") {
  need_host_memory();
  Checks& checks = requirements["GFPQ-PYTHON-04"];
  for_each_width([&](int bits) {
    GuardedCalls<float> calls(bits, Entry::python, (1u << 20) + 1, {checks, checks, checks});
    const auto check = [&](std::size_t count) {
      calls.check(count, all_modes[count % 4], count % 3 == 0);
      calls.check(count, all_modes[(count + 1) % 4], count % 3 != 0);
    };
    for (std::size_t count = 0; count <= 600; ++count)
      check(count);
    for (std::size_t power = 1024; power <= 1u << 20; power *= 2)
      for (const std::size_t count : {power - 1, power, power + 1})
        check(count);
    for (std::size_t count = test_run().thorough ? 601 : 8193; count <= 8192 + 4096;
         count += test_run().thorough ? 1 : 37)
      check(count);
    for (std::size_t offset = 0; offset < 16; ++offset)
      check_apply(checks, bits, -77, mixed_numbers<float>(bits, -77, 333), "any alignment", offset);
  });
}

CONFORMANCE_TEST(Python, TheSameAsTheCppFunction, "GFPQ-INTERFACE-02") {
  Checks& checks = requirements["GFPQ-INTERFACE-02"];
  for (const int bits : offered_widths<float>())
    for (const unsigned mode : all_modes)
      for (const std::size_t count : {333, 70001}) {
        const auto input = with_nan(mixed_numbers<float>(bits, -77, count));
        GFPQ_PARAM_ST param = param_of<float>(bits, mode == without_parameter ? 0u : mode, -77), want_param = param;
        const auto run = [&](Entry entry, GFPQ_PARAM_ST& used) {
          const CallsThrough through(entry);
          return quantize(input, static_cast<unsigned>(bits), mode == without_parameter ? nullptr : &used);
        };
        const Outcome<float> want = run(Entry::cpp, want_param), got = run(Entry::python, param);
        const Call call{"HI_GFPQ_QuantAndDeQuant_PY", "float", static_cast<unsigned>(bits), name_of_mode(mode)};
        checks.status(call, got.status, want.status);
        checks.param(call, param, want_param);
        checks.tensor(call, input, got.data, want.data);
      }
}

} // namespace
} // namespace conformance
