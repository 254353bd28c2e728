#include "runner/shares.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iomanip>
#include <ostream>

#include "runner/case.hpp"
#include "runner/npy.hpp"

namespace conformance {
namespace {

constexpr std::size_t standard_count = 1'000'000;

template <class Float>
std::vector<Float> make_standard(const std::string& name, int bits) {
  const Oracle<Float>& right = oracle<Float>(bits);
  std::mt19937_64 random(2019);
  const auto uniform = [&] { return (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53; };
  const auto normal = [&] { // by Box and Muller
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  };
  std::vector<Float> numbers(standard_count);
  for (Float& number : numbers) {
    double value;
    if (name == "weights") {
      value = 0.05 * normal();
    } else if (name == "activations") {
      value = std::max(0.0, normal());
    } else {
      value = std::exp2((uniform() - 0.5) * right.max_code() / right.steps());
      value = random() % 2 == 0 ? value : -value;
    }
    number = static_cast<Float>(value);
  }
  return numbers;
}

template <class Float>
bool has_another_code(Float got, Float want) {
  if (got == 0 || want == 0)
    return got != want;
  return !(std::fabs(got / want - 1) < Float(0x1p-16)); // true for NaN
}

template <class Float>
Share measure(Share share) {
  const auto& names = standard_data();
  const bool is_standard = std::find(names.begin(), names.end(), share.data) != names.end();
  const std::vector<Float> input =
      is_standard ? make_standard<Float>(share.data, share.kind.bits) : read_npy<Float>(share.data);
  const Oracle<Float>& right = oracle<Float>(share.kind.bits);
  const std::vector<Float> want = right.quantize(input, right.delta(input));
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  const Outcome<Float> outcome = quantize(input, static_cast<unsigned>(share.kind.bits), &param);
  share.numbers = input.size();
  if (outcome.status != GFPQ_SUCCESS)
    share.problem = "INIT returned " + show_status(outcome.status);
  else
    for (std::size_t i = 0; i < input.size(); ++i)
      share.others += has_another_code(outcome.data[i], want[i]) ? 1 : 0;
  return share;
}

std::string shown_data(const std::string& data) { return std::filesystem::path(data).filename().string(); }

std::string shown_kind(const Kind& kind) { return kind_name(static_cast<unsigned>(kind.bits), kind.is_double); }

std::string shown_share(const Share& share) {
  if (!share.problem.empty())
    return "?";
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %%", 100.0 * static_cast<double>(share.others) / share.numbers);
  return text;
}

} // namespace

const std::vector<std::string>& standard_data() {
  static const std::vector<std::string> names = {"weights", "activations", "ladder"};
  return names;
}

Share measure_share(const std::string& data, const Kind& kind) {
  const Share share{data, kind};
  return kind.is_double ? measure<double>(share) : measure<float>(share);
}

void to_json(nlohmann::json& json, const Share& share) {
  json = {{"data", share.data},       {"bits", share.kind.bits},     {"double", share.kind.is_double},
          {"numbers", share.numbers}, {"other_codes", share.others}, {"problem", share.problem}};
}

void from_json(const nlohmann::json& json, Share& share) {
  json.at("data").get_to(share.data);
  json.at("bits").get_to(share.kind.bits);
  json.at("double").get_to(share.kind.is_double);
  json.at("numbers").get_to(share.numbers);
  json.at("other_codes").get_to(share.others);
  json.at("problem").get_to(share.problem);
}

void print_shares(std::ostream& out, const std::vector<Share>& shares) {
  if (shares.empty())
    return;
  std::vector<std::string> data;
  std::vector<Kind> kinds;
  bool all_right = true;
  std::size_t numbers = 0;
  for (const Share& share : shares) {
    if (std::find(data.begin(), data.end(), share.data) == data.end())
      data.push_back(share.data);
    if (std::find(kinds.begin(), kinds.end(), share.kind) == kinds.end())
      kinds.push_back(share.kind);
    all_right = all_right && share.others == 0 && share.problem.empty();
    numbers += share.numbers;
  }
  if (all_right) {
    out << "Numbers that get another code: none of " << numbers << " (";
    for (const std::string& name : data)
      out << (&name == &data.front() ? "" : ", ") << shown_data(name);
    out << ")\n";
    return;
  }
  constexpr int column = 16;
  out << std::left << std::setw(26) << "Numbers that get another";
  for (const Kind& kind : kinds)
    out << std::right << std::setw(column) << shown_kind(kind);
  out << "\ncode, on data of INIT:\n";
  for (const std::string& name : data) {
    out << "  " << std::left << std::setw(24) << shown_data(name);
    for (const Share& share : shares)
      if (share.data == name)
        out << std::right << std::setw(column) << shown_share(share);
    out << "\n";
  }
  for (const Share& share : shares)
    if (!share.problem.empty())
      out << "  ? " << shown_data(share.data) << ", " << shown_kind(share.kind) << ": "
          << share.problem.substr(0, share.problem.find('\n')) << "\n";
}

} // namespace conformance
