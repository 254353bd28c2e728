#include "runner/finding.hpp"

#include "runner/specification.hpp"

namespace conformance {

std::size_t Finding::checks() const {
  std::size_t sum = 0;
  for (const auto& [kind, count] : kinds)
    sum += count.checks;
  return sum;
}

std::size_t Finding::failed() const {
  std::size_t sum = 0;
  for (const auto& [kind, count] : kinds)
    sum += count.failed;
  return sum;
}

std::string Finding::describe() const {
  if (failed() == 0)
    return "";
  std::string text = requirement + " does not hold: " + conformance::requirement(requirement).title + "\n  " +
                     std::to_string(failed()) + " of " + std::to_string(checks()) + " checks failed.";
  if (!failures.empty() || !examples.empty())
    text += " First:";
  text += "\n";
  for (const std::string& failure : failures)
    text += "    " + failure + "\n";
  const std::size_t others = failed() - wrong_numbers - (interrupted.empty() ? 0 : 1);
  if (others > failures.size())
    text += "    ... and " + std::to_string(others - failures.size()) + " more such checks\n";
  for (const Example& example : examples)
    text += "    " + example.call + "\n      number " + std::to_string(example.index) + " of " +
            std::to_string(example.count) + ": input " + example.input + "\n      got  " + example.got +
            "\n      want " + example.want + "\n";
  if (wrong_numbers > examples.size())
    text += "    ... and " + std::to_string(wrong_numbers - examples.size()) + " more wrong numbers\n";
  if (!hints.empty())
    text += "    The wrong numbers have in common:\n";
  for (const std::string& hint : hints)
    text += "      - " + hint + "\n";
  if (!interrupted.empty())
    text += "    The case could not go on: " + interrupted + "\n";
  return text + printed;
}

void to_json(nlohmann::json& json, const Count& count) {
  json = {{"checks", count.checks}, {"failed", count.failed}, {"symptoms", count.symptoms}};
}

void from_json(const nlohmann::json& json, Count& count) {
  json.at("checks").get_to(count.checks);
  json.at("failed").get_to(count.failed);
  json.at("symptoms").get_to(count.symptoms);
}

void to_json(nlohmann::json& json, const Example& example) {
  json = {{"call", example.call},   {"number", example.index}, {"count", example.count},
          {"input", example.input}, {"got", example.got},      {"want", example.want}};
}

void from_json(const nlohmann::json& json, Example& example) {
  json.at("call").get_to(example.call);
  json.at("number").get_to(example.index);
  json.at("count").get_to(example.count);
  json.at("input").get_to(example.input);
  json.at("got").get_to(example.got);
  json.at("want").get_to(example.want);
}

void to_json(nlohmann::json& json, const Finding& finding) {
  json = {{"case", finding.test},
          {"requirement", finding.requirement},
          {"kinds", finding.kinds},
          {"failures", finding.failures},
          {"examples", finding.examples},
          {"wrong_numbers", finding.wrong_numbers},
          {"hints", finding.hints},
          {"inputs", finding.inputs},
          {"border", finding.border ? nlohmann::json(*finding.border) : nlohmann::json()},
          {"printed", finding.printed},
          {"skipped", finding.skipped},
          {"interrupted", finding.interrupted}};
}

void from_json(const nlohmann::json& json, Finding& finding) {
  json.at("case").get_to(finding.test);
  json.at("requirement").get_to(finding.requirement);
  json.at("kinds").get_to(finding.kinds);
  json.at("failures").get_to(finding.failures);
  json.at("examples").get_to(finding.examples);
  json.at("wrong_numbers").get_to(finding.wrong_numbers);
  json.at("hints").get_to(finding.hints);
  json.at("inputs").get_to(finding.inputs);
  if (!json.at("border").is_null())
    finding.border = json.at("border").get<std::uint64_t>();
  json.at("printed").get_to(finding.printed);
  json.at("skipped").get_to(finding.skipped);
  json.at("interrupted").get_to(finding.interrupted);
}

} // namespace conformance
