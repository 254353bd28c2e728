// A run in words, and as JSON.
#ifndef GFPQ_CONFORMANCE_RUNNER_SUMMARY_HPP
#define GFPQ_CONFORMANCE_RUNNER_SUMMARY_HPP

#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runner/causes.hpp"
#include "runner/results.hpp"
#include "runner/worker.hpp"

namespace conformance {

/// What was run, on what.
struct RunFacts {
  std::string library; ///< the file
  std::string title;   ///< empty where the file's name will do
  std::string library_sha256;
  Survey survey;
  std::vector<Share> shares{}; ///< how much it matters
  std::string fatal;           ///< why no process that loads the library goes on
  Device device = Device::cpu;
  std::string known;                   ///< the list of known deviations
  std::string filter;                  ///< GoogleTest's, where cases were left out by it
  std::vector<std::string> profiles{}; ///< asked for, where not all
  bool thorough = false;
  double timeout = 0, seconds = 0;
  std::size_t cases = 0, cases_run = 0; ///< cases_run: to their end, with or without failures
  std::size_t casualties = 0;
  std::map<std::string, std::vector<std::string>> left_out{}; ///< by cases, since the library is slow

  /// Whether no case and no profile was left out.
  bool is_complete() const { return cases_run == cases && profiles.empty() && filter.empty(); }
};

/// Each offered kind by name.
std::vector<std::string> offered_kinds(const Survey& survey);

/// The causes, the profiles, and the verdict: two screens at most.
void print_summary(std::ostream& out, const RunFacts& facts, const std::vector<RequirementResult>& results);

/// Every requirement, and everything that was found.
void print_details(std::ostream& out, const RunFacts& facts, const std::vector<RequirementResult>& results,
                   const std::vector<Finding>& findings);

/// The verdict in a sentence.
std::string verdict_of(const RunFacts& facts, const std::vector<RequirementResult>& results);

nlohmann::json to_json(const RunFacts& facts, const std::vector<RequirementResult>& results,
                       const std::vector<Finding>& findings);

} // namespace conformance

#endif
