// Where a library is known to do otherwise, and how far.
#ifndef GFPQ_CONFORMANCE_RUNNER_KNOWN_HPP
#define GFPQ_CONFORMANCE_RUNNER_KNOWN_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runner/finding.hpp"

namespace conformance {

/// A requirement that a library is known not to meet. What goes beyond the bound is not known.
struct Deviation {
  std::string requirement, reason;
  std::optional<std::size_t> checks; ///< at most so many fail (in a run without --thorough)
  std::vector<std::string> inputs{}; ///< every wrong number's input is of all these: `infinity`, `nan`, `double`, ...
  std::optional<std::uint64_t> ulp;  ///< every wrong number is one code off, and lies so near to a border at most
  std::vector<std::string> kinds{};  ///< only tensors of these kinds: `8 bit double`, ...
  std::string interrupted{};         ///< a case that could not go on ended so: `SIGFPE`

  /// What of a finding goes beyond the bound, in words; empty where nothing does.
  std::string excess(const Finding& finding, bool thorough) const;
};

class KnownDeviations {
public:
  KnownDeviations() = default;
  /// Throws std::runtime_error that names the file and the field where the file is not as it should be.
  explicit KnownDeviations(const std::string& file);

  /// Throws std::runtime_error where the list is about another library. A version of 0.0.0 is not told.
  void require_library(const std::string& version, const std::string& platform, const std::string& sha256) const;

  /// Null where the requirement should hold.
  const Deviation* find(const std::string& requirement) const;
  const std::string& file() const { return file_; }

private:
  std::string file_, name_, version_, platform_;
  std::vector<std::string> sha256_;
  std::vector<Deviation> deviations_;
};

/// `linux-x86_64`: the platform that this program is built for.
std::string platform_name();

} // namespace conformance

#endif
