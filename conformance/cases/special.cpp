// Special: NaN and infinities. The golden set of special values, each part under its requirement.
#include <cmath>
#include <limits>

#include "cases/everywhere.hpp"
#include "oracle/golden.hpp"

namespace conformance {
namespace {

constexpr unsigned no_parameter = GFPQ_MODE_APPLY_ONLY + 1;

unsigned mode_of(const std::string& text) {
  static const std::map<std::string, unsigned> modes = {
      {"init", GFPQ_MODE_INIT}, {"update", GFPQ_MODE_UPDATE}, {"apply", GFPQ_MODE_APPLY_ONLY}, {"null", no_parameter}};
  return modes.at(text);
}

/// Calls the library on every golden row whose name begins so; `check(call, param, want_param, input, got, want)`.
template <class Float, class Check>
void for_each_special(const std::string& prefix, Check check) {
  static const std::vector<Row> rows = read_table("generated/special.csv");
  for (const Row& row : rows) {
    if (row.text("name").rfind(prefix, 0) != 0 || row.text("dtype") != (sizeof(Float) == 4 ? "f32" : "f64"))
      continue;
    const auto bits = static_cast<unsigned>(row.integer("bits"));
    if (!is_offered<Float>(static_cast<int>(bits)))
      continue;
    const auto block = [&](unsigned block_mode, const char* delta) {
      return param_of<Float>(static_cast<int>(bits), block_mode, static_cast<int>(row.integer(delta)));
    };
    const unsigned mode = mode_of(row.text("mode"));
    const bool from_block = mode == GFPQ_MODE_UPDATE || mode == GFPQ_MODE_APPLY_ONLY;
    GFPQ_PARAM_ST param{};
    if (from_block)
      param = block(mode, "delta_before");
    GFPQ_PARAM_ST want_param = param;
    std::optional<int> delta;
    if (mode == GFPQ_MODE_APPLY_ONLY)
      delta = static_cast<int>(row.integer("delta_before"));
    else if (mode != no_parameter)
      delta = static_cast<int>(row.integer("delta_after")), want_param = block(mode, "delta_after");
    const auto input = list_from_bits<Float>(row.text("input"));
    const auto want = list_from_bits<Float>(row.text("output"));
    const Call call{
        "HI_GFPQ_QuantAndDeQuant", type_name<Float>, bits, mode == no_parameter ? "null" : mode_name(mode), delta,
        row.text("name")};
    const Outcome<Float> outcome = quantize(input, bits, mode == no_parameter ? nullptr : &param);
    check(call, outcome.status, param, want_param, input, outcome.data, want);
  }
}

/// Checks everything of the rows whose names begin with one of the prefixes.
void check_special(Checks& checks, std::initializer_list<const char*> prefixes) {
  const auto check = [&](const Call& call, int status, const GFPQ_PARAM_ST& param, const GFPQ_PARAM_ST& want_param,
                         const auto& input, const auto& got, const auto& want) {
    checks.status(call, status, GFPQ_SUCCESS);
    checks.param(call, param, want_param);
    checks.tensor(call, input, got, want);
  };
  for (const char* prefix : prefixes) {
    for_each_special<float>(prefix, check);
    for_each_special<double>(prefix, check);
  }
}

/// Both signs, quiet and signalling, with payloads from 1 to all ones.
template <class Float>
std::vector<Float> every_nan() {
  using Bits = BitsOf<Float>;
  constexpr int fraction_bits = sizeof(Float) == 4 ? 23 : 52;
  constexpr Bits quiet = Bits(1) << (fraction_bits - 1), sign = Bits(1) << (8 * sizeof(Bits) - 1);
  const Bits infinity = bits_of(std::numeric_limits<Float>::infinity());
  std::vector<Float> numbers;
  for (const Bits payload : {Bits(0), Bits(1), Bits(0x1234), quiet / 2, quiet - 1})
    for (const Bits is_quiet : {quiet, Bits(0)})
      for (const Bits is_negative : {Bits(0), sign})
        if ((payload | is_quiet) != 0)
          numbers.push_back(from_pattern<Float>(is_negative | infinity | is_quiet | payload));
  return numbers;
}

/// A tensor of nothing but NaN counts as zeros.
template <class Float>
void check_all_nan(Checks& checks, int bits) {
  for (const std::size_t count : {1, 2, 15, 64, 1000}) {
    GFPQ_PARAM_ST param{};
    const std::vector<Float> input(count, std::numeric_limits<Float>::quiet_NaN());
    const int delta = oracle<Float>(bits).delta(input);
    const Call call{"HI_GFPQ_QuantAndDeQuant", type_name<Float>, static_cast<unsigned>(bits), "INIT", delta,
                    "nothing but NaN"};
    checks.status(call, quantize(input, static_cast<unsigned>(bits), &param).status, GFPQ_SUCCESS);
    checks.param(call, param, param_of<Float>(bits, GFPQ_MODE_INIT, delta));
  }
}

CONFORMANCE_TEST(Special, NaN, "GFPQ-SPECIAL-01") {
  check_special(requirements["GFPQ-SPECIAL-01"], {"nan_"});
  for_each_kind([&](auto kind, int bits) {
    for (const int delta : deltas(bits, oracle<decltype(kind)>(bits).delta_limit() / 2))
      check_apply_everywhere(requirements["GFPQ-SPECIAL-01"], bits, delta, every_nan<decltype(kind)>(), "NaN");
  });
}

/// What becomes of NaN says nothing about the maximum: the numbers beside it, and the block.
CONFORMANCE_TEST(Special, NaNIsLeftOut, "GFPQ-DELTA-05") {
  Checks& checks = requirements["GFPQ-DELTA-05"];
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const Oracle<Float>& right = oracle<Float>(bits);
    std::size_t turn = 0;
    for (const Float nan : every_nan<Float>())
      for (const std::size_t count : {1, 2, 3, 5, 8, 13, 17, 33, 70, 131, 307, 1000})
        for (const std::size_t share : {1, 2}) { // one NaN, and every other number
          std::vector<Float> input = numbers_in_range<Float>(bits, -77, count, static_cast<unsigned>(++turn));
          for (std::size_t i = turn % count; i < count; i += share == 1 ? count : 2)
            input[i] = nan;
          const unsigned mode = fitting_modes[turn % std::size(fitting_modes)];
          const int delta = right.delta(input);
          GFPQ_PARAM_ST param = param_of<Float>(bits, mode == without_parameter ? 0u : mode, -right.delta_limit());
          const Call call{"HI_GFPQ_QuantAndDeQuant",
                          type_name<Float>,
                          static_cast<unsigned>(bits),
                          name_of_mode(mode),
                          delta,
                          "NaN among " + std::to_string(count) + " numbers"};
          const Outcome<Float> outcome =
              quantize(input, static_cast<unsigned>(bits), mode == without_parameter ? nullptr : &param);
          checks.status(call, outcome.status, GFPQ_SUCCESS);
          if (mode != without_parameter)
            checks.param(call, param, param_of<Float>(bits, mode, delta));
          for (std::size_t i = 0; i < count; ++i)
            if (!std::isnan(input[i]))
              checks.number(call, i, count, input[i], outcome.data[i], right.quantize(input[i], delta));
        }
    check_all_nan<Float>(checks, bits);
  });
}

CONFORMANCE_TEST(Special, InfinityInApply, "GFPQ-SPECIAL-02") {
  Checks& checks = requirements["GFPQ-SPECIAL-02"];
  const auto check = [&](const Call& call, int, const GFPQ_PARAM_ST&, const GFPQ_PARAM_ST&, const auto& input,
                         const auto& got, const auto& want) {
    for (std::size_t i = 0; i < input.size(); ++i)
      if (std::isinf(input[i]))
        checks.number(call, i, input.size(), input[i], got[i], want[i]);
  };
  for_each_special<float>("inf_apply_", check);
  for_each_special<double>("inf_apply_", check);
  for_each_kind([&](auto kind, int bits) {
    const auto infinity = std::numeric_limits<decltype(kind)>::infinity();
    for (const int delta : deltas(bits, oracle<decltype(kind)>(bits).delta_limit() / 5))
      check_apply_everywhere(checks, bits, delta,
                             std::vector<decltype(kind)>{infinity, -infinity, infinity, infinity, -infinity},
                             "infinities");
  });
}

CONFORMANCE_TEST(Special, InfinityInTheData, "GFPQ-SPECIAL-03", "GFPQ-SPECIAL-04") {
  const auto check = [&](const Call& call, int status, const GFPQ_PARAM_ST& param, const GFPQ_PARAM_ST& want_param,
                         const auto& input, const auto& got, const auto& want) {
    requirements["GFPQ-SPECIAL-03"].status(call, status, GFPQ_SUCCESS);
    requirements["GFPQ-SPECIAL-03"].param(call, param, want_param);
    for (std::size_t i = 0; i < input.size(); ++i)
      requirements[std::isinf(input[i]) ? "GFPQ-SPECIAL-04" : "GFPQ-SPECIAL-03"].number(call, i, input.size(), input[i],
                                                                                        got[i], want[i]);
  };
  for (const char* prefix : {"inf_init_", "inf_update_"}) {
    for_each_special<float>(prefix, check);
    for_each_special<double>(prefix, check);
  }
  // In long tensors, wherever it stands.
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const Oracle<Float>& right = oracle<Float>(bits);
    const int delta = right.delta_limit();
    const std::size_t count = 1100;
    for (std::size_t place = 0; place < count; place += place < 70 || place > 1030 ? 1 : 53) {
      // Numbers near the ladder's upper end, or such that nothing but the infinity asks for this delta.
      const auto seed = static_cast<unsigned>(place);
      std::vector<Float> input = place / 2 % 2 == 0 ? mixed_numbers<Float>(bits, delta, count, seed)
                                                    : numbers_in_range<Float>(bits, -77, count, seed);
      input[place] = place % 2 == 0 ? std::numeric_limits<Float>::infinity() : -std::numeric_limits<Float>::infinity();
      const unsigned mode = fitting_modes[place % std::size(fitting_modes)];
      GFPQ_PARAM_ST param = param_of<Float>(bits, mode == without_parameter ? 0u : mode, -77);
      GFPQ_PARAM_ST want_param = param_of<Float>(bits, param.mode, mode == without_parameter ? -77 : delta);
      const Call call{"HI_GFPQ_QuantAndDeQuant",
                      type_name<Float>,
                      static_cast<unsigned>(bits),
                      name_of_mode(mode),
                      delta,
                      "number " + std::to_string(place) + " is an infinity"};
      const Outcome<Float> outcome =
          quantize(input, static_cast<unsigned>(bits), mode == without_parameter ? nullptr : &param);
      check(call, outcome.status, param, want_param, input, outcome.data, right.quantize(input, delta));
    }
  });
}

} // namespace
} // namespace conformance
