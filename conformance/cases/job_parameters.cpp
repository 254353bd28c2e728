// Jobs: parameters, the vendor's blocks, deltas, and many jobs in one call.
#include <cstring>

#include "cases/everywhere.hpp"
#include "cases/jobs.hpp"
#include "cases/read_only_page.hpp"

namespace conformance {
namespace {

bool is_block_of(const unsigned char (&block)[GFPQ_PARAM_LEN], int bits, int delta) {
  const GFPQ_PARAM_ST unset{0, {}};
  return std::memcmp(block, delta == GFPQ_NEVER_SET ? unset.buf : oracle<float>(bits).param(0, delta).buf,
                     GFPQ_PARAM_LEN) == 0;
}

CONFORMANCE_TEST(Jobs, Blocks, "GFPQ-JOB-12") {
  need_jobs_of_host_memory();
  CapturedOutput quiet;
  Checks& checks = requirements["GFPQ-JOB-12"];
  const Library& library = *test_run().library;
  for (const Width& width : widths) {
    std::vector<int> all = deltas(width.bits);
    all.push_back(GFPQ_NEVER_SET);
    std::vector<GFPQ_PARAM_ST> blocks, got(all.size(), GFPQ_PARAM_ST{7, {}});
    for (const int delta : all)
      blocks.push_back(delta == GFPQ_NEVER_SET ? GFPQ_PARAM_ST{0, {}} : oracle<float>(width.bits).param(0, delta));
    GFPQ_GROUP_PARAM_ST dirty;
    std::memset(&dirty, 0x7b, sizeof dirty);
    std::vector<GFPQ_GROUP_PARAM_ST> params(all.size(), dirty);
    const auto bits = static_cast<unsigned>(width.bits);
    checks.that(library.set_blocks(params.data(), params.size(), bits, blocks.data()) == GFPQ_SUCCESS &&
                    library.get_blocks(params.data(), params.size(), got.data()) == GFPQ_SUCCESS,
                [] { return "GFPQ_SetBlocks or GFPQ_GetBlocks fails"; });
    for (std::size_t i = 0; i < all.size(); ++i)
      checks.that(is_block_of(params[i].buf, width.bits, all[i]) && params[i].status == GFPQ_SUCCESS &&
                      is_block_of(got[i].buf, width.bits, all[i]) && got[i].mode == 7,
                  [&] { return "the block of delta " + std::to_string(all[i]) + " is not kept"; });

    // Refused, with nothing written: the last block is wrong.
    GFPQ_PARAM_ST flipped = blocks[0], beyond = oracle<float>(16).param(0, 4095);
    flipped.buf[2] ^= 1;
    if (width.bits == 16)
      std::memcpy(beyond.buf, flipped.buf, sizeof flipped.buf);
    for (const GFPQ_PARAM_ST& bad : {flipped, beyond}) {
      auto wrong = blocks;
      wrong.back() = bad;
      std::vector<GFPQ_GROUP_PARAM_ST> untouched(all.size(), dirty);
      const int status = library.set_blocks(untouched.data(), untouched.size(), bits, wrong.data());
      bool same = true;
      for (const GFPQ_GROUP_PARAM_ST& param : untouched)
        same = same && std::memcmp(&param, &dirty, sizeof dirty) == 0;
      checks.that(status == GFPQ_ERR_BAD_PARAMETERS && same,
                  [&] { return "GFPQ_SetBlocks with a bad block returned " + show_status(status) + " or wrote"; });
    }
    checks.that(library.set_blocks(params.data(), 1, 9, blocks.data()) == GFPQ_ERR_BAD_FORMAT &&
                    library.set_blocks(nullptr, 1, bits, blocks.data()) == GFPQ_ERR_BAD_PARAMETERS &&
                    library.set_blocks(params.data(), 1, bits, nullptr) == GFPQ_ERR_BAD_PARAMETERS &&
                    library.get_blocks(nullptr, 1, got.data()) == GFPQ_ERR_BAD_PARAMETERS &&
                    library.get_blocks(params.data(), 1, nullptr) == GFPQ_ERR_BAD_PARAMETERS &&
                    library.set_blocks(nullptr, 0, bits, nullptr) == GFPQ_SUCCESS &&
                    library.get_blocks(nullptr, 0, nullptr) == GFPQ_SUCCESS,
                [] { return "GFPQ_SetBlocks or GFPQ_GetBlocks takes bad arguments, or refuses none"; });
  }
}

/// Jobs of both widths; their numbers do not matter.
struct ManyParams {
  std::vector<GFPQ_GROUP_PARAM_ST> of_8{3}, of_16{2};
  std::vector<GFPQ_JOB_ST> jobs{job(8, of_8), job(16, of_16), GFPQ_JOB_ST{0, 0, 8, 0, 1, 0, 1, 0, 0, 0, 0}};
  static GFPQ_JOB_ST job(unsigned bits, std::vector<GFPQ_GROUP_PARAM_ST>& params) {
    return {GFPQ_FAKE_QUANTIZE, GFPQ_FLOAT32, bits, GFPQ_MODE_AUTO, 1, params.size(), 1, nullptr, nullptr,
            params.data(),      nullptr};
  }
};

CONFORMANCE_TEST(Jobs, Deltas, "GFPQ-JOB-13") {
  need_jobs_of_host_memory();
  CapturedOutput quiet;
  Checks& checks = requirements["GFPQ-JOB-13"];
  const Library& library = *test_run().library;
  const std::vector<int> deltas = {511, GFPQ_NEVER_SET, -511, -4095, 4095};
  ManyParams many;
  const auto count = static_cast<unsigned>(many.jobs.size());
  checks.that(library.set_deltas(many.jobs.data(), count, deltas.data(), deltas.size()) == GFPQ_SUCCESS,
              [] { return "GFPQ_SetDeltas fails"; });
  for (std::size_t i = 0; i < deltas.size(); ++i)
    checks.that(is_block_of(i < 3 ? many.of_8[i].buf : many.of_16[i - 3].buf, i < 3 ? 8 : 16, deltas[i]),
                [&] { return "GFPQ_SetDeltas: the block of delta " + std::to_string(deltas[i]) + " is wrong"; });
  std::vector<int> got(7, 12345);
  checks.that(library.get_deltas(many.jobs.data(), count, got.data(), got.size()) == GFPQ_SUCCESS &&
                  std::equal(deltas.begin(), deltas.end(), got.begin()) && got[5] == 12345 && got[6] == 12345,
              [] { return "GFPQ_GetDeltas gives other deltas than were set, or more"; });

  const auto check_refused = [&](const std::string& what, int got_status, int want, const ManyParams& after) {
    const bool same = std::memcmp(after.of_8.data(), many.of_8.data(), 3 * sizeof after.of_8[0]) == 0 &&
                      std::memcmp(after.of_16.data(), many.of_16.data(), 2 * sizeof after.of_16[0]) == 0;
    checks.that(got_status == want && same,
                [&] { return what + " returned " + show_status(got_status) + ", or wrote"; });
  };
  for (const int bad : {512, -512, 4095, GFPQ_NEVER_SET + 1}) {
    ManyParams fresh;
    fresh.of_8 = many.of_8;
    fresh.of_16 = many.of_16;
    fresh.jobs = {ManyParams::job(16, fresh.of_16), ManyParams::job(8, fresh.of_8)};
    const std::vector<int> wrong = {5, 6, 7, 8, bad};
    check_refused("GFPQ_SetDeltas with a delta beyond the range",
                  library.set_deltas(fresh.jobs.data(), 2, wrong.data(), wrong.size()), GFPQ_ERR_BAD_PARAMETERS, fresh);
    check_refused("GFPQ_SetDeltas with too few deltas", library.set_deltas(fresh.jobs.data(), 2, deltas.data(), 4),
                  GFPQ_ERR_SHORT_BUFFER, fresh);
    fresh.jobs[1].bit_width = 9;
    check_refused("GFPQ_SetDeltas with 9 bit", library.set_deltas(fresh.jobs.data(), 2, deltas.data(), 5),
                  GFPQ_ERR_BAD_FORMAT, fresh);
    fresh.jobs[1].bit_width = 8;
    fresh.jobs[1].params = nullptr;
    check_refused("GFPQ_SetDeltas without parameters", library.set_deltas(fresh.jobs.data(), 2, deltas.data(), 5),
                  GFPQ_ERR_BAD_PARAMETERS, fresh);
  }
  const auto check_unread = [&](const std::string& what, const ManyParams& from, std::size_t size, int want) {
    std::vector<int> untouched(5, 12345);
    const int status = library.get_deltas(from.jobs.data(), 2, untouched.data(), size);
    checks.that(status == want && untouched == std::vector<int>(5, 12345),
                [&] { return what + " returned " + show_status(status) + ", or wrote"; });
  };
  check_unread("GFPQ_GetDeltas with too little room", many, 4, GFPQ_ERR_SHORT_BUFFER);
  many.of_16[1].buf[0] ^= 1;
  check_unread("GFPQ_GetDeltas with a damaged block", many, 5, GFPQ_ERR_BAD_PARAMETERS);
  checks.that(library.get_deltas(nullptr, 1, got.data(), 5) == GFPQ_ERR_BAD_PARAMETERS &&
                  library.get_deltas(many.jobs.data(), 1, nullptr, 5) == GFPQ_ERR_BAD_PARAMETERS &&
                  library.set_deltas(nullptr, 1, got.data(), 5) == GFPQ_ERR_BAD_PARAMETERS &&
                  library.get_deltas(nullptr, 0, nullptr, 0) == GFPQ_SUCCESS &&
                  library.get_deltas(&many.jobs[2], 1, nullptr, 0) == GFPQ_SUCCESS && // no groups
                  library.set_deltas(&many.jobs[2], 1, nullptr, 0) == GFPQ_SUCCESS,
              [] { return "GFPQ_GetDeltas or GFPQ_SetDeltas takes a null pointer, or refuses none"; });
}

/// Tensors of several types, widths and shapes in one call.
CONFORMANCE_TEST(Jobs, ManyInOneCall, "GFPQ-JOB-14") {
  need_jobs_of_host_memory();
  Checks& checks = requirements["GFPQ-JOB-14"];
  const auto numbers = mixed_numbers<float>(8, -77, 600);
  std::vector<Float16> halves;
  for (const float number : numbers)
    halves.push_back(rounded<Float16>(number));
  constexpr std::size_t jobs_count = 40;
  std::vector<std::vector<unsigned char>> together(jobs_count, std::vector<unsigned char>(2400, 0x55)),
      alone = together;
  std::vector<GFPQ_GROUP_PARAM_ST> params(3 * jobs_count), own_params = params;
  std::vector<GFPQ_JOB_ST> jobs, own_jobs;
  for (std::size_t i = 0; i < jobs_count; ++i) {
    const bool is_half = i % 3 == 0;
    const void* const source = is_half ? static_cast<const void*>(halves.data()) : numbers.data();
    jobs.push_back({static_cast<unsigned>(i % 2), is_half ? unsigned(GFPQ_FLOAT16) : unsigned(GFPQ_FLOAT32),
                    i % 4 < 2 ? 8u : 16u, i % 5 == 0 ? unsigned(GFPQ_MODE_INIT) : unsigned(GFPQ_MODE_AUTO), 2, 3,
                    100 - i, source, together[i].data(), &params[3 * i], nullptr});
    own_jobs.push_back(jobs.back());
    own_jobs.back().destination = alone[i].data();
    own_jobs.back().params = &own_params[3 * i];
  }
  const int status = test_run().library->run_jobs(jobs.data(), jobs_count);
  checks.that(status == GFPQ_SUCCESS, [&] { return "GFPQ_RunJobs on 40 jobs returned " + show_status(status); });
  for (std::size_t i = 0; i < jobs_count; ++i) {
    const int own = test_run().library->run_jobs(&own_jobs[i], 1);
    checks.that(own == GFPQ_SUCCESS && together[i] == alone[i] &&
                    std::memcmp(&params[3 * i], &own_params[3 * i], 3 * sizeof params[0]) == 0,
                [&] { return "job " + std::to_string(i) + " of 40 gives something else than alone"; });
  }
}

/// In APPLY a parameter that was used before may lie in read-only memory.
CONFORMANCE_TEST(Jobs, ReadOnlyParameters, "GFPQ-JOB-15") {
  need_jobs_of_host_memory();
  Checks& checks = requirements["GFPQ-JOB-15"];
  ReadOnlyPage page;
  for_each_element([&](auto element, int bits) {
    using Element = decltype(element);
    const JobPlan plan{GFPQ_FAKE_QUANTIZE, GFPQ_MODE_APPLY_ONLY, 1, 1, 300};
    const auto numbers = numbers_for<Element>(bits, plan, {-77});
    std::vector<Element> results(numbers.size());
    for (const unsigned operation : {GFPQ_FAKE_QUANTIZE, GFPQ_ENCODE}) {
      GFPQ_GROUP_PARAM_ST held{};
      std::memcpy(held.buf, oracle<float>(bits).param(0, -77).buf, GFPQ_PARAM_LEN);
      GFPQ_GROUP_PARAM_ST* const param = page.hold(held);
      const GFPQ_JOB_ST job{operation,
                            ElementFacts<Element>::type,
                            static_cast<unsigned>(bits),
                            GFPQ_MODE_APPLY_ONLY,
                            1,
                            1,
                            numbers.size(),
                            numbers.data(),
                            results.data(),
                            param,
                            nullptr};
      const int status = test_run().library->run_jobs(&job, 1);
      checks.that(status == GFPQ_SUCCESS && !page.is_written(), [&] {
        const char* const wrote = ", APPLY) wrote to a parameter in read-only memory, or returned ";
        return std::string("GFPQ_RunJobs(") + ElementFacts<Element>::name + wrote + show_status(status);
      });
    }
  });
}

} // namespace
} // namespace conformance
