// The checks of one requirement within one test.
#ifndef GFPQ_CONFORMANCE_RUNNER_CHECKS_HPP
#define GFPQ_CONFORMANCE_RUNNER_CHECKS_HPP

#include <cstring>
#include <string>
#include <vector>

#include "gfpq.hpp"
#include "runner/diagnosis.hpp"
#include "runner/verdicts.hpp"

namespace conformance {

class Checks {
public:
  explicit Checks(std::string requirement) : requirement_(std::move(requirement)) {}

  const std::string& requirement() const { return requirement_; }

  /// One check. `describe` is called where it fails, and says what was wrong.
  template <class Describe>
  void that(bool holds, Describe describe) {
    ++checks_;
    if (!holds)
      fail(describe());
  }

  /// A return code.
  void status(const Call& call, int got, int want);

  /// A parameter, mode and block.
  void param(const Call& call, const GFPQ_PARAM_ST& got, const GFPQ_PARAM_ST& want);

  /// A check for each number, by bit pattern.
  template <class Float>
  void tensor(const Call& call, const std::vector<Float>& input, const std::vector<Float>& got,
              const std::vector<Float>& want) {
    // Where all is right, a few numbers are enough to know the traits of right ones.
    const bool all_right = want.empty() || std::memcmp(got.data(), want.data(), want.size() * sizeof(Float)) == 0;
    const std::size_t step = all_right ? want.size() / 64 + 1 : 1;
    for (std::size_t i = 0; i < want.size(); i += step)
      diagnosis_.add(call, i, want.size(), input[i], got[i], want[i]);
    checks_ += want.size();
  }

  template <class Float>
  void number(const Call& call, std::size_t index, std::size_t count, Float input, Float got, Float want) {
    ++checks_;
    diagnosis_.add(call, index, count, input, got, want);
  }

  Finding finding(const std::string& test) const;

private:
  void fail(const std::string& what);

  std::string requirement_;
  std::size_t checks_ = 0;
  std::size_t failed_ = 0; // those of the diagnosis not counted
  std::vector<std::string> failures_;
  Diagnosis diagnosis_;
};

/// `0x60 0x62 ...`
std::string show_block(const GFPQ_PARAM_ST& param);
std::string show_status(int status);

} // namespace conformance

#endif
