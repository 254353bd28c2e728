#include <algorithm>
#include <ctime>
#include <filesystem>
#include <thread>

#include "oracle/golden.hpp"
#include "oracle/sha256.hpp"
#include "runner/case.hpp"
#include "runner/platform.hpp"
#include "runner/summary.hpp"

namespace conformance {

nlohmann::json to_json(const RunFacts& facts, const std::vector<RequirementResult>& results,
                       const std::vector<Finding>& findings) {
  char date[32];
  const std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  nlohmann::json json = {{"schema", "gfpq-conformance/2"},
                         {"suite",
                          {{"version", GFPQ_SUITE_VERSION},
                           {"specification_sha256", sha256(specification_text())},
                           {"golden_sha256", sha256(golden_checksums())},
                           {"thorough", facts.thorough},
                           {"timeout", facts.timeout},
                           {"profiles", facts.profiles},
                           {"filter", facts.filter},
                           {"cases", facts.cases},
                           {"cases_run", facts.cases_run},
                           {"casualties", facts.casualties},
                           {"left_out", facts.left_out}}},
                         {"library",
                          {{"path", facts.library},
                           {"name", std::filesystem::path(facts.library).filename().string()},
                           {"title", facts.title},
                           {"sha256", facts.library_sha256},
                           {"version", version_of(facts.survey.info)},
                           {"revision", facts.survey.info.u32ComRevision},
                           {"build_time", facts.survey.info.u8BuildTime},
                           {"missing", facts.survey.missing},
                           {"offered", offered_kinds(facts.survey)},
                           {"own_blocks", facts.survey.own_blocks},
                           {"call_seconds",
                            {{std::to_string(Pace::few_numbers) + " numbers", facts.survey.pace.of_few},
                             {std::to_string(Pace::more_numbers) + " numbers", facts.survey.pace.of_more}}},
                           {"fatal", facts.fatal}}},
                         {"machine",
                          {{"platform", platform_name()},
                           {"cpu", cpu_name()},
                           {"cpus", std::thread::hardware_concurrency()},
                           {"threads", many_thread_counts}}},
                         {"device", facts.device == Device::gpu ? "gpu" : "cpu"},
                         {"known_deviations", facts.known.empty() ? nlohmann::json() : nlohmann::json(facts.known)},
                         {"date", date},
                         {"seconds", facts.seconds},
                         {"verdict", verdict_of(facts, results)}};

  json["causes"] = nlohmann::json::array();
  for (const Cause& cause : find_causes(results, facts.survey))
    json["causes"].push_back({{"requirement", cause.result->requirement->id}, {"followers", cause.followers}});
  json["profiles"] = nlohmann::json::array();
  for (const ProfileResult& profile : profiles(results, offered_kinds(facts.survey)))
    json["profiles"].push_back({{"name", profile.name},
                                {"id", profile.short_name},
                                {"offered", profile.offered},
                                {"offered_whole", profile.offered_whole},
                                {"holding", profile.holding},
                                {"known", profile.known},
                                {"not_run", profile.not_run},
                                {"failing", profile.failing}});
  json["shares"] = facts.shares;
  json["requirements"] = nlohmann::json::array();
  for (const RequirementResult& result : results) {
    const std::size_t checks = result.finding.checks(), failed = result.finding.failed();
    json["requirements"].push_back({{"id", result.requirement->id},
                                    {"title", result.requirement->title},
                                    {"profile", result.requirement->profile},
                                    {"checks", checks},
                                    {"passed", checks - failed},
                                    {"failed", failed},
                                    {"result", name(result.verdict)},
                                    {"reason", result.reason},
                                    {"tests", result.tests}});
  }
  json["findings"] = nlohmann::json::array();
  for (const Finding& finding : findings) {
    if (finding.failed() == 0)
      continue;
    nlohmann::json entry = finding;
    entry["checks"] = finding.checks();
    entry["failed"] = finding.failed();
    entry["text"] = finding.describe();
    for (const RequirementResult& result : results)
      if (result.requirement->id == finding.requirement) {
        entry["result"] = name(result.verdict);
        entry["reason"] = result.reason;
      }
    json["findings"].push_back(std::move(entry));
  }
  for (const Verdict verdict : {Verdict::expected_pass, Verdict::expected_failure, Verdict::unexpected_failure,
                                Verdict::unexpected_pass, Verdict::not_run})
    json["summary"][name(verdict)] = count(results, verdict);
  return json;
}

} // namespace conformance
