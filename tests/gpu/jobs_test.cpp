// Jobs for device memory against those of the CPU, byte for byte.
#include "device_job.hpp"

namespace gfpq {
namespace {

using GpuJobs = GpuTest;

TEST_F(GpuJobs, EveryOperationTypeModeAndShapeGivesTheCpusBytes) {
  Messages messages; // of the groups that the CPU leaves out
  const Stream stream;
  for (const JobCase& facts : job_cases(1)) {
    expect_as_cpu(facts, stream);
    if (testing::Test::HasFailure())
      return;
  }
}

TEST_F(GpuJobs, EveryLengthAndAlignmentGivesTheCpusBytes) {
  const Stream stream;
  for (const unsigned type : {GFPQ_FLOAT32, GFPQ_FLOAT64, GFPQ_FLOAT16, GFPQ_BFLOAT16})
    for (std::size_t length = 0; length < 70; ++length)
      for (const unsigned operation : {GFPQ_FAKE_QUANTIZE, GFPQ_ENCODE, GFPQ_DECODE}) {
        JobCase facts;
        facts.operation = operation;
        facts.type = type;
        facts.bits = length % 3 == 0 ? 16 : 8;
        facts.mode = operation == GFPQ_DECODE || length % 2 == 0 ? GFPQ_MODE_APPLY_ONLY : GFPQ_MODE_UPDATE;
        facts.inner = length;
        facts.source_offset = unsigned(length % 19);
        facts.destination_offset = unsigned(length % 5 == 0 ? length % 16 : length % 19);
        facts.mask_offset = facts.source_offset;
        facts.has_mask = operation != GFPQ_DECODE;
        facts.held = {-80};
        facts.seed = unsigned(length);
        expect_as_cpu(facts, stream);
      }
}

TEST_F(GpuJobs, EveryHalfNumberGivesTheCpusBytes) {
  const Stream stream;
  for (const unsigned type : {GFPQ_FLOAT16, GFPQ_BFLOAT16})
    for (const unsigned operation : {GFPQ_FAKE_QUANTIZE, GFPQ_ENCODE})
      for (const unsigned bits : {8u, 16u})
        for (const int delta : bits == 8 ? spread_of_deltas<Width8>() : spread_of_deltas<Width16>()) {
          JobCase facts;
          facts.operation = operation;
          facts.type = type;
          facts.bits = bits;
          facts.mode = GFPQ_MODE_APPLY_ONLY;
          facts.inner = 0x10000;
          facts.has_mask = true;
          facts.held = {delta};
          TestJob job(facts);
          job.set_all_halves();
          const DeviceJob device(job);
          const GFPQ_JOB_ST on_device = device.at();
          ASSERT_EQ(GFPQ_RunJobs_GPU(&on_device, 1, stream), GFPQ_SUCCESS);
          ASSERT_EQ(job.run(), GFPQ_SUCCESS);
          device.expect_same();
        }
}

/// And every code that there is gives what the CPU decodes.
TEST_F(GpuJobs, EveryCodeGivesTheCpusBytes) {
  const Stream stream;
  for (const unsigned type : {GFPQ_FLOAT32, GFPQ_FLOAT64, GFPQ_FLOAT16, GFPQ_BFLOAT16})
    for (const unsigned bits : {8u, 16u})
      for (const int delta : bits == 8 ? spread_of_deltas<Width8>() : spread_of_deltas<Width16>()) {
        const unsigned sign = bits == 8 ? 0x80 : 0x8000, codes = bits == 8 ? 128 : 1408;
        JobCase facts;
        facts.operation = GFPQ_DECODE;
        facts.type = type;
        facts.bits = bits;
        facts.mode = GFPQ_MODE_APPLY_ONLY;
        facts.inner = 2 * codes;
        facts.held = {delta};
        TestJob job(facts);
        for (unsigned code = 0; code < codes; ++code) {
          job.set_code(2 * code, code);
          job.set_code(2 * code + 1, code | sign);
        }
        const DeviceJob device(job);
        const GFPQ_JOB_ST on_device = device.at();
        ASSERT_EQ(GFPQ_RunJobs_GPU(&on_device, 1, stream), GFPQ_SUCCESS);
        ASSERT_EQ(job.run(), GFPQ_SUCCESS);
        device.expect_same();
      }
}

/// Units in the middle of a tensor, and the last, decide on delta.
TEST_F(GpuJobs, LongTensorsGiveTheCpusBytes) {
  const Stream stream;
  for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY})
    for (const unsigned type : {GFPQ_FLOAT32, GFPQ_FLOAT64, GFPQ_FLOAT16, GFPQ_BFLOAT16})
      for (const unsigned operation : {GFPQ_FAKE_QUANTIZE, GFPQ_ENCODE}) {
        JobCase facts;
        facts.operation = operation;
        facts.type = type;
        facts.bits = mode == GFPQ_MODE_INIT ? 16 : 8;
        facts.mode = mode;
        facts.inner = 200001;
        facts.has_mask = mode == GFPQ_MODE_UPDATE;
        facts.held = {-90};
        expect_as_cpu(facts, stream);
        facts.held = {-20};
        facts.outer = 2;
        facts.groups = 3;
        facts.inner = 30001;
        expect_as_cpu(facts, stream);
      }
}

/// More units than the second kernel has blocks, in which one group's work goes on where another's ends.
TEST_F(GpuJobs, ManyGroupsGiveTheCpusBytes) {
  const Stream stream;
  JobCase facts;
  facts.groups = 5000;
  facts.inner = 40;
  facts.held = {-77, -90, GFPQ_NEVER_SET, -60};
  facts.asked = {-77, -70, -60};
  expect_as_cpu(facts, stream);
  facts.outer = 3;
  facts.inner = 600;
  expect_as_cpu(facts, stream);
  facts.in_place = true;
  facts.mode = GFPQ_MODE_INIT;
  expect_as_cpu(facts, stream);
}

} // namespace
} // namespace gfpq
