// Jobs: what is refused, and what is left out.
#include <climits>
#include <cstring>
#include <functional>

#include "cases/jobs.hpp"

namespace conformance {
namespace {

/// A job that is right, and all its memory, of which a refused call must write nothing.
struct RightJob {
  alignas(64) double source[64], destination[64];
  unsigned char mask[64];
  GFPQ_GROUP_PARAM_ST params[4];
  GFPQ_JOB_ST job;

  RightJob() { // every byte, those of padding too, since all are compared
    std::memset(static_cast<void*>(this), 0, sizeof *this);
    for (int i = 0; i < 64; ++i)
      source[i] = i - 31.5;
    std::memset(destination, 0x55, sizeof destination);
    std::memset(mask, 0x55, sizeof mask);
    for (GFPQ_GROUP_PARAM_ST& param : params)
      hold(param, -77);
    job = {GFPQ_FAKE_QUANTIZE, GFPQ_FLOAT32, 8, GFPQ_MODE_UPDATE, 2, 4, 4, source, destination, params, mask};
  }
  static void hold(GFPQ_GROUP_PARAM_ST& param, int delta) {
    std::memcpy(param.buf, oracle<float>(16).param(0, delta).buf, GFPQ_PARAM_LEN);
  }
};

struct Refusal {
  std::string what;
  int status;
  std::function<void(RightJob&)> spoil;
};

const Refusal refusals[] = {
    {"an unknown operation", GFPQ_ERR_BAD_PARAMETERS, [](RightJob& at) { at.job.operation = 3; }},
    {"an operation of which 8 bits are known", GFPQ_ERR_BAD_PARAMETERS, [](RightJob& at) { at.job.operation = 256; }},
    {"an unknown type", GFPQ_ERR_BAD_FORMAT, [](RightJob& at) { at.job.type = 4; }},
    {"a type of which 8 bits are known", GFPQ_ERR_BAD_FORMAT, [](RightJob& at) { at.job.type = 256; }},
    {"a bit width of 9", GFPQ_ERR_BAD_FORMAT, [](RightJob& at) { at.job.bit_width = 9; }},
    {"a bit width of 0", GFPQ_ERR_BAD_FORMAT, [](RightJob& at) { at.job.bit_width = 0; }},
    {"an unknown mode", GFPQ_ERR_BAD_PARAMETERS, [](RightJob& at) { at.job.mode = 4; }},
    {"UPDATE to decode", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) {
       at.job.operation = GFPQ_DECODE;
       at.job.mask = nullptr;
     }},
    {"AUTO to decode", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) {
       at.job.operation = GFPQ_DECODE;
       at.job.mode = GFPQ_MODE_AUTO;
       at.job.mask = nullptr;
     }},
    {"a mask to decode", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) {
       at.job.operation = GFPQ_DECODE;
       at.job.mode = GFPQ_MODE_APPLY_ONLY;
     }},
    {"no source", GFPQ_ERR_BAD_PARAMETERS, [](RightJob& at) { at.job.source = nullptr; }},
    {"no destination", GFPQ_ERR_BAD_PARAMETERS, [](RightJob& at) { at.job.destination = nullptr; }},
    {"no parameters", GFPQ_ERR_BAD_PARAMETERS, [](RightJob& at) { at.job.params = nullptr; }},
    {"no parameters of groups without numbers", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) {
       at.job.outer = 0;
       at.job.params = nullptr;
     }},
    {"a shape whose product overflows", GFPQ_ERR_BAD_PARAMETERS, [](RightJob& at) { at.job.outer = SIZE_MAX / 8; }},
    {"a shape whose product wraps to a small one", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) { at.job.inner = SIZE_MAX / 4 + 5; }},
    {"more groups than there are addresses", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) {
       at.job.outer = 0;
       at.job.groups = SIZE_MAX / 64 + 1;
     }},
    {"a source that is not aligned", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) { at.job.source = reinterpret_cast<char*>(at.source) + 2; }},
    {"a destination that is not aligned", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) { at.job.destination = reinterpret_cast<char*>(at.destination) + 1; }},
    {"parameters that are not aligned", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) {
       at.job.groups = 1;
       at.job.params = reinterpret_cast<GFPQ_GROUP_PARAM_ST*>(reinterpret_cast<char*>(at.params) + 2);
     }},
    {"codes of 16 bit that are not aligned", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) {
       at.job.operation = GFPQ_ENCODE;
       at.job.bit_width = 16;
       at.job.destination = reinterpret_cast<char*>(at.destination) + 1;
     }},
};

const Refusal overlaps[] = {
    {"a destination one number behind the source", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) { at.job.destination = reinterpret_cast<float*>(at.source) + 1; }},
    {"a destination one number before the source", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) {
       at.job.destination = at.source;
       at.job.source = reinterpret_cast<float*>(at.source) + 1;
     }},
    {"a destination that ends in the source", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) {
       at.job.destination = at.source;
       at.job.source = reinterpret_cast<float*>(at.source) + 31;
     }},
    {"codes in place of the numbers", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) {
       at.job.operation = GFPQ_ENCODE;
       at.job.destination = at.source;
     }},
    {"numbers in place of the codes", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) {
       at.job.operation = GFPQ_DECODE;
       at.job.mode = GFPQ_MODE_APPLY_ONLY;
       at.job.mask = nullptr;
       at.job.destination = at.source;
     }},
    {"a mask in the source", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) { at.job.mask = reinterpret_cast<unsigned char*>(at.source) + 127; }},
    {"a mask in the destination", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) { at.job.mask = reinterpret_cast<unsigned char*>(at.destination); }},
    {"a mask in the parameters", GFPQ_ERR_BAD_PARAMETERS, [](RightJob& at) { at.job.mask = at.params[3].buf; }},
    {"parameters in the source", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) { at.job.params = reinterpret_cast<GFPQ_GROUP_PARAM_ST*>(at.source); }},
    {"parameters in the destination", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) { at.job.params = reinterpret_cast<GFPQ_GROUP_PARAM_ST*>(at.destination + 15); }},
};

/// Beside a right job, before and behind: nothing may be written of either.
void check_refusal(Checks& checks, const Refusal& refusal) {
  for (const bool is_first : {true, false}) {
    RightJob wrong, right;
    refusal.spoil(wrong);
    RightJob want_wrong = wrong, want_right = right; // the addresses in them are the first ones'
    const GFPQ_JOB_ST jobs[] = {is_first ? wrong.job : right.job, is_first ? right.job : wrong.job};
    const int status = test_run().library->run_jobs(jobs, 2);
    checks.that(status == refusal.status, [&] {
      return "GFPQ_RunJobs with " + refusal.what + " returned " + show_status(status) + ", want " +
             show_status(refusal.status);
    });
    checks.that(std::memcmp(&wrong, &want_wrong, sizeof wrong) == 0 &&
                    std::memcmp(&right, &want_right, sizeof right) == 0,
                [&] { return "GFPQ_RunJobs with " + refusal.what + " wrote to the memory of a job"; });
  }
}

CONFORMANCE_TEST(Jobs, BadArguments, "GFPQ-JOB-10") {
  need_jobs_of_host_memory();
  CapturedOutput quiet;
  Checks& checks = requirements["GFPQ-JOB-10"];
  for (const Refusal& refusal : refusals)
    check_refusal(checks, refusal);
  const Library& library = *test_run().library;
  checks.that(library.run_jobs(nullptr, 1) == GFPQ_ERR_BAD_PARAMETERS, [] { return "one job at null is accepted"; });
  checks.that(library.run_jobs(nullptr, 0) == GFPQ_SUCCESS, [] { return "no jobs at null are refused"; });
  RightJob right; // so that what is refused above is refused for what is wrong in it
  checks.that(library.run_jobs(&right.job, 1) == GFPQ_SUCCESS, [] { return "a right job is refused"; });
}

CONFORMANCE_TEST(Jobs, Overlaps, "GFPQ-JOB-11") {
  need_jobs_of_host_memory();
  CapturedOutput quiet;
  for (const Refusal& refusal : overlaps)
    check_refusal(requirements["GFPQ-JOB-11"], refusal);
}

/// Blocks that no call can use.
const Refusal bad_blocks[] = {
    {"a block that was never set", GFPQ_ERR_BAD_PARAMETERS,
     [](RightJob& at) { std::memset(at.params[2].buf, 0, GFPQ_PARAM_LEN); }},
    {"a block with a wrong bit", GFPQ_ERR_BAD_PARAMETERS, [](RightJob& at) { at.params[2].buf[13] ^= 4; }},
    {"a delta beyond the range", GFPQ_ERR_BAD_PARAMETERS, [](RightJob& at) { RightJob::hold(at.params[2], 512); }},
};

CONFORMANCE_TEST(Jobs, GroupsLeftOut, "GFPQ-JOB-09") {
  need_jobs_of_host_memory();
  CapturedOutput quiet;
  Checks& checks = requirements["GFPQ-JOB-09"];
  for (const Refusal& bad : bad_blocks)
    for (const unsigned mode : {GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY, GFPQ_MODE_E(GFPQ_MODE_AUTO)}) {
      const bool is_unset = &bad == bad_blocks;
      if (mode == GFPQ_MODE_AUTO && is_unset)
        continue;
      RightJob wrong, right;
      right.job.mode = wrong.job.mode = mode;
      bad.spoil(wrong);
      wrong.params[1].status = GFPQ_ERR_GENERIC;
      const RightJob before = wrong;
      const GFPQ_JOB_ST jobs[] = {wrong.job, right.job};
      const int status = test_run().library->run_jobs(jobs, 2);
      const std::string call = "GFPQ_RunJobs with " + bad.what + " in group 2, mode " + std::to_string(mode);
      checks.that(status == bad.status, [&] { return call + " returned " + show_status(status); });
      checks.that(wrong.params[2].status == GFPQ_ERR_BAD_PARAMETERS && wrong.params[1].status == GFPQ_SUCCESS &&
                      right.params[2].status == GFPQ_SUCCESS,
                  [&] { return call + ": the parameters' statuses are wrong"; });
      checks.that(std::memcmp(wrong.params[2].buf, before.params[2].buf, GFPQ_PARAM_LEN) == 0,
                  [&] { return call + " wrote to the block"; });
      const auto* got = reinterpret_cast<const float*>(wrong.destination);
      const auto* all = reinterpret_cast<const float*>(right.destination);
      const auto* former = reinterpret_cast<const float*>(before.destination);
      for (std::size_t i = 0; i < 32; ++i) {
        const bool is_left_out = i / 4 % 4 == 2;
        const float want = is_left_out ? former[i] : all[i];
        const unsigned char want_mask = is_left_out ? before.mask[i] : right.mask[i];
        checks.that(std::memcmp(&got[i], &want, sizeof want) == 0 && wrong.mask[i] == want_mask,
                    [&] { return call + ": number " + std::to_string(i) + " or its mask is wrong"; });
      }
    }
}

CONFORMANCE_TEST(Jobs, CodesBeyondTheLargest, "GFPQ-JOB-09") {
  need_jobs_of_host_memory();
  CapturedOutput quiet;
  Checks& checks = requirements["GFPQ-JOB-09"];
  for (const unsigned code : {1408u, 0x8000u | 1408u, 0x7fffu, 0xffffu})
    for (const std::size_t place : {0, 6, 9}) { // of group 1, in both of its rows
      std::uint16_t codes[24] = {};
      const std::size_t at = place / 3 * 6 + 3 + place % 3;
      codes[at < 24 ? at : 23] = static_cast<std::uint16_t>(code);
      float values[24] = {};
      GFPQ_GROUP_PARAM_ST params[2] = {};
      for (GFPQ_GROUP_PARAM_ST& param : params)
        RightJob::hold(param, 0);
      const GFPQ_JOB_ST job{GFPQ_DECODE, GFPQ_FLOAT32, 16,     GFPQ_MODE_APPLY_ONLY, 4, 2, 3, codes,
                            values,      params,       nullptr};
      const int status = test_run().library->run_jobs(&job, 1);
      const std::string call = "GFPQ_RunJobs(DECODE) with the code " + std::to_string(code) + " in group 1";
      checks.that(status == GFPQ_ERR_BAD_FORMAT && params[0].status == GFPQ_SUCCESS &&
                      params[1].status == GFPQ_ERR_BAD_FORMAT,
                  [&] { return call + " returned " + show_status(status) + ", or has wrong statuses"; });
      for (std::size_t i = 0; i < 24; ++i)
        checks.that(values[i] == (i / 3 % 2 == 0 ? 1.0f : 0.0f),
                    [&] { return call + ": value " + std::to_string(i) + " is wrong"; });
    }
}

} // namespace
} // namespace conformance
