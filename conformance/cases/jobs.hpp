// Jobs and what is right for them.
#ifndef GFPQ_CONFORMANCE_CASES_JOBS_HPP
#define GFPQ_CONFORMANCE_CASES_JOBS_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "oracle/halves.hpp"
#include "runner/case.hpp"

namespace conformance {

/// An element type: what the library calls it, and how its numbers are those that the oracle knows.
template <class Element>
struct ElementFacts;

template <>
struct ElementFacts<float> {
  using Computed = float;
  static constexpr unsigned type = GFPQ_FLOAT32;
  static constexpr const char* name = "float32";
  static float computed(float number) { return number; }
  static float stored(float number) { return number; }
};
template <>
struct ElementFacts<double> {
  using Computed = double;
  static constexpr unsigned type = GFPQ_FLOAT64;
  static constexpr const char* name = "float64";
  static double computed(double number) { return number; }
  static double stored(double number) { return number; }
};
template <class HalfType, unsigned type_>
struct HalfFacts {
  using Computed = float;
  static constexpr unsigned type = type_;
  static float computed(HalfType number) { return widened(number); }
  static HalfType stored(float number) { return rounded<HalfType>(number); }
};
template <>
struct ElementFacts<Float16> : HalfFacts<Float16, GFPQ_FLOAT16> {
  static constexpr const char* name = "float16";
};
template <>
struct ElementFacts<BFloat16> : HalfFacts<BFloat16, GFPQ_BFLOAT16> {
  static constexpr const char* name = "bfloat16";
};

template <class Element>
using ComputedOf = typename ElementFacts<Element>::Computed;

/// Throws MissingFunction where the library has no jobs for the device; the second Skip where that is a GPU.
void need_jobs();
void need_jobs_of_host_memory();

/// Runs a job whose memory is the host's, on the GPU by way of copies. \return what the call returned.
int run_job(GFPQ_JOB_ST job);

/// Runs `check(Element(), bits)` for each element type and width.
template <class Check>
void for_each_element(Check check) {
  need_jobs();
  for (const Width& width : widths) {
    check(float(), width.bits);
    check(double(), width.bits);
    check(Float16(), width.bits);
    check(BFloat16(), width.bits);
  }
}

/// A tensor and what is done with it.
struct JobPlan {
  unsigned operation = GFPQ_FAKE_QUANTIZE, mode = GFPQ_MODE_INIT;
  std::size_t outer = 1, groups = 1, inner = 1;
  bool in_place = false, with_mask = false;
  std::size_t offset = 0;  ///< of source, destination and mask from a 64-byte border, in elements
  std::vector<int> held{}; ///< each group's delta before, in turn; GFPQ_NEVER_SET
  std::string note{};      ///< what is special about it
  std::size_t count() const { return outer * groups * inner; }
  std::size_t place(std::size_t group, std::size_t position) const {
    return (position / inner * groups + group) * inner + position % inner;
  }
};

/// Which checks a job's parts belong to.
struct JobChecks {
  Checks &status, &results, &params, &masks, &surroundings;
};

/// The code that stands for a number. A number's own value is computed.
template <class Float>
std::uint16_t right_code(int bits, Float number, int delta);
template <class Float>
Float right_value(int bits, std::uint16_t code, int delta);
std::size_t bytes_of_code(int bits);
std::uint16_t sign_of_codes(int bits);

/// Runs a job on the numbers (for DECODE on their codes) and checks all that it leaves: status, every result, blocks,
/// statuses and mask, that the source is as it was, and that nothing beside source, destination, mask and parameters is
/// written.
template <class Element>
void check_job(JobChecks checks, int bits, const JobPlan& plan, const std::vector<Element>& numbers);

/// Numbers for groups with these deltas, in turn: mixed ones, NaN among them, none beyond the ladder.
template <class Element>
std::vector<Element> numbers_for(int bits, const JobPlan& plan, const std::vector<int>& deltas, unsigned seed = 1);

} // namespace conformance

#endif
