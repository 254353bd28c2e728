#include "runner/causes.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <set>

#include "runner/case.hpp"
#include "runner/diagnosis.hpp"
#include "runner/environment.hpp"

namespace conformance {
namespace {

constexpr std::uint32_t numbers = value_symptom | border_symptom | code_symptom | zero_symptom | sign_symptom |
                                  minus_zero_symptom | nan_symptom | infinity_symptom | denormal_symptom |
                                  unchanged_symptom;

/// What a fault that shows one symptom may show elsewhere.
std::uint32_t brings(std::uint32_t symptoms) {
  struct Consequence {
    std::uint32_t symptom, brings;
  };
  constexpr std::uint32_t wrong_code = code_symptom | border_symptom | zero_symptom | unchanged_symptom | value_symptom;
  constexpr Consequence consequences[] = {
      {block_symptom, numbers | refused_symptom | delta_symptom},
      {delta_symptom, wrong_code | block_symptom},
      {refused_symptom, block_symptom | delta_symptom},
      {error_symptom, accepted_symptom},
      {accepted_symptom, error_symptom | block_symptom | delta_symptom},
      {code_symptom, wrong_code},
      {border_symptom, code_symptom | zero_symptom},
      {unchanged_symptom, wrong_code},
      {nan_symptom, delta_symptom | wrong_code},
      {infinity_symptom, delta_symptom | wrong_code},
      {denormal_symptom, delta_symptom | zero_symptom | value_symptom},
  };
  std::uint32_t all = symptoms | (symptoms != 0 ? other_symptom : 0u);
  for (const Consequence& consequence : consequences)
    if ((symptoms & consequence.symptom) != 0)
      all |= consequence.brings;
  return all;
}

std::string area_of(const std::string& id) {
  return requirement(id).profile == "messages" ? "MESSAGES" : id.substr(5, id.rfind('-') - 5);
}

/// Whether a requirement is about what becomes of each number, which whatever looks at numbers needs.
bool is_about_numbers(const std::string& id) {
  static const char* const areas[] = {"LADDER", "ROUND", "CLAMP", "ZERO"};
  return std::find(std::begin(areas), std::end(areas), area_of(id)) != std::end(areas);
}

/// Whether calls have not returned in the cases alone where the caller has made them harder, such as on a small stack:
/// what those ask for is the cause then.
bool is_of_circumstances(const RequirementResult& result) {
  const auto asks_for_circumstances = [](const std::string& test) {
    const std::vector<std::string>& asked = test_case(test).requirements;
    return std::all_of(asked.begin(), asked.end(),
                       [](const std::string& id) { return requirement(id).is_of_circumstances; });
  };
  return result.requirement->id == calls_return &&
         std::all_of(result.failing_tests.begin(), result.failing_tests.end(), asks_for_circumstances);
}

/// The more basic of two requirements in what concerns numbers, or anything else, has the lower rank.
std::size_t rank(const std::string& id, bool of_numbers) {
  static const char* const order_of_numbers[] = {"ENV",     "LADDER", "ROUND", "CLAMP", "ZERO",
                                                 "SPECIAL", "DELTA",  "PARAM", "MODE"};
  static const char* const order_of_calls[] = {"ENV",    "INTERFACE", "PARAM", "DELTA", "MODE",   "ERROR",
                                               "LADDER", "ROUND",     "CLAMP", "ZERO",  "SPECIAL"};
  const auto place = [&](const auto& order) {
    return static_cast<std::size_t>(std::find(std::begin(order), std::end(order), area_of(id)) - std::begin(order));
  };
  const std::size_t area = of_numbers ? place(order_of_numbers) : place(order_of_calls);
  std::size_t in_page = 0;
  while (in_page < specification().size() && specification()[in_page].id != id)
    ++in_page;
  return area * 1000 + in_page;
}

/// The order in which causes are told: the block, then what becomes of each number, then the rest.
std::size_t place_in_summary(const Cause& cause) {
  const std::string& id = cause.result->requirement->id;
  static const char* const first[] = {"ENV", "INTERFACE", "PARAM"};
  const bool is_first = std::find(std::begin(first), std::end(first), area_of(id)) != std::end(first);
  constexpr std::size_t behind = 1'000'000;
  return is_first ? rank(id, false) : is_about_numbers(id) ? behind + rank(id, true) : 2 * behind + rank(id, false);
}

/// What a requirement needs, and what those need.
std::set<std::string> all_needs(const std::string& id) {
  std::set<std::string> found;
  std::vector<std::string> open = requirement(id).needs;
  while (!open.empty()) {
    const std::string next = open.back();
    open.pop_back();
    if (found.insert(next).second)
      for (const std::string& need : requirement(next).needs)
        open.push_back(need);
  }
  found.erase(id);
  return found;
}

/// Whether a failing requirement may be why another, which needs it, shows a symptom.
bool explains(const std::string& basic, std::uint32_t basic_symptoms, const std::string& id, std::uint32_t symptom,
              const Survey& survey) {
  if (survey.own_blocks && (symptom & numbers) != 0)
    basic_symptoms &= ~static_cast<std::uint32_t>(block_symptom);
  for (std::uint32_t shown = 1; shown != 0 && shown <= basic_symptoms; shown <<= 1)
    if ((basic_symptoms & shown) != 0 && (brings(shown) & symptom) != 0) {
      const bool of_numbers = (shown & numbers) != 0 && (symptom & numbers) != 0;
      if (rank(basic, of_numbers) < rank(id, of_numbers))
        return true;
    }
  return false;
}

std::uint32_t symptoms_of(const RequirementResult& result, const std::string& kind) {
  std::uint32_t symptoms = 0;
  for (const auto& [name, count] : result.finding.kinds)
    if (name == kind || name.empty() || kind.empty())
      symptoms |= count.symptoms;
  return symptoms;
}

} // namespace

std::vector<Cause> find_causes(const std::vector<RequirementResult>& results, const Survey& survey) {
  const bool offers_something = !survey.offered.empty();
  std::vector<const RequirementResult*> failing;
  for (const RequirementResult& result : results)
    if (result.verdict == Verdict::unexpected_failure && !(offers_something && is_of_offer(result.requirement->id)))
      failing.push_back(&result);
  std::sort(failing.begin(), failing.end(), [](const RequirementResult* a, const RequirementResult* b) {
    return rank(a->requirement->id, false) < rank(b->requirement->id, false);
  });

  std::vector<Cause> causes;
  std::vector<std::pair<const RequirementResult*, std::string>> followers; // and what each follows from
  for (const RequirementResult* result : failing) {
    const std::string& id = result->requirement->id;
    const std::set<std::string> needs = all_needs(id);
    std::string root;
    bool explained = true;
    if (is_of_circumstances(*result)) {
      const auto asked = std::find_if(failing.begin(), failing.end(), [&](const RequirementResult* other) {
        return other != result && other->finding.interrupted == result->finding.interrupted;
      });
      if (asked != failing.end()) {
        followers.emplace_back(result, (*asked)->requirement->id);
        continue;
      }
    }
    for (const auto& [kind, count] : result->finding.kinds)
      for (std::uint32_t symptom = 1; symptom != 0 && symptom <= count.symptoms; symptom <<= 1) {
        if ((count.symptoms & symptom) == 0)
          continue;
        bool found = false;
        for (const RequirementResult* basic : failing) {
          const std::string& basic_id = basic->requirement->id;
          const bool is_needed = needs.count(basic_id) > 0 || ((symptom & numbers) != 0 && is_about_numbers(basic_id));
          if (basic == result || !is_needed || !explains(basic_id, symptoms_of(*basic, kind), id, symptom, survey))
            continue;
          found = true;
          if (root.empty())
            root = basic_id;
          break;
        }
        explained = explained && found;
      }
    // Requirements for one width each may show one and the same fault.
    for (const Cause& cause : causes)
      if (!explained && !result->finding.hints.empty() && cause.result->finding.hints == result->finding.hints &&
          area_of(cause.result->requirement->id) == area_of(id)) {
        explained = true;
        root = cause.result->requirement->id;
      }
    if (explained && !root.empty())
      followers.emplace_back(result, root);
    else
      causes.push_back({result, {}});
  }
  for (auto& [follower, root] : followers) {
    // A root may itself follow from another.
    for (std::size_t step = 0; step < followers.size(); ++step) {
      const auto further = std::find_if(followers.begin(), followers.end(), [&root = root](const auto& other) {
        return other.first->requirement->id == root;
      });
      if (further == followers.end())
        break;
      root = further->second;
    }
    const auto cause = std::find_if(causes.begin(), causes.end(), [&root = root](const Cause& candidate) {
      return candidate.result->requirement->id == root;
    });
    if (cause != causes.end())
      cause->followers.push_back(follower->requirement->id);
    else
      causes.push_back({follower, {}}); // each would follow from the other
  }
  std::stable_sort(causes.begin(), causes.end(),
                   [](const Cause& a, const Cause& b) { return place_in_summary(a) < place_in_summary(b); });
  return causes;
}

} // namespace conformance
