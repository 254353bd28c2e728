// What a run found: every test's verdict on every requirement that it names.
#ifndef GFPQ_CONFORMANCE_RUNNER_VERDICTS_HPP
#define GFPQ_CONFORMANCE_RUNNER_VERDICTS_HPP

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runner/library.hpp"

namespace conformance {

enum class Verdict { expected_pass, expected_failure, unexpected_failure, unexpected_pass, not_run };

const char* name(Verdict verdict);

/// Requirements that a library is known not to meet, each with the reason.
class KnownDeviations {
public:
  KnownDeviations() = default;
  /// Throws std::runtime_error that names the file and the field where the file is not as it should be.
  explicit KnownDeviations(const std::string& file);

  /// The reason why a requirement fails in this library; null where it should hold.
  const std::string* reason(const std::string& requirement) const;
  const std::string& file() const { return file_; }

private:
  std::string file_;
  std::vector<std::pair<std::string, std::string>> reasons_;
};

/// One test's findings on one requirement.
struct Finding {
  std::string test;
  std::string requirement;
  std::size_t checks = 0;
  std::size_t failed = 0;
  std::string failure{}; ///< what was wrong
  std::string skipped{}; ///< why nothing was checked
  Verdict verdict = Verdict::not_run;
  std::string reason{}; ///< of a known deviation
};

class Results {
public:
  /// Gives the finding its verdict and keeps it. \return the verdict.
  Verdict add(Finding finding, const KnownDeviations& known);

  std::size_t count(Verdict verdict) const;
  bool has_unexpected() const;

  /// The table of requirements, and a verdict in words.
  void print(std::ostream& out, const Library& library) const;
  nlohmann::json to_json(const Library& library, Device device, const KnownDeviations& known, double seconds) const;

private:
  struct Summary {
    std::size_t checks = 0, failed = 0;
    Verdict verdict = Verdict::not_run;
    std::string reason, skipped;
    std::vector<std::string> tests;
  };
  Summary summarize(const std::string& requirement) const;

  std::vector<Finding> findings_;
};

} // namespace conformance

#endif
