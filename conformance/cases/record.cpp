// Record, Sample: what the vendor's library and guide show.
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cases/refusals.hpp"
#include "oracle/golden.hpp"

namespace conformance {
namespace {

const std::string record = "vendor-1.1.5/";

std::string upper_mode(const std::string& mode) {
  return mode == "init" ? "INIT" : mode == "update" ? "UPDATE" : mode == "apply" ? "APPLY" : "null";
}

/// A recorded block as the library lays it out; one that holds no delta as it is.
template <class Float>
GFPQ_PARAM_ST in_librarys_layout(int bits, const GFPQ_PARAM_ST& recorded) {
  const int delta = delta_of(recorded);
  return is_well_formed(recorded) && std::abs(delta) <= oracle<Float>(bits).delta_limit()
             ? param_of<Float>(bits, recorded.mode, delta)
             : recorded;
}

template <class Float>
void replay(Checks& outputs, Checks& blocks, const Row& row) {
  const auto bits = static_cast<unsigned>(row.integer("bits"));
  if (!is_offered<Float>(static_cast<int>(bits)))
    return;
  const std::string mode = upper_mode(row.text("mode"));
  const auto input = read_tensor<Float>(record + "tensors/" + row.text("input"));
  const auto want = read_tensor<Float>(record + "tensors/" + row.text("output"));
  GFPQ_PARAM_ST param{}, want_param{};
  if (mode != "null") {
    param = in_librarys_layout<Float>(static_cast<int>(bits), block_from_hex(row.text("param_before")));
    want_param = block_from_hex(row.text("param_after"));
    param.mode = want_param.mode = mode == "INIT"     ? GFPQ_MODE_INIT
                                   : mode == "UPDATE" ? GFPQ_MODE_UPDATE
                                                      : GFPQ_MODE_APPLY_ONLY;
  }
  const Outcome<Float> outcome = quantize(input, bits, mode == "null" ? nullptr : &param);
  const Call call{"HI_GFPQ_QuantAndDeQuant",
                  type_name<Float>,
                  bits,
                  mode,
                  {},
                  "recorded sequence " + row.text("sequence") + ", step " + row.text("step")};
  blocks.status(call, outcome.status, static_cast<int>(std::stoul(row.text("return_code"), nullptr, 16)));
  blocks.param(call, param, want_param);

  const Oracle<Float>& right = oracle<Float>(static_cast<int>(bits));
  for (std::size_t i = 0; i < input.size(); ++i) {
    const Float magnitude = std::fabs(input[i]);
    const bool either_way = sizeof(Float) == 8 && std::isfinite(magnitude) && right.distance_to_border(magnitude) <= 16;
    const int codes_apart =
        right.nearest_exponent(std::fabs(outcome.data[i])) - right.nearest_exponent(std::fabs(want[i]));
    if (either_way && std::abs(codes_apart) <= 1)
      continue;
    outputs.number(call, i, input.size(), input[i], outcome.data[i], want[i]);
  }
}

CONFORMANCE_TEST(Record, Calls, "GFPQ-RECORD-01", "GFPQ-RECORD-02", "GFPQ-RECORD-03") {
  for (const Row& row : read_table(record + "cases.csv"))
    if (row.text("dtype") == "f32")
      replay<float>(requirements["GFPQ-RECORD-01"], requirements["GFPQ-RECORD-03"], row);
    else
      replay<double>(requirements["GFPQ-RECORD-02"], requirements["GFPQ-RECORD-03"], row);
}

/// Applies each delta to a few numbers and checks them against recorded results.
void check_recorded(Checks& checks, int bits, int delta, const std::vector<float>& input,
                    const std::vector<float>& want) {
  GFPQ_PARAM_ST param = param_of<float>(bits, GFPQ_MODE_APPLY_ONLY, delta);
  checks.tensor({"HI_GFPQ_QuantAndDeQuant", "float", static_cast<unsigned>(bits), "APPLY", delta, "recorded"}, input,
                quantize(input, static_cast<unsigned>(bits), &param).data, want);
}

/// Of the offered widths those that the vendor's library has: it was recorded.
std::vector<int> recorded_widths() {
  std::vector<int> recorded;
  for (const int bits : offered_widths<float>())
    if (bits == 8 || bits == 16)
      recorded.push_back(bits);
  return recorded;
}

CONFORMANCE_TEST(Record, Ladders, "GFPQ-RECORD-04") {
  for (const int bits : recorded_widths()) {
    const Oracle<float>& right = oracle<float>(bits);
    float below = right.value(right.lowest_exponent());
    // A delta's ladder at a time.
    std::vector<float> input, want;
    int delta = right.lowest_exponent();
    for (const Row& row : read_table(record + "ladder_" + std::to_string(bits) + ".csv")) {
      const int exponent = static_cast<int>(row.integer("exponent"));
      const float value = row.number<float>("value_bits"), threshold = row.number<float>("lower_threshold_bits");
      input.insert(input.end(), {away_from_zero(threshold, -1), threshold, value});
      want.insert(want.end(), {below, value, value});
      below = value;
      if (exponent == delta + right.max_code() || exponent == right.highest_exponent()) {
        check_recorded(requirements["GFPQ-RECORD-04"], bits, delta, input, want);
        input.clear();
        want.clear();
        delta = std::min(exponent, right.delta_limit());
      }
    }
  }
}

CONFORMANCE_TEST(Record, Parameters, "GFPQ-RECORD-05") {
  for (const int bits : recorded_widths())
    for (const Row& row : read_table(record + "params_" + std::to_string(bits) + ".csv")) {
      GFPQ_PARAM_ST param{};
      quantize(std::vector<float>{row.number<float>("smallest_max_bits")}, static_cast<unsigned>(bits), &param);
      requirements["GFPQ-RECORD-05"].param({"HI_GFPQ_QuantAndDeQuant", "float", static_cast<unsigned>(bits), "INIT",
                                            static_cast<int>(row.integer("delta")), "recorded smallest maximum"},
                                           param, block_from_hex(row.text("param_hex")));
    }
}

CONFORMANCE_TEST(Record, ZeroZones, "GFPQ-RECORD-06") {
  for (const int bits : recorded_widths())
    for (const Row& row : read_table(record + "zero_zone_" + std::to_string(bits) + ".csv")) {
      const auto positive = row.number<float>("smallest_positive_kept_bits");
      const auto negative = row.number<float>("smallest_negative_kept_bits");
      const char* value = "its_value_bits"; // a column for each sign
      check_recorded(requirements["GFPQ-RECORD-06"], bits, static_cast<int>(row.integer("delta")),
                     {positive, away_from_zero(positive, -1), negative, away_from_zero(negative, -1)},
                     {row.number<float>(value, 0), 0, row.number<float>(value, 1), 0});
    }
}

const nlohmann::json& guide() {
  static const nlohmann::json json = nlohmann::json::parse(read_golden("guide/samples.json"));
  return json;
}

/// The guide's program: no parameter, then INIT, UPDATE and APPLY with one block; `use(call, output)`.
template <class Use>
GFPQ_PARAM_ST run_sample(Use use) {
  const auto input = guide().at("sample").at("input").get<std::vector<float>>();
  const auto bits = guide().at("sample").at("bits").get<unsigned>();
  GFPQ_PARAM_ST param{};
  for (const std::string mode : {"null", "init", "update", "apply"}) {
    param.mode = mode == "update" ? GFPQ_MODE_UPDATE : mode == "apply" ? GFPQ_MODE_APPLY_ONLY : GFPQ_MODE_INIT;
    const Outcome<float> outcome = quantize(input, bits, mode == "null" ? nullptr : &param);
    use(Call{"HI_GFPQ_QuantAndDeQuant", "float", bits, upper_mode(mode), {}, "the guide's sample"}, outcome.data);
  }
  return param;
}

void check_printed(Checks& checks, const char* format, const nlohmann::json& printed) {
  run_sample([&](const Call& call, const std::vector<float>& output) {
    for (std::size_t i = 0; i < printed.size(); ++i) {
      char text[64];
      std::snprintf(text, sizeof text, format, static_cast<double>(output.at(i)));
      checks.that(text == printed[i].get<std::string>(), [&] {
        return call.describe() + "\n      number " + std::to_string(i) + " prints as " + text + ", the guide shows " +
               printed[i].get<std::string>();
      });
    }
  });
}

CONFORMANCE_TEST(Sample, PrintedByTheCppProgram, "GFPQ-SAMPLE-01") {
  check_printed(requirements["GFPQ-SAMPLE-01"], "%.6f", guide().at("sample").at("printed_cpp"));
}

CONFORMANCE_TEST(Sample, PrintedByThePythonProgram, "GFPQ-SAMPLE-02") {
  check_printed(requirements["GFPQ-SAMPLE-02"], "%.10f", guide().at("sample").at("printed_python"));
}

CONFORMANCE_TEST(Sample, ParameterBytes, "GFPQ-SAMPLE-03") {
  const GFPQ_PARAM_ST param = run_sample([](const Call&, const std::vector<float>&) {});
  GFPQ_PARAM_ST want = block_from_hex(guide().at("parameter").at("block"));
  want.mode = param.mode;
  requirements["GFPQ-SAMPLE-03"].param({"HI_GFPQ_QuantAndDeQuant", "float", 8, "", -77, "the guide's sample"}, param,
                                       want);
}

} // namespace
} // namespace conformance
