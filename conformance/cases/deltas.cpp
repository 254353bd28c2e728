// Round, Mode: all codes at every delta.
#include <cmath>
#include <limits>

#include "cases/everywhere.hpp"

namespace conformance {
namespace {

/// The two numbers beside each threshold, lowest first, and what they become; for one sign.
template <class Float>
struct Borders {
  std::vector<Float> input, want;

  Borders(int bits, bool negative) {
    // Doubles stay so far from a threshold that an inexact logarithm does not matter.
    constexpr int distance = sizeof(Float) == 4 ? 0 : 64;
    const Oracle<Float>& right = oracle<Float>(bits);
    const Float sign = negative ? Float(-1) : Float(1);
    for (int exponent = right.lowest_exponent() + 1; exponent <= right.highest_exponent(); ++exponent) {
      input.push_back(sign * away_from_zero(right.below_threshold(exponent), -distance));
      input.push_back(sign * away_from_zero(right.above_threshold(exponent), distance));
      want.push_back(sign * right.value(exponent - 1));
      want.push_back(sign * right.value(exponent));
    }
  }
};

template <class Float>
class EveryDelta {
public:
  EveryDelta(Checks& checks, int bits)
      : checks_(checks), bits_(bits), right_(oracle<Float>(bits)), positive_(bits, false), negative_(bits, true) {}

  void apply(int delta, std::size_t offset) {
    start(delta);
    const Float largest = right_.value(delta + right_.max_code());
    for (const Float beyond : {largest * Float(1.04), std::numeric_limits<Float>::max()}) {
      add(beyond, largest);
      add(-beyond, -largest);
    }
    check(delta, GFPQ_MODE_APPLY_ONLY, param_of<Float>(bits_, GFPQ_MODE_APPLY_ONLY, delta), offset);
  }

  /// Delta comes from the data, the block holds a lower one.
  void fit(int delta, unsigned mode, std::size_t offset) {
    start(delta);
    // A value may be rounded to just below its power, and would then ask for delta-1.
    const Float largest = right_.value(delta + right_.max_code());
    add(-away_from_zero(largest, 64), -largest);
    check(delta, mode,
          param_of<Float>(bits_, mode == without_parameter ? 0u : mode,
                          std::max(delta - 1 - std::abs(delta % 300), -right_.delta_limit())),
          offset);
  }

private:
  void add(Float input, Float want) {
    input_.push_back(input);
    want_.push_back(want);
  }

  /// All codes of both signs, and both sides of the zero zones' ends.
  void start(int delta) {
    constexpr int distance = sizeof(Float) == 4 ? 0 : 64;
    input_.clear();
    want_.clear();
    add(away_from_zero(right_.positive_zero(delta), -distance), 0);
    add(away_from_zero(right_.positive_zero(delta), 1 + distance), right_.value(delta));
    add(away_from_zero(right_.negative_zero(delta), -distance), 0);
    add(away_from_zero(right_.negative_zero(delta), 1 + distance), -right_.value(delta + 1));
    add_borders(positive_, delta + 1, delta + right_.max_code());
    add_borders(negative_, delta + 2, delta + right_.max_code());
  }

  void add_borders(const Borders<Float>& borders, int first, int last) {
    const auto place = [&](int exponent) {
      return static_cast<std::ptrdiff_t>(2 * (exponent - right_.lowest_exponent() - 1));
    };
    input_.insert(input_.end(), borders.input.begin() + place(first), borders.input.begin() + place(last + 1));
    want_.insert(want_.end(), borders.want.begin() + place(first), borders.want.begin() + place(last + 1));
  }

  void check(int delta, unsigned mode, GFPQ_PARAM_ST param, std::size_t offset) {
    const Call call{"HI_GFPQ_QuantAndDeQuant",
                    type_name<Float>,
                    static_cast<unsigned>(bits_),
                    name_of_mode(mode),
                    delta,
                    "all codes"};
    const Outcome<Float> outcome =
        quantize(input_, static_cast<unsigned>(bits_), mode == without_parameter ? nullptr : &param, offset);
    checks_.status(call, outcome.status, GFPQ_SUCCESS);
    if (mode != without_parameter)
      checks_.param(call, param, param_of<Float>(bits_, mode, delta));
    check_numbers(checks_, call, input_.data(), outcome.data.data(), want_.data(), want_.size());
  }

  Checks& checks_;
  int bits_;
  const Oracle<Float>& right_;
  Borders<Float> positive_, negative_;
  std::vector<Float> input_, want_;
};

CONFORMANCE_TEST(Round, AllCodesOfEveryDelta, "GFPQ-ROUND-07") {
  for_each_kind([&](auto kind, int bits) {
    EveryDelta<decltype(kind)> every(requirements["GFPQ-ROUND-07"], bits);
    for (const int delta : deltas(bits)) {
      const auto place = static_cast<std::size_t>(delta + oracle<float>(bits).delta_limit());
      for (std::size_t turn = 0; turn < (test_run().thorough ? 16u : 1u); ++turn)
        every.apply(delta, (place + turn) % 16);
    }
  });
}

CONFORMANCE_TEST(Mode, AllCodesOfEveryDelta, "GFPQ-MODE-07") {
  for_each_kind([&](auto kind, int bits) {
    EveryDelta<decltype(kind)> every(requirements["GFPQ-MODE-07"], bits);
    for (const int delta : deltas(bits)) {
      const auto place = static_cast<std::size_t>(delta + oracle<float>(bits).delta_limit());
      for (std::size_t turn = 0; turn < (test_run().thorough ? 3u : 1u); ++turn)
        every.fit(delta, fitting_modes[(place + turn) % 3], place % 16);
    }
  });
}

} // namespace
} // namespace conformance
