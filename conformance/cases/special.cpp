// Special: NaN and infinities. The golden set of special values, each part under its requirement.
#include <cmath>

#include "oracle/golden.hpp"
#include "runner/case.hpp"

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

CONFORMANCE_TEST(Special, NaN, "GFPQ-SPECIAL-01") { check_special(requirements["GFPQ-SPECIAL-01"], {"nan_"}); }

CONFORMANCE_TEST(Special, ZerosAndDenormals, "GFPQ-ZERO-01", "GFPQ-ZERO-05") {
  check_special(requirements["GFPQ-ZERO-01"], {"zero_"});
  check_special(requirements["GFPQ-ZERO-05"], {"denormal_"});
}

CONFORMANCE_TEST(Special, EndsOfTheLadder, "GFPQ-CLAMP-01", "GFPQ-CLAMP-02", "GFPQ-ZERO-02", "GFPQ-MODE-02") {
  check_special(requirements["GFPQ-CLAMP-01"], {"clamp_above", "clamp_largest", "clamp_highest"});
  check_special(requirements["GFPQ-CLAMP-02"], {"clamp_below", "clamp_ends", "clamp_lowest", "negative_"});
  check_special(requirements["GFPQ-ZERO-02"], {"half_"});
  check_special(requirements["GFPQ-MODE-02"], {"update_"});
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
}

} // namespace
} // namespace conformance
