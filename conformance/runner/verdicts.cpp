#include "runner/verdicts.hpp"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <ostream>

#include "runner/specification.hpp"

namespace conformance {

const char* name(Verdict verdict) {
  switch (verdict) {
  case Verdict::expected_pass:
    return "expected pass";
  case Verdict::expected_failure:
    return "expected failure";
  case Verdict::unexpected_failure:
    return "unexpected failure";
  case Verdict::unexpected_pass:
    return "unexpected pass";
  case Verdict::not_run:
    break;
  }
  return "not run";
}

KnownDeviations::KnownDeviations(const std::string& file) : file_(std::filesystem::path(file).filename().string()) {
  std::ifstream stream(file);
  if (!stream)
    throw std::runtime_error("cannot read the known deviations " + file);
  try {
    const nlohmann::json json = nlohmann::json::parse(stream);
    const nlohmann::json& deviations = json.at("deviations");
    if (!deviations.is_array())
      throw std::runtime_error("\"deviations\" should be a list");
    for (const nlohmann::json& deviation : deviations) {
      const std::string id = deviation.at("requirement"), reason = deviation.at("reason");
      requirement(id); // throws for one that does not exist
      if (reason.empty())
        throw std::runtime_error("the reason of " + id + " is empty");
      reasons_.emplace_back(id, reason);
    }
  } catch (const std::exception& error) {
    throw std::runtime_error(file + ": " + error.what());
  }
}

const std::string* KnownDeviations::reason(const std::string& requirement) const {
  for (const auto& [id, text] : reasons_)
    if (id == requirement)
      return &text;
  return nullptr;
}

Verdict Results::add(Finding finding, const KnownDeviations& known) {
  if (finding.checks > 0) {
    const std::string* reason = known.reason(finding.requirement);
    const bool failed = finding.failed > 0;
    finding.reason = reason != nullptr ? *reason : "";
    finding.verdict = reason != nullptr ? (failed ? Verdict::expected_failure : Verdict::unexpected_pass)
                                        : (failed ? Verdict::unexpected_failure : Verdict::expected_pass);
  }
  findings_.push_back(std::move(finding));
  return findings_.back().verdict;
}

Results::Summary Results::summarize(const std::string& id) const {
  // The worst of the tests' verdicts counts.
  const auto badness = [](Verdict verdict) {
    switch (verdict) {
    case Verdict::unexpected_failure:
      return 4;
    case Verdict::unexpected_pass:
      return 3;
    case Verdict::expected_failure:
      return 2;
    case Verdict::expected_pass:
      return 1;
    case Verdict::not_run:
      break;
    }
    return 0;
  };
  Summary summary;
  for (const Finding& finding : findings_) {
    if (finding.requirement != id)
      continue;
    summary.checks += finding.checks;
    summary.failed += finding.failed;
    summary.tests.push_back(finding.test);
    if (badness(finding.verdict) > badness(summary.verdict))
      summary.verdict = finding.verdict;
    if (!finding.reason.empty())
      summary.reason = finding.reason;
    if (!finding.skipped.empty())
      summary.skipped = finding.skipped;
  }
  return summary;
}

std::size_t Results::count(Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(specification().begin(), specification().end(),
                    [&](const Requirement& requirement) { return summarize(requirement.id).verdict == verdict; }));
}

bool Results::has_unexpected() const {
  return count(Verdict::unexpected_failure) + count(Verdict::unexpected_pass) > 0;
}

void Results::print(std::ostream& out, const Library& library) const {
  out << "\n"
      << std::left << std::setw(20) << "Requirement" << std::right << std::setw(12) << "checks" << std::setw(12)
      << "passed" << std::setw(10) << "failed"
      << "  result\n"
      << std::string(76, '-') << "\n";
  for (const Requirement& requirement : specification()) {
    const Summary summary = summarize(requirement.id);
    if (summary.verdict == Verdict::not_run && summary.skipped.empty())
      continue;
    out << std::left << std::setw(20) << requirement.id << std::right << std::setw(12) << summary.checks
        << std::setw(12) << summary.checks - summary.failed << std::setw(10) << summary.failed << "  "
        << name(summary.verdict);
    if (summary.verdict == Verdict::not_run)
      out << ": " << summary.skipped;
    out << "\n";
  }

  const std::size_t failures = count(Verdict::unexpected_failure), passes = count(Verdict::unexpected_pass);
  const std::size_t deviations = count(Verdict::expected_failure), passed = count(Verdict::expected_pass);
  out << "\n"
      << specification().size() << " requirements: " << passed << " expected pass, " << deviations
      << " expected failure, " << failures << " unexpected failure, " << passes << " unexpected pass, "
      << count(Verdict::not_run) << " not run\n";

  for (const Requirement& requirement : specification()) {
    const Summary summary = summarize(requirement.id);
    if (summary.verdict == Verdict::unexpected_failure)
      out << "  FAILS      " << requirement.id << "  " << requirement.title << "\n";
    if (summary.verdict == Verdict::unexpected_pass)
      out << "  PASSES     " << requirement.id << "  although listed as a known deviation: " << summary.reason << "\n";
    if (summary.verdict == Verdict::expected_failure)
      out << "  deviates   " << requirement.id << "  " << summary.reason << "\n";
  }
  out << "\n" << library.file_name() << " " << version_of(library.info());
  if (failures > 0)
    out << " does NOT compute GFPQ: " << failures << " requirement(s) fail.\n";
  else if (passes > 0)
    out << " behaves better than the list of known deviations says: bring the list up to date.\n";
  else if (passed + deviations == 0)
    out << ": nothing was checked.\n";
  else if (deviations > 0)
    out << " computes GFPQ but for " << deviations << " known deviation(s).\n";
  else
    out << " computes GFPQ: all " << passed << " requirements checked hold.\n";
}

nlohmann::json Results::to_json(const Library& library, Device device, const KnownDeviations& known,
                                double seconds) const {
  char date[32];
  const std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));

  const GFPQ_INFO_ST info = library.info();
  const nlohmann::json about = {{"path", library.path()},
                                {"name", library.file_name()},
                                {"version", version_of(library.info())},
                                {"revision", info.u32ComRevision},
                                {"build_time", info.u8BuildTime}};

  nlohmann::json json = {{"schema", "gfpq-conformance/1"},
                         {"library", about},
                         {"device", device == Device::gpu ? "gpu" : "cpu"},
                         {"known_deviations", known.file().empty() ? nlohmann::json() : nlohmann::json(known.file())},
                         {"date", date},
                         {"seconds", seconds}};
  json["requirements"] = nlohmann::json::array();
  for (const Requirement& requirement : specification()) {
    const Summary summary = summarize(requirement.id);
    json["requirements"].push_back({{"id", requirement.id},
                                    {"title", requirement.title},
                                    {"checks", summary.checks},
                                    {"passed", summary.checks - summary.failed},
                                    {"failed", summary.failed},
                                    {"result", name(summary.verdict)},
                                    {"reason", summary.verdict == Verdict::not_run ? summary.skipped : summary.reason},
                                    {"tests", summary.tests}});
  }
  json["tests"] = nlohmann::json::array();
  for (const Finding& finding : findings_)
    json["tests"].push_back({{"name", finding.test},
                             {"requirement", finding.requirement},
                             {"checks", finding.checks},
                             {"failed", finding.failed},
                             {"result", name(finding.verdict)},
                             {"reason", finding.verdict == Verdict::not_run ? finding.skipped : finding.reason},
                             {"failure", finding.failure}});
  for (const Verdict verdict : {Verdict::expected_pass, Verdict::expected_failure, Verdict::unexpected_failure,
                                Verdict::unexpected_pass, Verdict::not_run})
    json["summary"][name(verdict)] = count(verdict);
  return json;
}

} // namespace conformance
