// What a run found, requirement by requirement and profile by profile.
#ifndef GFPQ_CONFORMANCE_RUNNER_RESULTS_HPP
#define GFPQ_CONFORMANCE_RUNNER_RESULTS_HPP

#include <cstddef>
#include <string>
#include <vector>

#include "runner/finding.hpp"
#include "runner/known.hpp"
#include "runner/specification.hpp"

namespace conformance {

enum class Verdict { expected_pass, expected_failure, unexpected_failure, unexpected_pass, not_run };
const char* name(Verdict verdict);

/// All findings on one requirement.
struct RequirementResult {
  const Requirement* requirement = nullptr;
  Verdict verdict = Verdict::not_run;
  Finding finding;                  ///< all of them together
  std::vector<std::string> tests{}; ///< the cases that named it
  std::vector<std::string> failing_tests{};
  std::string reason{}; ///< of a known deviation, of what goes beyond it, or of not having been run
};

/// Adds to one finding on a requirement what another found.
void merge(Finding& into, const Finding& more);

class Results {
public:
  Results(const KnownDeviations& known, bool thorough) : known_(known), thorough_(thorough) {}

  void add(Finding finding);

  /// Whether a finding of one case is worse than what is known; `why` says how where it is known to fail.
  bool is_unexpected(const Finding& finding, std::string& why) const;

  /// Every requirement of the specification, in its order. `all_cases`: whether none was left out.
  std::vector<RequirementResult> requirements(bool all_cases) const;
  const std::vector<Finding>& findings() const { return findings_; }

private:
  const KnownDeviations& known_;
  bool thorough_;
  std::vector<Finding> findings_;
};

std::size_t count(const std::vector<RequirementResult>& results, Verdict verdict);

/// Whether a requirement is about what a library has at all, not about what that does.
bool is_of_offer(const std::string& requirement);
/// The failures that are not of that kind.
std::size_t count_faults(const std::vector<RequirementResult>& results);

/// A line of the verdict: a profile of the specification, for arithmetic one for each kind of tensors.
struct ProfileResult {
  std::string name;       ///< `arithmetic, 8 bit float`
  std::string short_name; ///< as `--profile` names it: `arithmetic-8f`
  std::size_t holding = 0, known = 0, not_run = 0;
  std::vector<std::string> failing{}; ///< requirements, but those on what is offered
  bool offered = true;                ///< any of it
  bool offered_whole = true;
};

/// The names that `--profile` takes, all.
std::vector<std::string> profile_names();
/// Whether a requirement belongs to a profile so named. An empty name means all.
bool is_in_profile(const Requirement& requirement, const std::string& short_name);
/// The kinds of tensors that a profile is about; empty for all.
std::string kind_of_profile(const std::string& short_name);

/// All profiles; `offered` has the names of kinds that the library offers.
std::vector<ProfileResult> profiles(const std::vector<RequirementResult>& results,
                                    const std::vector<std::string>& offered);

} // namespace conformance

#endif
