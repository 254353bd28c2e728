// What the failed checks of one requirement look like, and what its wrong numbers have in common.
#ifndef GFPQ_CONFORMANCE_RUNNER_DIAGNOSIS_HPP
#define GFPQ_CONFORMANCE_RUNNER_DIAGNOSIS_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runner/finding.hpp"

namespace conformance {

/// What is wrong in a failed check. One fault shows the same symptoms under many requirements.
enum Symptom : std::uint32_t {
  value_symptom = 1u << 0,       ///< the right code, but another value
  border_symptom = 1u << 1,      ///< the code beside, next to a border
  code_symptom = 1u << 2,        ///< another code
  zero_symptom = 1u << 3,        ///< zero that should be none, or none that should be zero
  sign_symptom = 1u << 4,        ///< the other sign
  minus_zero_symptom = 1u << 5,  ///< -0
  nan_symptom = 1u << 6,         ///< the input is NaN
  infinity_symptom = 1u << 7,    ///< the input is an infinity
  denormal_symptom = 1u << 8,    ///< the input is a denormal number
  unchanged_symptom = 1u << 9,   ///< the number was not processed
  refused_symptom = 1u << 10,    ///< an error where the call should succeed
  accepted_symptom = 1u << 11,   ///< success where the call should fail
  error_symptom = 1u << 12,      ///< another error
  block_symptom = 1u << 13,      ///< the right delta in another block
  delta_symptom = 1u << 14,      ///< another delta
  mode_symptom = 1u << 15,       ///< the parameter's mode was changed
  other_symptom = 1u << 16,      ///< a check of its own
  interrupted_symptom = 1u << 17 ///< the case could not go on
};

/// Which call a check is about.
struct Call {
  std::string function = "HI_GFPQ_QuantAndDeQuant";
  std::string type{}; ///< float, double
  unsigned bits = 0;
  std::string mode{};         ///< INIT, UPDATE, APPLY, null; empty where it does not matter
  std::optional<int> delta{}; ///< the delta that is right for this call
  std::string note{};         ///< what is special about it

  std::string describe() const;
};

/// A number with its bit pattern: `1.5 (0x3fc00000)`.
template <class Float>
std::string show(Float number);

/// `8 bit float`; empty where the width is not one of the list.
std::string kind_name(unsigned bits, bool is_double);

class Diagnosis {
public:
  /// Takes note of one number of a tensor, right or wrong. \return the symptom of a wrong one, else 0
  template <class Float>
  std::uint32_t add(const Call& call, std::size_t index, std::size_t count, Float input, Float got, Float want);

  /// Fills in examples, hints, inputs and border.
  void conclude(Finding& finding) const;

private:
  std::size_t wrong_ = 0;
  std::uint32_t common_ = ~0u; ///< traits that all wrong numbers have
  std::uint32_t seen_right_ =
      0;                     ///< traits that some right number that changes lacks: only these tell the wrong ones apart
  std::uint64_t border_ = 0; ///< the largest distance of a wrong number from a border
  std::vector<Example> examples_;
};

} // namespace conformance

#endif
