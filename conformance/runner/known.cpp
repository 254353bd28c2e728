#include "runner/known.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "runner/specification.hpp"

namespace conformance {
namespace {

Deviation parse(const nlohmann::json& json) {
  Deviation deviation;
  json.at("requirement").get_to(deviation.requirement);
  json.at("reason").get_to(deviation.reason);
  requirement(deviation.requirement); // throws for one that does not exist
  if (deviation.reason.empty())
    throw std::runtime_error("the reason of " + deviation.requirement + " is empty");
  const nlohmann::json& bound = json.at("bound");
  for (const auto& [key, value] : bound.items())
    if (key == "checks")
      deviation.checks = value.get<std::size_t>();
    else if (key == "inputs")
      value.get_to(deviation.inputs);
    else if (key == "ulp")
      deviation.ulp = value.get<std::uint64_t>();
    else if (key == "kinds")
      value.get_to(deviation.kinds);
    else if (key == "interrupted")
      value.get_to(deviation.interrupted);
    else
      throw std::runtime_error("the bound of " + deviation.requirement + " has an unknown part, " + key);
  if (bound.empty())
    throw std::runtime_error("the bound of " + deviation.requirement + " is empty");
  return deviation;
}

template <class List>
bool contains(const List& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

} // namespace

std::string Deviation::excess(const Finding& finding, bool thorough) const {
  if (!finding.interrupted.empty() &&
      (interrupted.empty() || finding.interrupted.find(interrupted) == std::string::npos))
    return "the case could not go on";
  if (checks && !thorough && finding.failed() > *checks)
    return std::to_string(finding.failed()) + " checks failed, " + std::to_string(*checks) + " are known";
  for (const auto& [kind, count] : finding.kinds)
    if (count.failed > 0 && !kinds.empty() && !contains(kinds, kind))
      return "it fails for " + (kind.empty() ? "more than one kind of tensors" : kind + " too");
  if (finding.wrong_numbers == 0)
    return "";
  for (const std::string& input : inputs)
    if (!contains(finding.inputs, input))
      return "not only " + input + " is wrong";
  if (ulp && !finding.border)
    return "wrong numbers do not all lie beside a border";
  if (ulp && *finding.border > *ulp)
    return "a wrong number lies " + std::to_string(*finding.border) + " ulp from a border, " + std::to_string(*ulp) +
           " are known";
  return "";
}

KnownDeviations::KnownDeviations(const std::string& file) : file_(std::filesystem::path(file).filename().string()) {
  std::ifstream stream(file);
  if (!stream)
    throw std::runtime_error("cannot read the known deviations " + file);
  try {
    const nlohmann::json json = nlohmann::json::parse(stream);
    const nlohmann::json& library = json.at("library");
    library.at("name").get_to(name_);
    library.at("version").get_to(version_);
    library.at("platform").get_to(platform_);
    if (library.contains("sha256"))
      library.at("sha256").get_to(sha256_);
    if (!json.at("deviations").is_array())
      throw std::runtime_error("\"deviations\" should be a list");
    for (const nlohmann::json& deviation : json.at("deviations")) {
      deviations_.push_back(parse(deviation));
      if (find(deviations_.back().requirement) != &deviations_.back())
        throw std::runtime_error(deviations_.back().requirement + " is listed twice");
    }
  } catch (const std::exception& error) {
    throw std::runtime_error(file + ": " + error.what());
  }
}

void KnownDeviations::require_library(const std::string& version, const std::string& platform,
                                      const std::string& sha256) const {
  if (file_.empty())
    return;
  const std::string about = file_ + " lists what is known of " + name_ + " " + version_ + " on " + platform_ + "; ";
  if (platform != platform_)
    throw std::runtime_error(about + "this is " + platform);
  if (version != version_ && version != "0.0.0")
    throw std::runtime_error(about + "this library's version is " + version);
  if (!sha256_.empty() && !contains(sha256_, sha256))
    throw std::runtime_error(about + "this library's file is another (SHA-256 " + sha256 + ")");
}

const Deviation* KnownDeviations::find(const std::string& requirement) const {
  for (const Deviation& deviation : deviations_)
    if (deviation.requirement == requirement)
      return &deviation;
  return nullptr;
}

std::string platform_name() {
#if defined(_WIN32)
  const std::string system = "windows";
#elif defined(__linux__)
  const std::string system = "linux";
#elif defined(__APPLE__)
  const std::string system = "macos";
#else
  const std::string system = "other";
#endif
#if defined(__x86_64__) || defined(_M_X64)
  return system + "-x86_64";
#elif defined(__aarch64__) || defined(_M_ARM64)
  return system + "-aarch64";
#else
  return system + "-other";
#endif
}

} // namespace conformance
