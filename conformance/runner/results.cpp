#include "runner/results.hpp"

#include <algorithm>

#include "oracle/widths.hpp"
#include "runner/diagnosis.hpp"
#include "runner/environment.hpp"

namespace conformance {
namespace {

constexpr const char* arithmetic = "arithmetic";

struct ProfileName {
  std::string name, short_name, profile, kind;
};

/// The profiles in the order in which the verdict has them.
const std::vector<ProfileName>& profile_list() {
  static const std::vector<ProfileName> list = [] {
    std::vector<ProfileName> names;
    for (const bool is_double : {false, true})
      for (const Width& width : widths) {
        const std::string kind = kind_name(static_cast<unsigned>(width.bits), is_double);
        names.push_back({"arithmetic, " + kind, "arithmetic-" + std::to_string(width.bits) + (is_double ? "d" : "f"),
                         arithmetic, kind});
      }
    for (const Requirement& requirement : specification()) {
      const auto same = [&](const ProfileName& name) { return name.profile == requirement.profile; };
      if (std::any_of(names.begin(), names.end(), same))
        continue;
      std::string short_name;
      for (const char c : requirement.profile)
        short_name += c == ' ' ? '-' : c;
      names.push_back({requirement.profile, short_name, requirement.profile, ""});
    }
    return names;
  }();
  return list;
}

const ProfileName* find_profile(const std::string& short_name) {
  for (const ProfileName& profile : profile_list())
    if (profile.short_name == short_name)
      return &profile;
  return nullptr;
}

/// What a requirement's checks say of one kind, those that are of no kind counted in.
Count count_of(const Finding& finding, const std::string& kind) {
  if (kind.empty())
    return {finding.checks(), finding.failed(), 0};
  Count sum;
  for (const std::string& part : {kind, std::string()})
    if (const auto found = finding.kinds.find(part); found != finding.kinds.end()) {
      sum.checks += found->second.checks;
      sum.failed += found->second.failed;
    }
  return sum;
}

} // namespace

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

void merge(Finding& into, const Finding& more) {
  if (into.failed() > 0 && more.failed() > 0 && into.wrong_numbers + more.wrong_numbers == 0)
    into.hints.erase(std::remove_if(into.hints.begin(), into.hints.end(),
                                    [&](const std::string& hint) {
                                      return std::find(more.hints.begin(), more.hints.end(), hint) == more.hints.end();
                                    }),
                     into.hints.end());
  else if (more.failed() > 0 && into.failed() == 0)
    into.hints = more.hints;
  if (into.wrong_numbers > 0 && more.wrong_numbers > 0) {
    const auto keep_common = [](std::vector<std::string>& ours, const std::vector<std::string>& theirs) {
      ours.erase(std::remove_if(ours.begin(), ours.end(),
                                [&](const std::string& text) {
                                  return std::find(theirs.begin(), theirs.end(), text) == theirs.end();
                                }),
                 ours.end());
    };
    keep_common(into.inputs, more.inputs);
    keep_common(into.hints, more.hints);
    into.border = into.border && more.border ? std::optional(std::max(*into.border, *more.border)) : std::nullopt;
  } else if (more.wrong_numbers > 0) {
    into.inputs = more.inputs;
    into.hints = more.hints;
    into.border = more.border;
  }
  for (const auto& [kind, count] : more.kinds) {
    Count& sum = into.kinds[kind];
    sum.checks += count.checks;
    sum.failed += count.failed;
    sum.symptoms |= count.symptoms;
  }
  into.wrong_numbers += more.wrong_numbers;
  constexpr std::size_t max_shown = 3;
  for (const Example& example : more.examples)
    if (into.examples.size() < max_shown)
      into.examples.push_back(example);
  for (const std::string& failure : more.failures)
    if (into.failures.size() < max_shown)
      into.failures.push_back(failure);
  for (const auto& [ours, theirs] : {std::pair(&into.printed, &more.printed),
                                     {&into.skipped, &more.skipped},
                                     {&into.interrupted, &more.interrupted}})
    if (ours->empty())
      *ours = *theirs;
}

void Results::add(Finding finding) { findings_.push_back(std::move(finding)); }

bool Results::is_unexpected(const Finding& finding, std::string& why) const {
  if (finding.failed() == 0)
    return false;
  const Deviation* known = known_.find(finding.requirement);
  if (known == nullptr)
    return true;
  const std::string excess = known->excess(finding, thorough_);
  if (!excess.empty())
    why = "worse than the known deviation: " + excess;
  return !excess.empty();
}

std::vector<RequirementResult> Results::requirements(bool all_cases) const {
  const std::vector<std::string>& of_every_case = requirements_of_every_case();
  std::vector<RequirementResult> results;
  for (const Requirement& requirement : specification()) {
    RequirementResult result;
    result.requirement = &requirement;
    result.finding.requirement = requirement.id;
    for (const Finding& finding : findings_)
      if (finding.requirement == requirement.id) {
        merge(result.finding, finding);
        result.tests.push_back(finding.test);
        if (finding.failed() > 0)
          result.failing_tests.push_back(finding.test);
      }
    const Deviation* known = known_.find(requirement.id);
    if (result.finding.checks() == 0) {
      result.reason = result.finding.skipped;
    } else if (known == nullptr ||
               (result.finding.failed() == 0 && !all_cases && // it may fail in a case that was left out
                std::find(of_every_case.begin(), of_every_case.end(), requirement.id) != of_every_case.end())) {
      result.verdict = result.finding.failed() > 0 ? Verdict::unexpected_failure : Verdict::expected_pass;
    } else if (result.finding.failed() == 0) {
      result.verdict = Verdict::unexpected_pass;
      result.reason = known->reason;
    } else {
      result.reason = known->reason;
      std::string why;
      result.verdict = is_unexpected(result.finding, why) ? Verdict::unexpected_failure : Verdict::expected_failure;
      if (!why.empty())
        result.reason = why;
    }
    results.push_back(std::move(result));
  }
  return results;
}

std::size_t count(const std::vector<RequirementResult>& results, Verdict verdict) {
  return static_cast<std::size_t>(std::count_if(
      results.begin(), results.end(), [&](const RequirementResult& result) { return result.verdict == verdict; }));
}

bool is_of_offer(const std::string& requirement) {
  return requirement == "GFPQ-INTERFACE-01" || requirement == "GFPQ-INTERFACE-08";
}

std::size_t count_faults(const std::vector<RequirementResult>& results) {
  return static_cast<std::size_t>(std::count_if(results.begin(), results.end(), [](const RequirementResult& result) {
    return result.verdict == Verdict::unexpected_failure && !is_of_offer(result.requirement->id);
  }));
}

std::vector<std::string> profile_names() {
  std::vector<std::string> names = {arithmetic};
  for (const ProfileName& profile : profile_list())
    names.push_back(profile.short_name);
  return names;
}

bool is_in_profile(const Requirement& requirement, const std::string& short_name) {
  const ProfileName* profile = find_profile(short_name);
  return requirement.profile == (profile != nullptr ? profile->profile : short_name);
}

std::string kind_of_profile(const std::string& short_name) {
  const ProfileName* profile = find_profile(short_name);
  return profile != nullptr ? profile->kind : "";
}

std::vector<ProfileResult> profiles(const std::vector<RequirementResult>& results,
                                    const std::vector<std::string>& offered) {
  std::vector<ProfileResult> all;
  for (const ProfileName& profile : profile_list()) {
    ProfileResult line;
    line.name = profile.name;
    line.short_name = profile.short_name;
    line.offered = profile.kind.empty() || std::find(offered.begin(), offered.end(), profile.kind) != offered.end();
    for (const RequirementResult& result : results) {
      if (result.requirement->profile != profile.profile)
        continue;
      const Count count = count_of(result.finding, profile.kind);
      if (count.checks == 0) {
        const bool is_about_others =
            result.finding.is_of_what_is_not_offered() || (!profile.kind.empty() && result.finding.checks() > 0);
        line.not_run += is_about_others ? 0 : 1;
      } else if (result.verdict == Verdict::unexpected_failure && is_of_offer(result.requirement->id)) {
        line.offered_whole = false;
      } else if (count.failed == 0) {
        ++line.holding;
      } else if (result.verdict == Verdict::expected_failure) {
        ++line.known;
      } else {
        line.failing.push_back(result.requirement->id);
      }
    }
    if (profile.kind.empty() && line.holding + line.known + line.failing.size() + line.not_run == 0)
      line.offered = false;
    all.push_back(std::move(line));
  }
  return all;
}

} // namespace conformance
