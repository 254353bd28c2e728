#include "runner/summary.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <ostream>
#include <sstream>

#include "oracle/widths.hpp"
#include "runner/diagnosis.hpp"

namespace conformance {
namespace {

std::string join(const std::vector<std::string>& words, const std::string& between, std::size_t most = 1000) {
  std::string text;
  for (std::size_t i = 0; i < words.size() && i < most; ++i)
    text += (i > 0 ? between : "") + words[i];
  return words.size() > most ? text + between + "and " + std::to_string(words.size() - most) + " more" : text;
}

std::string plural(std::size_t count, const std::string& word) {
  return std::to_string(count) + " " + word + (count == 1 ? "" : "s");
}

/// The file's name, and the version where that does not tell it.
std::string shown_name(const RunFacts& facts) {
  const std::string name = std::filesystem::path(facts.library).filename().string();
  const std::string version = version_of(facts.survey.info);
  return name + (version == "0.0.0" || name.find(version) != std::string::npos ? "" : " " + version);
}

/// The first `count` lines, each cut to the screen's width.
void print_lines(std::ostream& out, const std::string& text, std::size_t count, const std::string& indent) {
  constexpr std::size_t width = 140;
  std::istringstream stream(text);
  std::string line;
  for (std::size_t i = 0; i < count && std::getline(stream, line); ++i)
    out << indent << (line.size() > width ? line.substr(0, width - 3) + "..." : line) << "\n";
}

void print_cause(std::ostream& out, const Cause& cause, std::size_t number, bool in_full) {
  const RequirementResult& result = *cause.result;
  const Finding& finding = result.finding;
  out << "  " << number << ". " << result.requirement->id << "  " << result.requirement->title << "\n";
  if (!result.reason.empty())
    out << "     " << result.reason << "\n";
  if (in_full) {
    if (!finding.interrupted.empty())
      print_lines(out, finding.interrupted, 3, "     ");
    else if (!finding.failures.empty())
      print_lines(out, finding.failures.front(), 4, "     ");
    else if (!finding.examples.empty()) {
      const Example& example = finding.examples.front();
      print_lines(out, example.call, 1, "     ");
      out << "       input " << example.input << "\n       got   " << example.got << "\n       want  " << example.want
          << "\n";
    }
    for (std::size_t i = 0; i < finding.hints.size() && i < 2; ++i)
      out << "     - " << finding.hints[i] << "\n";
    if (finding.interrupted.empty())
      print_lines(out, finding.printed, 2, "");
  }
  std::vector<std::string> kinds;
  for (const auto& [kind, count] : finding.kinds)
    if (count.failed > 0 && !kind.empty())
      kinds.push_back(kind);
  out << "     " << finding.failed() << " of " << finding.checks() << " checks fail"
      << (kinds.empty() ? "" : " (" + join(kinds, ", ") + ")");
  if (!cause.followers.empty())
    out << "; " << plural(cause.followers.size(), "more requirement")
        << (cause.followers.size() == 1 ? " needs it or shows the same" : " need it or show the same");
  out << "\n";
}

std::string state_of(const ProfileResult& profile) {
  if (!profile.offered)
    return "not offered";
  const std::string unknown = profile.not_run > 0 ? ", " + std::to_string(profile.not_run) + " not run" : "";
  if (!profile.failing.empty())
    return "DIFFERS in " + std::to_string(profile.failing.size()) + " of " +
           plural(profile.failing.size() + profile.holding + profile.known, "requirement") + ": " +
           join(profile.failing, " ", 3) + unknown;
  if (profile.holding + profile.known == 0)
    return "not run";
  return std::string(profile.offered_whole ? "" : "as far as it is offered, ") +
         (profile.known > 0 ? "holds but for " + plural(profile.known, "known deviation") : "holds") + " (" +
         plural(profile.holding + profile.known, "requirement") + ")" + unknown;
}

bool is_arithmetic(const ProfileResult& profile) { return profile.name.rfind("arithmetic", 0) == 0; }

} // namespace

std::vector<std::string> offered_kinds(const Survey& survey) {
  std::vector<std::string> kinds;
  for (const Kind& kind : survey.offered)
    kinds.push_back(kind_name(static_cast<unsigned>(kind.bits), kind.is_double));
  return kinds;
}

std::string verdict_of(const RunFacts& facts, const std::vector<RequirementResult>& results) {
  const std::size_t failures = count(results, Verdict::unexpected_failure), faults = count_faults(results);
  const std::size_t passes = count(results, Verdict::unexpected_pass);
  const std::size_t known = count(results, Verdict::expected_failure), held = count(results, Verdict::expected_pass);
  const std::string name = shown_name(facts);
  if (!facts.fatal.empty())
    return name + " cannot be judged: no process that loads it goes on.";
  if (failures + passes + known + held == 0)
    return name + ": nothing was checked" + (facts.survey.unavailable.empty() ? "." : "; " + facts.survey.unavailable);

  const std::vector<ProfileResult> lines = profiles(results, offered_kinds(facts.survey));
  std::vector<std::string> right, wrong, differing, lacking;
  for (const ProfileResult& line : lines) {
    const std::string kind = is_arithmetic(line) ? line.name.substr(line.name.find(", ") + 2) : line.name;
    if (!line.offered && is_arithmetic(line))
      lacking.push_back(kind);
    else if (is_arithmetic(line) && line.failing.empty() && line.holding > 0)
      right.push_back(kind);
    else if (is_arithmetic(line) && !line.failing.empty())
      wrong.push_back(kind);
    else if (!line.failing.empty())
      differing.push_back(line.name);
    if (line.name == "parameter block" && !line.failing.empty() && facts.survey.own_blocks)
      differing.back() += " (a layout of its own, with which all else was judged)";
  }
  if (!facts.survey.missing.empty() && !facts.survey.offered.empty())
    lacking.push_back(plural(facts.survey.missing.size(), "function"));
  std::string offered = lacking.empty() ? "" : "; not offered: " + join(lacking, ", ");

  const std::string parts = !facts.profiles.empty() ? "--profile=" + join(facts.profiles, ",") : facts.filter;
  const std::string incomplete = "INCOMPLETE, " + std::to_string(facts.cases_run) + " of " +
                                 plural(facts.cases, "case") + (parts.empty() ? "" : " (" + parts + ")") + ": ";
  const bool is_complete = facts.is_complete();
  if (failures > 0) {
    std::string text = name + (wrong.empty() ? "" : " does NOT compute GFPQ");
    text += ": ";
    if (!wrong.empty())
      text += "arithmetic differs for " + join(wrong, ", ") + (right.empty() ? "" : ", holds for " + join(right, ", "));
    else if (!right.empty())
      text += "arithmetic holds" + (right.size() < 2 * std::size(widths) ? " for " + join(right, ", ") : "");
    if (!differing.empty())
      text += (wrong.empty() && right.empty() ? "" : "; ") + join(differing, ", ") +
              (differing.size() == 1 && differing.front().back() != 's' ? " differs" : " differ");
    if (faults == 0 && !facts.survey.offered.empty())
      return (is_complete ? "" : incomplete) + text + ", and so does all else that it offers" + offered + ".";
    const std::size_t shown = facts.survey.offered.empty() ? failures : faults;
    return (is_complete ? "" : incomplete) + text + offered + ". " + plural(shown, "requirement") +
           (shown == 1 ? " fails." : " fail.");
  }
  if (passes > 0)
    return name + " behaves better than the list of known deviations says: bring the list up to date.";
  if (!is_complete)
    return incomplete + name + " meets the " + plural(held + known, "requirement") + " that were run" +
           (known > 0 ? ", but for " + plural(known, "known deviation") : "") + ".";
  const auto not_run =
      static_cast<std::size_t>(std::count_if(results.begin(), results.end(), [](const RequirementResult& result) {
        return result.verdict == Verdict::not_run && !result.finding.is_of_what_is_not_offered();
      }));
  std::string unjudged = not_run > 0 ? " " + plural(not_run, "requirement") + " cannot be judged here." : "";
  if (!facts.left_out.empty())
    unjudged += " " + plural(facts.left_out.size(), "case") + " made fewer calls, since the library is slow.";
  if (known > 0)
    return name + " computes GFPQ but for " + plural(known, "known deviation") + offered + "." + unjudged;
  return name + " computes GFPQ: all " + std::to_string(held) + " requirements checked hold" + offered + "." + unjudged;
}

void print_summary(std::ostream& out, const RunFacts& facts, const std::vector<RequirementResult>& results) {
  constexpr std::size_t shown_in_full = 3, shown = 8;
  if (!facts.fatal.empty())
    print_lines(out, "The library cannot be judged: " + facts.fatal, 5, "");
  const bool offers_something = !facts.survey.offered.empty();
  const std::vector<Cause> causes = find_causes(results, facts.survey);
  if (!causes.empty()) {
    const std::size_t failures = offers_something ? count_faults(results) : count(results, Verdict::unexpected_failure);
    out << plural(causes.size(), "cause") << " of " << plural(failures, "failure") << ":\n";
    for (std::size_t i = 0; i < causes.size() && i < shown_in_full; ++i)
      print_cause(out, causes[i], i + 1, true);
    for (std::size_t i = shown_in_full; i < causes.size() && i < shown; ++i)
      out << "  " << i + 1 << ". " << causes[i].result->requirement->id << "  "
          << causes[i].result->requirement->title.substr(0, 100) << "\n";
    if (causes.size() > shown)
      out << "  ... and " << causes.size() - shown << " more\n";
    out << "\n";
  }
  for (const RequirementResult& result : results)
    if (result.verdict == Verdict::unexpected_pass)
      out << result.requirement->id << " holds, although listed as a known deviation: " << result.reason << "\n";
  for (const ProfileResult& profile : profiles(results, offered_kinds(facts.survey)))
    out << std::left << std::setw(26) << profile.name << state_of(profile) << "\n";
  if (!facts.left_out.empty()) {
    std::vector<std::string> cases;
    for (const auto& [name, what] : facts.left_out)
      cases.push_back(name);
    out << "\nA call " << (facts.device == Device::gpu ? "with its copies to the GPU and back " : "") << "takes "
        << std::lround(facts.survey.pace.of_few * 1e6) << " us on " << Pace::few_numbers << " numbers, "
        << std::lround(facts.survey.pace.of_more * 1e6) << " us on " << Pace::more_numbers
        << ": fewer calls than usual, or than with --thorough, in\n";
    print_lines(out, join(cases, ", "), 1, "  ");
  }
  if (!facts.shares.empty())
    out << "\n";
  print_shares(out, facts.shares);
  for (const RequirementResult& result : results)
    if (offers_something && result.verdict == Verdict::unexpected_failure && is_of_offer(result.requirement->id)) {
      out << "\nNot offered (" << result.requirement->id << "):\n";
      for (const std::string& failure : result.finding.failures)
        print_lines(out, failure, 8, "  ");
    }
  out << "\n" << verdict_of(facts, results) << "\n";
}

void print_details(std::ostream& out, const RunFacts& facts, const std::vector<RequirementResult>& results,
                   const std::vector<Finding>& findings) {
  out << std::left << std::setw(20) << "Requirement" << std::right << std::setw(12) << "checks" << std::setw(12)
      << "passed" << std::setw(10) << "failed"
      << "  result\n"
      << std::string(76, '-') << "\n";
  for (const RequirementResult& result : results) {
    const std::size_t checks = result.finding.checks(), failed = result.finding.failed();
    out << std::left << std::setw(20) << result.requirement->id << std::right << std::setw(12) << checks
        << std::setw(12) << checks - failed << std::setw(10) << failed << "  " << name(result.verdict)
        << (result.reason.empty() ? "" : ": " + result.reason) << "\n";
  }
  for (const Finding& finding : findings)
    if (finding.failed() > 0)
      out << "\n" << finding.test << "\n" << finding.describe();
  out << "\n";
  print_summary(out, facts, results);
}

} // namespace conformance
