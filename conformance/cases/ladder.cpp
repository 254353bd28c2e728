// Ladder, Round, Clamp, Zero: the arithmetic of one number.
#include <cmath>
#include <limits>

#include "cases/everywhere.hpp"

namespace conformance {
namespace {

/// The deltas whose ladders, one behind the other, hold every exponent; from code 1 on, for the negative values too.
std::vector<int> covering_deltas(int bits) { return deltas(bits, oracle<float>(bits).max_code() / 2); }

/// The exponents of delta's ladder for a sign.
template <class Float, class Use>
void for_each_exponent(const Oracle<Float>& right, int delta, bool negative, Use use) {
  for (int exponent = delta + (negative ? 1 : 0); exponent <= delta + right.max_code(); ++exponent)
    use(exponent);
}

template <class Float>
void check_values(Checks& checks, int bits) {
  const Oracle<Float>& right = oracle<Float>(bits);
  for (const int delta : covering_deltas(bits)) {
    // Asked for by numbers well inside each value's range, so that no threshold matters.
    std::vector<Float> input;
    for_each_exponent(right, delta, false, [&](int exponent) {
      input.push_back(away_from_zero(right.value(exponent), sizeof(Float) == 4 ? 200 : 1 << 20));
    });
    check_apply_everywhere(checks, bits, delta, input, "a number near each value");
  }
}

CONFORMANCE_TEST(Ladder, FloatValuesAt8Bit, "GFPQ-LADDER-01") {
  check_values<float>(requirements["GFPQ-LADDER-01"], 8);
}
CONFORMANCE_TEST(Ladder, FloatValuesAt16Bit, "GFPQ-LADDER-02") {
  check_values<float>(requirements["GFPQ-LADDER-02"], 16);
}
CONFORMANCE_TEST(Ladder, DoubleValuesAt8Bit, "GFPQ-LADDER-03") {
  check_values<double>(requirements["GFPQ-LADDER-03"], 8);
}
CONFORMANCE_TEST(Ladder, DoubleValuesAt16Bit, "GFPQ-LADDER-04") {
  check_values<double>(requirements["GFPQ-LADDER-04"], 16);
}

CONFORMANCE_TEST(Ladder, NegativeValues, "GFPQ-LADDER-05") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const Oracle<Float>& right = oracle<Float>(bits);
    for (const int delta : covering_deltas(bits)) {
      // The smallest positive value, negated, has no code of its own and becomes the next.
      std::vector<Float> input;
      for_each_exponent(right, delta, false, [&](int exponent) { input.push_back(-right.value(exponent)); });
      check_apply_everywhere(requirements["GFPQ-LADDER-05"], bits, delta, input, "the positive values, negated");
    }
  });
}

CONFORMANCE_TEST(Ladder, ValuesStayWhatTheyAre, "GFPQ-LADDER-06") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const Oracle<Float>& right = oracle<Float>(bits);
    for (const int delta : covering_deltas(bits)) {
      std::vector<Float> input = {0};
      for (const bool negative : {false, true})
        for_each_exponent(right, delta, negative, [&](int exponent) {
          input.push_back(negative ? -right.value(exponent) : right.value(exponent));
        });
      check_apply_everywhere(requirements["GFPQ-LADDER-06"], bits, delta, input, "all values of this ladder");
    }
  });
}

/// Both sides of the thresholds from one exponent to another, each with the smallest delta that has it on its ladder.
template <class Float>
void check_thresholds(Checks& checks, int bits, int first, int last) {
  const Oracle<Float>& right = oracle<Float>(bits);
  const int ladder_length = right.max_code() - 1; // the lowest negative value has no threshold below
  for (int begin = first; begin <= last; begin += ladder_length) {
    const int delta = std::min(begin - 2, right.delta_limit());
    std::vector<Float> input;
    for (int exponent = begin; exponent <= std::min(begin + ladder_length - 1, last); ++exponent)
      for (const auto& side :
           {below_border(right.above_threshold(exponent)), above_border(right.above_threshold(exponent))})
        for (const Float number : side) {
          input.push_back(number);
          input.push_back(-number);
        }
    check_apply_everywhere(checks, bits, std::max(delta, -right.delta_limit()), input, "both sides of each threshold");
  }
}

template <class Float>
void check_all_thresholds(Checks& checks, int bits) {
  check_thresholds<Float>(checks, bits, oracle<Float>(bits).lowest_exponent() + 1,
                          oracle<Float>(bits).highest_exponent());
}

CONFORMANCE_TEST(Round, FloatThresholdsAt8Bit, "GFPQ-ROUND-01") {
  check_all_thresholds<float>(requirements["GFPQ-ROUND-01"], 8);
}
CONFORMANCE_TEST(Round, FloatThresholdsAt16Bit, "GFPQ-ROUND-02") {
  check_all_thresholds<float>(requirements["GFPQ-ROUND-02"], 16);
}
CONFORMANCE_TEST(Round, DoubleThresholds, "GFPQ-ROUND-03", "GFPQ-ROUND-04", "GFPQ-ROUND-06") {
  for (const int bits : offered_widths<double>()) {
    const Oracle<double>& right = oracle<double>(bits);
    const int split = 32 * right.steps();
    check_thresholds<double>(requirements[bits == 8 ? "GFPQ-ROUND-03" : "GFPQ-ROUND-04"], bits,
                             right.lowest_exponent() + 1, split);
    check_thresholds<double>(requirements["GFPQ-ROUND-06"], bits, split + 1, right.highest_exponent());
  }
}

CONFORMANCE_TEST(Round, NumbersFromAllOver, "GFPQ-ROUND-05") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const int delta : deltas(bits, oracle<Float>(bits).delta_limit() / 14))
      check_apply(requirements["GFPQ-ROUND-05"], bits, delta,
                  mixed_numbers<Float>(bits, delta, 5003, static_cast<unsigned>(delta + 10000)), "mixed numbers");
  });
}

CONFORMANCE_TEST(Clamp, BothEnds, "GFPQ-CLAMP-01", "GFPQ-CLAMP-02") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const Oracle<Float>& right = oracle<Float>(bits);
    for (const int delta : deltas(bits, right.delta_limit() / 500)) {
      const Float largest = right.value(delta + right.max_code());
      std::vector<Float> beyond, small;
      for (const Float number :
           {away_from_zero(largest, 1), away_from_zero(largest, 20000), largest * Float(1.02), largest * 2,
            largest * 1000, std::numeric_limits<Float>::max() / 2, std::numeric_limits<Float>::max()}) {
        beyond.push_back(number);
        beyond.push_back(-number);
      }
      for (const bool negative : {false, true}) {
        const Float smallest = right.value(delta + (negative ? 1 : 0));
        for (const double part : {0.501, 0.6, 0.75, 0.9, 0.97, 0.999})
          small.push_back(static_cast<Float>(negative ? -smallest * part : smallest * part));
      }
      check_apply_everywhere(requirements["GFPQ-CLAMP-01"], bits, delta, beyond, "beyond the largest value");
      check_apply_everywhere(requirements["GFPQ-CLAMP-02"], bits, delta, small, "half of the smallest value and more");
    }
  });
}

CONFORMANCE_TEST(Zero, ZeroStaysZero, "GFPQ-ZERO-01") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const int delta : deltas(bits, 101))
      check_apply_everywhere(requirements["GFPQ-ZERO-01"], bits, delta,
                             std::vector<Float>{Float(0), -Float(0), Float(0), -Float(0), -Float(0)}, "zeros");
  });
}

template <class Float>
void check_zero_zone(Checks& checks, int bits, bool negative) {
  const Oracle<Float>& right = oracle<Float>(bits);
  for (const int delta : deltas(bits)) {
    const Float end = negative ? right.negative_zero(delta) : right.positive_zero(delta);
    std::vector<Float> input = below_border(away_from_zero(end, 1));
    for (const Float number : above_border(away_from_zero(end, 1)))
      input.push_back(number);
    input.push_back(end / 2);
    check_apply_everywhere(checks, bits, delta, input, "both sides of the zero zone's end");
  }
  // Where low is a multiple of S the zone's end is a power of two, exactly: equal goes to zero, in double too.
  const int steps = right.steps();
  for (int low = -steps * 31; low <= steps * 31; low += steps) {
    const Float end = std::ldexp(Float(1), low / steps - 1);
    check_apply_everywhere(checks, bits, low - (negative ? 1 : 0), std::vector<Float>{negative ? -end : end},
                           "exactly half of the smallest value");
  }
}

CONFORMANCE_TEST(Zero, PositiveZone, "GFPQ-ZERO-02") {
  for_each_kind(
      [&](auto kind, int bits) { check_zero_zone<decltype(kind)>(requirements["GFPQ-ZERO-02"], bits, false); });
}

CONFORMANCE_TEST(Zero, NegativeZone, "GFPQ-ZERO-03") {
  for_each_kind(
      [&](auto kind, int bits) { check_zero_zone<decltype(kind)>(requirements["GFPQ-ZERO-03"], bits, true); });
}

CONFORMANCE_TEST(Zero, NeverMinusZero, "GFPQ-ZERO-04") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const Oracle<Float>& right = oracle<Float>(bits);
    for (const int delta : deltas(bits, 101)) {
      const Float end = right.negative_zero(delta);
      check_apply_everywhere(
          requirements["GFPQ-ZERO-04"], bits, delta,
          std::vector<Float>{-Float(0), end / 2, end / 3, end / 1024, -std::numeric_limits<Float>::min(), 1},
          "negative numbers in the zero zone");
    }
  });
}

CONFORMANCE_TEST(Zero, Denormals, "GFPQ-ZERO-05") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const Float smallest = std::numeric_limits<Float>::denorm_min(), normal = std::numeric_limits<Float>::min();
    const std::vector<Float> denormals = {
        smallest, -smallest, away_from_zero(normal, -1), -away_from_zero(normal, -1), normal / 2, -normal / 4};
    Checks& checks = requirements["GFPQ-ZERO-05"];
    for (const int delta : deltas(bits, 501))
      check_apply_everywhere(checks, bits, delta, denormals, "denormal numbers");
    GFPQ_PARAM_ST param{};
    check_fit(checks, bits, &param, denormals, "nothing but denormal numbers");
    for (const Float maximum : {smallest, -away_from_zero(normal, -1)})
      check_maximum_everywhere(checks, bits, maximum, "a denormal maximum");
    check_fit(checks, bits, &param, std::vector<Float>{smallest}, "the smallest denormal number alone");
  });
}

} // namespace
} // namespace conformance
