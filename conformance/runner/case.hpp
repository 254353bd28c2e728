// What a conformance test is written with.
#ifndef GFPQ_CONFORMANCE_RUNNER_CASE_HPP
#define GFPQ_CONFORMANCE_RUNNER_CASE_HPP

#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "gfpq.hpp"
#include "oracle/oracle.hpp"
#include "runner/captured_output.hpp"
#include "runner/checks.hpp"
#include "runner/library.hpp"
#include "runner/platform.hpp"

namespace conformance {

/// What the cases of a worker share. Set before the first.
struct TestRun {
  const Library* library = nullptr;
  Device device = Device::cpu;
  bool thorough = false;       ///< a case may take minutes, and do more
  std::vector<Kind> offered;   ///< the kinds of tensors that the library takes
  bool has_own_blocks = false; ///< see own_block.hpp
  Pace pace;
  std::vector<std::string> left_out; ///< of the case in progress, see `repetitions`
};
TestRun& test_run();

/// How often a case does something: `usual` times, or `fewer` where the library's calls on so many numbers are slow;
/// all of it with --thorough. The case's report tells what was left out: `of` says what it is.
int repetitions(int usual, int fewer, std::size_t numbers, const std::string& of);

/// Thrown by a test that can't run here; the text says why.
struct Skip : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Gives a running test the checks of the requirements that it names.
class Requirements {
public:
  explicit Requirements(const std::vector<std::string>& ids);

  /// The checks of one requirement. Throws std::logic_error where the test does not name it.
  Checks& operator[](const std::string& id);
  const std::vector<Checks>& all() const { return checks_; }

private:
  std::vector<Checks> checks_;
};

/// A test and the requirements that it names.
struct TestCase {
  const char* suite;
  const char* name;
  const char* file;
  int line;
  std::vector<std::string> requirements;
  void (*body)(Requirements&);
  std::vector<int> thread_counts; ///< it runs once with each of them in the environment

  std::string full_name() const { return std::string(suite) + "." + name; } ///< `Memory.ShortLengths`
};

/// All tests; each registers itself before main starts. Only the runner sorts them: to a worker a test is its name.
std::vector<TestCase>& test_cases();

/// Throws std::runtime_error where there is none of that name.
const TestCase& test_case(const std::string& full_name);

/// What thread counts cases on long tensors run with; all others have one thread.
inline const std::vector<int> many_thread_counts = {1, 2, 3, 8};

#define CONFORMANCE_TEST_WITH(suite, test, thread_counts, ...)                                                         \
  static void suite##_##test(::conformance::Requirements&);                                                            \
  [[maybe_unused]] static const bool suite##_##test##_registered =                                                     \
      (::conformance::test_cases().push_back(                                                                          \
           {#suite, #test, __FILE__, __LINE__, {__VA_ARGS__}, suite##_##test, thread_counts}),                         \
       true);                                                                                                          \
  static void suite##_##test([[maybe_unused]] ::conformance::Requirements& requirements)
#define CONFORMANCE_TEST(suite, test, ...) CONFORMANCE_TEST_WITH(suite, test, {1}, __VA_ARGS__)
#define CONFORMANCE_TEST_THREADS(suite, test, ...)                                                                     \
  CONFORMANCE_TEST_WITH(suite, test, ::conformance::many_thread_counts, __VA_ARGS__)

// -- Calls ------------------------------------------------------------------------------------------------------------

template <class Float>
constexpr const char* type_name = sizeof(Float) == 4 ? "float" : "double";

const char* mode_name(unsigned mode);

/// What a call left behind.
template <class Float>
struct Outcome {
  int status;
  std::vector<Float> data;
  bool surroundings_untouched; ///< the 64 numbers before and behind the tensor
};

/// Calls the library on a copy of the input, which begins `offset` numbers behind a 64-byte border.
template <class Float>
Outcome<Float> quantize(const std::vector<Float>& input, unsigned bits, GFPQ_PARAM_ST* param, std::size_t offset = 0);

/// While it lives, calls go through the C++ function or through the `_PY` function (float alone).
class CallsThrough {
public:
  explicit CallsThrough(Entry entry);
  ~CallsThrough();
  CallsThrough(const CallsThrough&) = delete;
  CallsThrough& operator=(const CallsThrough&) = delete;

private:
  Entry former_;
};

/// Whether the library takes tensors of this type and width, by the functions that calls go through now.
template <class Float>
bool is_offered(int bits);

/// The widths at which it takes them.
template <class Float>
std::vector<int> offered_widths() {
  std::vector<int> offered;
  for (const Width& width : widths)
    if (is_offered<Float>(width.bits))
      offered.push_back(width.bits);
  return offered;
}

/// Runs `check(Float(), bits)` for float and double and each width, as far as the library offers them.
template <class Check>
void for_each_kind(Check check) {
  const auto check_kind = [&](auto kind, int bits) {
    if (!is_offered<decltype(kind)>(bits))
      return;
    const ChecksOfKind of_kind(bits, sizeof kind == sizeof(double));
    check(kind, bits);
  };
  for (const Width& width : widths) {
    check_kind(float(), width.bits);
    check_kind(double(), width.bits);
  }
}

/// Runs `check(Float())` for float and double, as far as the library offers them at some width.
template <class Check>
void for_each_type(Check check) {
  if (!offered_widths<float>().empty())
    check(float());
  if (!offered_widths<double>().empty())
    check(double());
}

/// A block that holds delta, with a mode: where the block is a means, not what is judged. In the library's own layout
/// where it has one.
template <class Float>
GFPQ_PARAM_ST param_of(int bits, unsigned mode, int delta);
/// The delta that a block holds, likewise.
int delta_held(const GFPQ_PARAM_ST& param);
/// Throws Skip where the library lays out its blocks in its own way: what is asked is about the specification's.
void need_specified_blocks();

/// Applies a delta to the input and checks status and every number. Nothing where the library does not offer the kind.
template <class Float>
void check_apply(Checks& checks, int bits, int delta, const std::vector<Float>& input, const std::string& note = "",
                 std::size_t offset = 0);

/// Calls with a mode that takes delta from the data, or without parameter (`param` null), and checks status, every
/// number, and mode and block of the parameter, which is left as it should be after the call. As above.
template <class Float>
void check_fit(Checks& checks, int bits, GFPQ_PARAM_ST* param, const std::vector<Float>& input,
               const std::string& note = "", std::size_t offset = 0);

// -- Data -------------------------------------------------------------------------------------------------------------

/// All deltas from -R to R, or every step-th of them and both ends.
std::vector<int> deltas(int bits, int step = 1);

/// Numbers of both signs from all over the ladder and beyond, and from near thresholds and zero zones of delta, doubles
/// at a safe distance from them; some zeros and denormals, no NaN. The same for the same arguments.
template <class Float>
std::vector<Float> mixed_numbers(int bits, int delta, std::size_t count, unsigned seed = 1);

/// The same without those beyond delta's ladder, so that the data ask for a delta in its neighbourhood.
template <class Float>
std::vector<Float> numbers_in_range(int bits, int delta, std::size_t count, unsigned seed = 1);

/// The same numbers with NaN of both signs and several payloads, quiet and signalling, in place of some.
template <class Float>
std::vector<Float> with_nan(std::vector<Float> numbers, unsigned seed = 1);

/// A number moved away from thresholds, zone ends and steps of the delta rule, where it is a double near one:
/// 64 ulp, well beyond what the specification leaves open.
template <class Float>
Float at_safe_distance(int bits, Float number);

/// The numbers just below and just above a border (given as the smallest number above it): its two neighbours for
/// float, numbers 17 ulp and more away for double.
template <class Float>
std::vector<Float> below_border(Float above);
template <class Float>
std::vector<Float> above_border(Float above);

} // namespace conformance

#endif
