// The checks of one requirement within one test.
#ifndef GFPQ_CONFORMANCE_RUNNER_CHECKS_HPP
#define GFPQ_CONFORMANCE_RUNNER_CHECKS_HPP

#include <array>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "gfpq.hpp"
#include "oracle/widths.hpp"
#include "runner/diagnosis.hpp"
#include "runner/finding.hpp"

namespace conformance {

/// While it lives, the checks that this thread makes without a call are about one kind of tensor.
class ChecksOfKind {
public:
  ChecksOfKind(int bits, bool is_double);
  ~ChecksOfKind();
  ChecksOfKind(const ChecksOfKind&) = delete;
  ChecksOfKind& operator=(const ChecksOfKind&) = delete;

private:
  std::size_t former_;
};

class Checks {
public:
  explicit Checks(std::string requirement) : requirement_(std::move(requirement)) {}

  const std::string& requirement() const { return requirement_; }

  /// One check. `describe` is called where it fails, and says what was wrong.
  template <class Describe>
  void that(bool holds, Describe describe) {
    that(current_kind(), holds, other_symptom, describe);
  }

  /// What one failed check shows, in words; told where all that have such words show it.
  void hint(const std::vector<std::string>& words);

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
      add_number(call, i, want.size(), input[i], got[i], want[i]);
    counts_[kind_of(call)].checks += want.size();
  }

  template <class Float>
  void number(const Call& call, std::size_t index, std::size_t count, Float input, Float got, Float want) {
    ++counts_[kind_of(call)].checks;
    add_number(call, index, count, input, got, want);
  }

  Finding finding(const std::string& test) const;

private:
  static constexpr std::size_t no_kind = 2 * std::size(widths);
  static std::size_t current_kind();
  static std::size_t kind_of(const Call& call);

  template <class Describe>
  void that(std::size_t kind, bool holds, Symptom symptom, Describe describe) {
    ++counts_[kind].checks;
    if (!holds)
      fail(kind, symptom, describe());
  }
  void fail(std::size_t kind, Symptom symptom, const std::string& what);

  template <class Float>
  void add_number(const Call& call, std::size_t index, std::size_t count, Float input, Float got, Float want) {
    if (const std::uint32_t symptom = diagnosis_.add(call, index, count, input, got, want); symptom != 0) {
      ++counts_[kind_of(call)].failed;
      counts_[kind_of(call)].symptoms |= symptom;
    }
  }

  std::string requirement_;
  std::array<Count, no_kind + 1> counts_ = {}; // by kind of tensor, and those of none
  std::vector<std::string> failures_;
  std::vector<std::string> hints_; // what all failed checks that have hints have in common
  bool has_hints_ = false;
  Diagnosis diagnosis_;

  friend class ChecksOfKind;
};

/// Remembers the delta that a call has left in its block: what checks say of the next one may be that it was kept.
void remember_delta(unsigned bits, std::size_t type_size, int delta);

/// `0x60 0x62 ...`
std::string show_block(const GFPQ_PARAM_ST& param);
std::string show_status(int status);

} // namespace conformance

#endif
