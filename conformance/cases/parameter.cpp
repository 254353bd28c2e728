// Delta, Param, Mode: where a tensor's parameter comes from, and how it is kept.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>

#include "cases/everywhere.hpp"

namespace conformance {
namespace {

/// INIT on a tensor whose largest number lies just before and just at the steps to the deltas from one to another.
template <class Float>
void check_steps(Checks& checks, int bits, int first, int last) {
  const Oracle<Float>& right = oracle<Float>(bits);
  for (int delta = first; delta <= last; ++delta)
    for (const auto& side : {below_border(right.smallest_maximum(delta)), above_border(right.smallest_maximum(delta))})
      for (const Float maximum : side) {
        const std::string note = "a maximum beside a step of the delta rule";
        if (maximum == side.front()) {
          check_maximum_everywhere(checks, bits, maximum, note);
          continue;
        }
        GFPQ_PARAM_ST param{};
        check_fit(checks, bits, &param, std::vector<Float>{maximum}, note);
      }
}

template <class Float>
void check_all_steps(Checks& checks, int bits) {
  const int limit = oracle<Float>(bits).delta_limit();
  check_steps<Float>(checks, bits, -limit + 1, limit);
}

CONFORMANCE_TEST(Delta, FloatStepsAt8Bit, "GFPQ-DELTA-01") { check_all_steps<float>(requirements["GFPQ-DELTA-01"], 8); }
CONFORMANCE_TEST(Delta, FloatStepsAt16Bit, "GFPQ-DELTA-02") {
  check_all_steps<float>(requirements["GFPQ-DELTA-02"], 16);
}
CONFORMANCE_TEST(Delta, DoubleSteps, "GFPQ-DELTA-03", "GFPQ-DELTA-09") {
  for (const int bits : offered_widths<double>()) {
    const Oracle<double>& right = oracle<double>(bits);
    const int limit = right.delta_limit(), split = 32 * right.steps() - right.max_code();
    check_steps<double>(requirements["GFPQ-DELTA-03"], bits, -limit + 1, split);
    check_steps<double>(requirements["GFPQ-DELTA-09"], bits, split + 1, limit);
  }
}

CONFORMANCE_TEST(Delta, SignOfTheMaximum, "GFPQ-DELTA-04") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const double maximum : {1e-8, 3e-5, 0.7, 1.0, 9.0, 1234.5, 6e8})
      for (const int sign : {-1, 1}) {
        GFPQ_PARAM_ST param{};
        const auto largest = static_cast<Float>(sign * maximum);
        check_fit(requirements["GFPQ-DELTA-04"], bits, &param,
                  std::vector<Float>{largest / 3, -largest / 2, largest, largest / 5, -largest / 7});
      }
  });
}

CONFORMANCE_TEST(Delta, NothingButZeros, "GFPQ-DELTA-06") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const std::size_t count : {1, 2, 15, 64, 1000})
      for (const Float number : {Float(0), -Float(0)}) {
        GFPQ_PARAM_ST param{};
        check_fit(requirements["GFPQ-DELTA-06"], bits, &param, std::vector<Float>(count, number), "nothing but zeros");
      }
  });
}

CONFORMANCE_TEST(Delta, StaysInRange, "GFPQ-DELTA-07") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const double maximum : {1e-300, 1e-37, 1e-20, 1e-14, 1e-12, 1e12, 1e14, 1e20, 1e37, 1e300}) {
      const auto largest = static_cast<Float>(maximum);
      if (largest == 0 || std::isinf(largest))
        continue;
      GFPQ_PARAM_ST param{};
      check_fit(requirements["GFPQ-DELTA-07"], bits, &param, std::vector<Float>{largest, -largest / 2, 0});
    }
  });
}

/// INIT on a number that asks for each delta.
template <class Float>
void check_blocks(Checks& checks, int bits) {
  if (!is_offered<Float>(bits))
    return;
  const Oracle<Float>& right = oracle<Float>(bits);
  for (const int delta : deltas(bits)) {
    // A value may be rounded to just below its power, and would then ask for delta-1: take a number a bit larger.
    const Float maximum = away_from_zero(right.value(delta + right.max_code()), 64);
    const std::vector<Float> input = {maximum};
    param_of<Float>(bits, GFPQ_MODE_INIT, delta); // the library's own layout is known from here on
    GFPQ_PARAM_ST param{};
    const Outcome<Float> outcome = quantize(input, static_cast<unsigned>(bits), &param);
    const Call call{"HI_GFPQ_QuantAndDeQuant",          type_name<Float>, static_cast<unsigned>(bits), "INIT", delta,
                    "a number that asks for this delta"};
    checks.status(call, outcome.status, GFPQ_SUCCESS);
    checks.param(call, param, right.param(GFPQ_MODE_INIT, delta));
    if (outcome.status == GFPQ_SUCCESS)
      checks.tensor(call, input, outcome.data, right.quantize(input, delta));
  }
}

CONFORMANCE_TEST(Param, BlocksAt8Bit, "GFPQ-PARAM-01") {
  check_blocks<float>(requirements["GFPQ-PARAM-01"], 8);
  check_blocks<double>(requirements["GFPQ-PARAM-01"], 8);
}
CONFORMANCE_TEST(Param, BlocksAt16Bit, "GFPQ-PARAM-02") {
  check_blocks<float>(requirements["GFPQ-PARAM-02"], 16);
  check_blocks<double>(requirements["GFPQ-PARAM-02"], 16);
}

CONFORMANCE_TEST(Param, InitIgnoresTheFormerBlock, "GFPQ-PARAM-03", "GFPQ-MODE-01") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const double maximum : {1e-4, 9.0, 5000.0}) {
      const auto largest = static_cast<Float>(maximum);
      const std::vector<Float> input = {largest / 3, -largest, 0, largest / 1000};
      for (const int fill : {0x00, 0x55, 0xA5, 0xFF}) {
        GFPQ_PARAM_ST param{};
        std::memset(param.buf, fill, sizeof param.buf);
        check_fit(requirements["GFPQ-PARAM-03"], bits, &param, input, "INIT over a block of other bytes");
      }
      for (const int stored : {-400, -77, 0, 300}) {
        GFPQ_PARAM_ST param = param_of<Float>(bits, GFPQ_MODE_INIT, stored);
        check_fit(requirements["GFPQ-MODE-01"], bits, &param, input,
                  "INIT over a block of delta " + std::to_string(stored));
      }
    }
  });
}

CONFORMANCE_TEST(Param, WhatACallLeaves, "GFPQ-PARAM-04", "GFPQ-PARAM-05") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const auto input = mixed_numbers<Float>(bits, 0, 50);
    for (const int delta : deltas(bits, 97))
      for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
        const GFPQ_PARAM_ST before = param_of<Float>(bits, mode, delta);
        GFPQ_PARAM_ST param = before;
        const Call call{"HI_GFPQ_QuantAndDeQuant", type_name<Float>, static_cast<unsigned>(bits), mode_name(mode),
                        delta};
        quantize(input, static_cast<unsigned>(bits), &param);
        requirements["GFPQ-PARAM-04"].that(
            param.mode == mode, [&] { return call.describe() + " changed mode to " + std::to_string(param.mode); });
        if (mode == GFPQ_MODE_APPLY_ONLY)
          requirements["GFPQ-PARAM-05"].param(call, param, before);
      }
  });
}

CONFORMANCE_TEST(Param, OneBlockAtBothWidths, "GFPQ-PARAM-06") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    Checks& checks = requirements["GFPQ-PARAM-06"];
    for (const int other : offered_widths<Float>())
      for (const int delta : {-511, -300, -77, 0, 200, 511}) {
        if (other == bits)
          continue;
        const Oracle<Float>& right = oracle<Float>(bits);
        GFPQ_PARAM_ST param{};
        check_fit(checks, bits, &param, std::vector<Float>{away_from_zero(right.value(delta + right.max_code()), 64)},
                  "a block is made ...");
        param.mode = GFPQ_MODE_UPDATE;
        check_fit(checks, other, &param, std::vector<Float>{Float(1e-9), Float(-1e-9)},
                  "... and used at the other width");
        check_apply(checks, other, delta, mixed_numbers<Float>(other, delta, 300), "a delta that both widths have");
      }
  });
}

CONFORMANCE_TEST(Param, ApplyAtEveryDelta, "GFPQ-PARAM-07") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const Oracle<Float>& right = oracle<Float>(bits);
    for (const int delta : deltas(bits)) {
      const Float low = right.value(delta), high = right.value(delta + right.max_code());
      check_apply(requirements["GFPQ-PARAM-07"], bits, delta,
                  std::vector<Float>{low, -low, high, -high, low / 4, high * 4, right.value(delta + 50)});
    }
  });
}

CONFORMANCE_TEST(Mode, UpdateTakesTheWiderRange, "GFPQ-MODE-02") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const Oracle<Float>& right = oracle<Float>(bits);
    for (const int wanted : deltas(bits, oracle<Float>(bits).delta_limit() / 7)) {
      // The smaller numbers lie off the values, which may be ends of a zero zone.
      const std::vector<Float> input = {away_from_zero(right.value(wanted + right.max_code()), 64),
                                        away_from_zero(right.value(wanted), 64), 0,
                                        -away_from_zero(right.value(wanted + 60), 64)};
      std::vector<int> blocks = deltas(bits, right.delta_limit() / 5);
      for (const int distance : {1, 16, 900})
        for (const int stored : {wanted - distance, wanted, wanted + distance})
          if (std::abs(stored) <= right.delta_limit())
            blocks.push_back(stored);
      for (const int stored : blocks) {
        const std::string note = "block " + std::to_string(stored) + ", data " + std::to_string(wanted);
        GFPQ_PARAM_ST param = param_of<Float>(bits, GFPQ_MODE_UPDATE, stored);
        check_fit(requirements["GFPQ-MODE-02"], bits, &param, input, note);
        std::vector<Float> longer = input;
        longer.resize(80, 0);
        param = param_of<Float>(bits, GFPQ_MODE_UPDATE, stored);
        check_fit(requirements["GFPQ-MODE-02"], bits, &param, longer, note);
      }
    }
    for (const int stored : {-200, 300}) {
      std::vector<Float> input(70001, Float(0.25));
      input.back() = Float(-9);
      GFPQ_PARAM_ST param = param_of<Float>(bits, GFPQ_MODE_UPDATE, stored);
      check_fit(requirements["GFPQ-MODE-02"], bits, &param, input, "a long tensor");
    }
  });
}

CONFORMANCE_TEST(Mode, ApplyKeepsToTheBlock, "GFPQ-MODE-03") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const int delta : {-300, -77, 0, 200})
      for (const double scale : {1e-6, 1.0, 1e6}) {
        std::vector<Float> input;
        for (const double number : {1.0, -0.3, 0.002, 0.0, 7.7, -1000.0})
          input.push_back(at_safe_distance(bits, static_cast<Float>(number * scale)));
        check_apply(requirements["GFPQ-MODE-03"], bits, delta, input, "data of a quite different range");
      }
  });
}

CONFORMANCE_TEST(Mode, WithoutParameter, "GFPQ-MODE-04") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const int delta : deltas(bits, oracle<Float>(bits).delta_limit() / 8)) {
      const auto input = numbers_in_range<Float>(bits, delta, 300);
      check_fit<Float>(requirements["GFPQ-MODE-04"], bits, nullptr, input);
    }
  });
}

CONFORMANCE_TEST(Mode, BlocksInTurn, "GFPQ-MODE-05") {
  // Training as it is done: several tensors, each with its block, INIT once, UPDATE for a while, then APPLY.
  std::mt19937_64 random(5);
  GFPQ_PARAM_ST params[6] = {};
  for (int step = 0; step < 12; ++step)
    for (int tensor = 0; tensor < 6; ++tensor) {
      const int bits = tensor % 2 == 0 ? 8 : 16;
      const bool is_double = tensor % 3 == 0;
      const auto run = [&](auto kind) {
        using Float = decltype(kind);
        if (!is_offered<Float>(bits))
          return;
        std::vector<Float> input(100 + 37 * static_cast<std::size_t>(tensor));
        for (Float& number : input) {
          const double uniform = static_cast<double>(random() >> 11) * 0x1p-53 - 0.5;
          number = at_safe_distance(bits, static_cast<Float>(uniform * std::exp2(3 * tensor - 9 + step % 5)));
        }
        GFPQ_PARAM_ST& param = params[tensor];
        param.mode = step == 0 ? GFPQ_MODE_INIT : step < 8 ? GFPQ_MODE_UPDATE : GFPQ_MODE_APPLY_ONLY;
        const std::string note = "step " + std::to_string(step) + " of tensor " + std::to_string(tensor);
        if (param.mode == GFPQ_MODE_APPLY_ONLY) {
          check_apply(requirements["GFPQ-MODE-05"], bits, delta_held(param), input, note);
        } else {
          check_fit(requirements["GFPQ-MODE-05"], bits, &param, input, note);
        }
      };
      is_double ? run(double()) : run(float());
    }
  // INIT, and a call without parameter, know nothing of larger numbers in calls before.
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const double maximum : {900.0, 0.07, 2000.0, 1e-5, 3.3}) {
      const std::vector<Float> input = {static_cast<Float>(maximum), static_cast<Float>(-maximum / 3)};
      GFPQ_PARAM_ST param{};
      check_fit(requirements["GFPQ-MODE-05"], bits, &param, input, "larger and smaller tensors in turn");
      check_fit<Float>(requirements["GFPQ-MODE-05"], bits, nullptr, input, "larger and smaller tensors in turn");
    }
  });
}

CONFORMANCE_TEST(Mode, DeltasInTurn, "GFPQ-MODE-05") {
  // What a library keeps of one delta must not serve another: not one that differs in a single bit, nor one with the
  // other sign, nor the same at the other width.
  for_each_type([&](auto kind) {
    using Float = decltype(kind);
    const std::vector<int> widths_offered = offered_widths<Float>();
    const auto apply = [&](int bits, int delta, const std::string& note) {
      for (const std::size_t count : {30, 1500})
        check_apply(requirements["GFPQ-MODE-05"], bits, delta, mixed_numbers<Float>(bits, delta, count, 23), note);
    };
    for (const int bits : widths_offered) {
      const int limit = oracle<Float>(bits).delta_limit();
      const auto check_pair = [&](int first, int second) {
        const std::string note = "deltas " + std::to_string(first) + " and " + std::to_string(second) + " in turn";
        for (const int delta : {first, second, first})
          apply(bits, delta, note);
      };
      for (int step = 1; step <= 2 * limit; step *= 2)
        for (const int first : {-limit, -step / 2, limit - step})
          check_pair(first, first + step);
      for (const int delta : {1, 77, 128, limit}) {
        check_pair(delta, -delta);
        check_pair(delta - 1, -delta);
      }
    }
    for (const int delta : {-300, -77, 0, 256})
      for (int round = 0; round < 2; ++round)
        for (const int bits : widths_offered)
          apply(bits, delta, "the same delta at both widths in turn");
  });
}

} // namespace
} // namespace conformance
