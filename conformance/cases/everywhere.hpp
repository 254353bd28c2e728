// Numbers in every place and tensor length that a library may treat apart: it has a path for single numbers and one for
// vectors, which begins and ends somewhere.
#ifndef GFPQ_CONFORMANCE_CASES_EVERYWHERE_HPP
#define GFPQ_CONFORMANCE_CASES_EVERYWHERE_HPP

#include <string>
#include <vector>

#include "runner/case.hpp"

namespace conformance {

/// The modes and, behind them, a call without parameter.
inline constexpr unsigned without_parameter = GFPQ_MODE_APPLY_ONLY + 1;
inline constexpr unsigned all_modes[] = {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY, without_parameter};
inline constexpr unsigned fitting_modes[] = {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, without_parameter};

inline const char* name_of_mode(unsigned mode) { return mode == without_parameter ? "null" : mode_name(mode); }

/// Runs `check(Float(), bits, entry)` for each kind by the C++ functions, and for float by the `_PY` function.
template <class Check>
void for_each_entry(Check check) {
  for_each_kind([&](auto kind, int bits) { check(kind, bits, Entry::cpp); });
  const CallsThrough python(Entry::python);
  for (const int bits : offered_widths<float>())
    check(float(), bits, Entry::python);
}

/// Throws Skip where calls take device memory.
void need_host_memory();

/// Applies a delta to the numbers in tensors of 1 to 7 of them, and at both ends and in the middle of longer tensors of
/// many lengths, at several alignments.
template <class Float>
void check_apply_everywhere(Checks& checks, int bits, int delta, const std::vector<Float>& numbers,
                            const std::string& note);

/// INIT, UPDATE and a call without parameter where the largest number is `maximum`: alone, and at either end and in the
/// middle of tensors of 70 numbers and more.
template <class Float>
void check_maximum_everywhere(Checks& checks, int bits, Float maximum, const std::string& note);

/// A long tensor whose results are known, in whichever mode.
template <class Float>
struct LongTensor {
  int delta;
  std::vector<Float> input, want; ///< 2^20 numbers and some more
  Float largest, largest_want;    ///< a number that asks for delta; none of the input asks for more
};
/// Shared, made at the first use. The variants, 0 and 1, have other numbers and
/// another delta.
template <class Float>
const LongTensor<Float>& long_tensor(int bits, int variant = 0);

/// A parameter for a call of a mode on long_tensor's numbers, and what it is after the call.
struct Parameters {
  GFPQ_PARAM_ST before, after;
};
template <class Float>
Parameters parameters_of(int bits, unsigned mode, int variant = 0);

/// A check for each number, by bit pattern.
template <class Float>
void check_numbers(Checks& checks, const Call& call, const Float* input, const Float* got, const Float* want,
                   std::size_t count);

/// Calls with tensors that end, or begin, at a page that may not be touched.
template <class Float>
class GuardedCalls {
public:
  /// Checks of what a call gives, of what lies beside the tensor, and of what is touched there.
  struct Judges {
    Checks &results, &surroundings, &touches;
  };

  GuardedCalls(int bits, Entry entry, std::size_t longest, Judges judges);
  ~GuardedCalls();

  /// Numbers of long_tensor; where delta comes from the data, the largest is the last where the tensor ends at the
  /// page, the first where it begins there.
  void check(std::size_t count, unsigned mode, bool at_front);

private:
  struct Members;
  Members* members_;
};

} // namespace conformance

#endif
