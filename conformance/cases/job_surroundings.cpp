// Jobs: in threads with little stack, and in whatever floating-point environment the caller has.
#include <cstring>
#include <functional>

#include "cases/floating_point_setting.hpp"
#include "cases/jobs.hpp"
#include "cases/system.hpp"

namespace conformance {
namespace {

/// How a call is made.
using Caller = std::function<int(const GFPQ_JOB_ST&)>;

int call_plainly(const GFPQ_JOB_ST& job) { return test_run().library->run_jobs(&job, 1); }

/// What a job leaves, all in all.
template <class Element>
std::vector<unsigned char> result_of(const Caller& call, GFPQ_JOB_ST job, const std::vector<Element>& numbers) {
  std::vector<unsigned char> result(9 * numbers.size(), 0x55); // of the largest type, and the mask behind it
  std::vector<GFPQ_GROUP_PARAM_ST> params(job.groups);
  for (GFPQ_GROUP_PARAM_ST& param : params)
    std::memcpy(param.buf, oracle<float>(static_cast<int>(job.bit_width)).param(0, -77).buf, GFPQ_PARAM_LEN);
  job.source = numbers.data();
  job.destination = result.data();
  job.params = params.data();
  job.mask = &result[8 * numbers.size()];
  const int status = call(job);
  const auto append = [&](const void* what, std::size_t bytes) {
    const auto* const begin = static_cast<const unsigned char*>(what);
    result.insert(result.end(), begin, begin + bytes);
  };
  append(&status, sizeof status);
  append(params.data(), params.size() * sizeof params[0]);
  return result;
}

/// All types, operations and modes on numbers from all over the type's range, denormal ones and NaN among them: the
/// same results as of plain calls.
void check_same(Checks& checks, const std::string& circumstances, const Caller& call) {
  need_jobs_of_host_memory();
  for_each_element([&](auto element, int bits) {
    using Element = decltype(element);
    std::vector<Element> numbers;
    for (const int delta : {-77, -300}) // below 2^-14, half types are denormal
      for (const auto number : with_nan(mixed_numbers<ComputedOf<Element>>(bits, delta, 1500, 3)))
        numbers.push_back(ElementFacts<Element>::stored(number));
    for (const unsigned operation : {GFPQ_FAKE_QUANTIZE, GFPQ_ENCODE})
      for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY})
        for (const std::size_t groups : {1, 3}) {
          const GFPQ_JOB_ST job{operation,
                                ElementFacts<Element>::type,
                                static_cast<unsigned>(bits),
                                mode,
                                numbers.size() / groups,
                                groups,
                                1,
                                nullptr,
                                nullptr,
                                nullptr,
                                nullptr};
          checks.that(result_of(call, job, numbers) == result_of(call_plainly, job, numbers), [&] {
            return std::string("GFPQ_RunJobs(operation ") + std::to_string(operation) + ", " +
                   ElementFacts<Element>::name + ", " + std::to_string(bits) + " bit, " + mode_name(mode) + "), " +
                   std::to_string(groups) + " groups, " + circumstances + ", gives another result";
          });
        }
  });
}

CONFORMANCE_TEST(Jobs, LittleStack, "GFPQ-JOB-16") {
  check_same(requirements["GFPQ-JOB-16"], "on a stack of 64 KiB", [](const GFPQ_JOB_ST& job) {
    int status = 0;
    run_on_stack_of(64 * 1024, [&] { status = call_plainly(job); });
    return status;
  });
}

Caller caller_with(const Setting& setting) {
  return [setting](const GFPQ_JOB_ST& job) {
    const FloatingPoint environment(setting);
    return call_plainly(job);
  };
}

CONFORMANCE_TEST(Jobs, FloatingPointEnvironments, "GFPQ-JOB-17") {
  for (const auto& [rounding, name] : roundings)
    for (const bool flushes : {false, true})
      check_same(requirements["GFPQ-JOB-17"], name + std::string(flushes ? ", denormals flushed to zero" : ""),
                 caller_with({name, rounding, flushes, false, false}));
}

#if defined(__GLIBC__)
// Where a trap strikes, the case ends.
CONFORMANCE_TEST(Jobs, Traps, "GFPQ-JOB-17") {
  const Setting setting{"all exceptions trapped", FE_TONEAREST, false, false, true};
  check_same(requirements["GFPQ-JOB-17"], setting.name, caller_with(setting));
}
#endif

} // namespace
} // namespace conformance
