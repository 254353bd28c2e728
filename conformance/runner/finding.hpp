// What one case found on one requirement: made in a worker, judged in the runner.
#ifndef GFPQ_CONFORMANCE_RUNNER_FINDING_HPP
#define GFPQ_CONFORMANCE_RUNNER_FINDING_HPP

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace conformance {

/// The checks of one kind of tensor.
struct Count {
  std::size_t checks = 0;
  std::size_t failed = 0;
  std::uint32_t symptoms = 0; ///< of the failed ones, `Symptom`s
};

/// One failed check on a number.
struct Example {
  std::string call; ///< the call in words
  std::size_t index = 0, count = 0;
  std::string input, got, want; ///< `1.5 (0x3fc00000)`
};

/// Begins the reason where a library lacks what a case needs.
inline constexpr const char* not_offered = "the library does not offer what it needs";

struct Finding {
  std::string test{};
  std::string requirement{};
  std::map<std::string, Count> kinds{}; ///< by kind of tensor, `8 bit float`; empty where the check is of none
  std::vector<std::string> failures{};  ///< the first failed checks that are not of a number, in words
  std::vector<Example> examples{};      ///< the first wrong numbers
  std::size_t wrong_numbers = 0;
  std::vector<std::string> hints{};    ///< what the wrong numbers have in common, in words
  std::vector<std::string> inputs{};   ///< and which kinds of inputs they all are, as bounds name them
  std::optional<std::uint64_t> border; ///< the furthest of them from a border, where all lie beside one; in numbers
  std::string printed{};               ///< what the library printed
  std::string skipped{};               ///< why nothing was checked
  std::string interrupted{};           ///< why the case could not go on

  /// Whether nothing was checked since the library has nothing to check.
  bool is_of_what_is_not_offered() const { return checks() == 0 && skipped.rfind(not_offered, 0) == 0; }
  std::size_t checks() const;
  std::size_t failed() const;
  /// The finding in words: all of the above.
  std::string describe() const;
};

void to_json(nlohmann::json& json, const Finding& finding);
void from_json(const nlohmann::json& json, Finding& finding);

} // namespace conformance

#endif
