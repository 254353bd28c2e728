// The kernels of jobs, on an emulated GPU, against the CPU's jobs byte for byte.
#include "emulation.hpp"
// After emulation.hpp, which defines CUDA's words.
#include "gpu_job_plan.hpp"
#include "job_case.hpp"
#include "kernels/cuda/job_deltas.cuh"
#include "kernels/cuda/jobs.cuh"

namespace gfpq {
namespace {

/// Both kernels, as the library queues them, but with few blocks, so that each takes several units.
template <class Operation, unsigned capacity>
void emulate_batch(const cuda::JobBatch<capacity>& batch, bool can_end_at_once) {
  emulate(std::min(batch.units(), 3u), cuda::block_threads, cuda::begin_jobs<Operation, capacity>, batch);
  if constexpr (!Operation::ends_at_once)
    if (!can_end_at_once)
      emulate(std::min(batch.units(), 2u), cuda::block_threads, cuda::end_jobs<Operation, capacity>, batch);
}

template <class Operation>
void emulate_jobs(const std::vector<GFPQ_JOB_ST>& jobs, unsigned element_size) {
  cuda::JobBatch<1> single{};
  cuda::JobBatch<cuda::max_batch_jobs> batch{};
  bool can_end_at_once = true;
  unsigned units = 0;
  for (const GFPQ_JOB_ST& job : jobs) {
    cuda::Job planned = plan_job(job, element_size).value();
    units = planned.end_unit += units;
    batch.jobs[batch.count++] = planned;
    can_end_at_once = can_end_at_once && ends_at_once(job);
  }
  if (jobs.size() > 1)
    return emulate_batch<Operation>(batch, can_end_at_once);
  single.jobs[0] = batch.jobs[0];
  single.count = 1;
  emulate_batch<Operation>(single, can_end_at_once);
}

template <class Element, class Width>
void emulate_kind(const std::vector<GFPQ_JOB_ST>& jobs) {
  switch (jobs.front().operation) {
  case GFPQ_FAKE_QUANTIZE:
    return emulate_jobs<cuda::FakeQuantizeOperation<Element, Width>>(jobs, sizeof(Element));
  case GFPQ_ENCODE:
    return emulate_jobs<cuda::EncodeOperation<Element, Width>>(jobs, sizeof(Element));
  default:
    return emulate_jobs<cuda::DecodeOperation<Element, Width>>(jobs, sizeof(Element));
  }
}

/// Jobs of one kind.
void emulate_jobs(const std::vector<GFPQ_JOB_ST>& jobs) {
  const auto by_width = [&](auto element) {
    using Element = decltype(element);
    jobs.front().bit_width == 8 ? emulate_kind<Element, Width8>(jobs) : emulate_kind<Element, Width16>(jobs);
  };
  switch (jobs.front().type) {
  case GFPQ_FLOAT32:
    return by_width(float());
  case GFPQ_FLOAT64:
    return by_width(double());
  case GFPQ_FLOAT16:
    return by_width(Float16());
  default:
    return by_width(BFloat16());
  }
}

void expect_as_cpu(const std::vector<JobCase>& cases) {
  std::vector<TestJob> wanted, emulated;
  std::vector<GFPQ_JOB_ST> jobs;
  for (const JobCase& facts : cases) {
    wanted.emplace_back(facts);
    emulated.emplace_back(facts);
  }
  for (TestJob& job : emulated)
    jobs.push_back(job.at(job.bytes().data()));
  emulate_jobs(jobs);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    static_cast<void>(wanted[i].run()); // groups may be left out
    wanted[i].expect_same(emulated[i].bytes());
  }
}

/// The messages of groups that the CPU leaves out.
class JobsEmulated : public testing::Test {
protected:
  JobsEmulated() {
    GFPQ_SetMessageSink([](const char*, void*) {}, nullptr);
  }
  ~JobsEmulated() override { GFPQ_SetMessageSink(nullptr, nullptr); }
};

TEST_F(JobsEmulated, EveryOperationTypeAndModeGivesTheCpusBytes) {
  std::vector<JobCase> batch; // to emulate many jobs at once is sooner done
  for (const JobCase& facts : job_cases(47)) {
    const bool is_of_kind = !batch.empty() && batch.front().operation == facts.operation &&
                            batch.front().type == facts.type && batch.front().bits == facts.bits;
    if (!batch.empty() && !is_of_kind) {
      expect_as_cpu(batch);
      batch.clear();
    }
    batch.push_back(facts);
  }
  expect_as_cpu(batch);
}

TEST_F(JobsEmulated, SeveralJobsInABatchGiveTheCpusBytes) {
  std::vector<JobCase> cases;
  for (unsigned i = 0; i < cuda::max_batch_jobs; ++i) {
    JobCase facts;
    facts.mode = i % 4;
    facts.groups = 1 + i % 3;
    facts.inner = 1 + 97 * i;
    facts.in_place = i % 5 == 0;
    facts.held = {-77, -90};
    facts.seed = i;
    cases.push_back(facts);
  }
  expect_as_cpu(cases);
}

TEST_F(JobsEmulated, AUnitAnywhereMayHoldTheLargestNumber) {
  for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE})
    for (const std::size_t holder : {0, 4095, 4096, 12000, 20002}) {
      JobCase facts;
      facts.mode = mode;
      facts.inner = 20003;
      facts.held = {-90};
      facts.asked = {-90};
      TestJob wanted(facts), emulated(facts);
      const float largest = 1e6f;
      for (TestJob* const job : {&wanted, &emulated})
        std::memcpy(job->bytes().data() + job->source_begin() + holder * sizeof largest, &largest, sizeof largest);
      emulate_jobs({emulated.at(emulated.bytes().data())});
      ASSERT_EQ(wanted.run(), GFPQ_SUCCESS);
      wanted.expect_same(emulated.bytes());
    }
}

TEST_F(JobsEmulated, ACodeBeyondTheLargestIsFoundAndItsGroupLeftOut) {
  for (const std::size_t place : {0, 9000, 20000}) {
    JobCase facts;
    facts.operation = GFPQ_DECODE;
    facts.mode = GFPQ_MODE_APPLY_ONLY;
    facts.bits = 16;
    facts.groups = 2;
    facts.inner = 12345;
    facts.held = {-77};
    TestJob wanted(facts), emulated(facts);
    wanted.set_code(place, 1408);
    emulated.set_code(place, 1408);
    for (int call = 0; call < 2; ++call) {
      emulate_jobs({emulated.at(emulated.bytes().data())});
      ASSERT_EQ(wanted.run(), GFPQ_ERR_BAD_FORMAT);
      wanted.expect_same(emulated.bytes());
    }
  }
}

TEST_F(JobsEmulated, AGroupWithADamagedBlockIsLeftOut) {
  for (const unsigned mode : {0u, 1u, 2u, 3u}) {
    JobCase facts;
    facts.mode = mode;
    facts.groups = 3;
    facts.held = {-90};
    TestJob wanted(facts), emulated(facts);
    GFPQ_GROUP_PARAM_ST damaged = wanted.param(1);
    damaged.buf[9] ^= 1;
    wanted.set_param(1, damaged);
    emulated.set_param(1, damaged);
    emulate_jobs({emulated.at(emulated.bytes().data())});
    static_cast<void>(wanted.run());
    EXPECT_EQ(wanted.param(1).status, mode == GFPQ_MODE_INIT ? GFPQ_SUCCESS : GFPQ_ERR_BAD_PARAMETERS);
    wanted.expect_same(emulated.bytes());
  }
}

TEST_F(JobsEmulated, DeltasGoToAVectorAndBack) {
  JobCase facts;
  facts.groups = 600;
  facts.inner = 0;
  facts.held = {-77, GFPQ_NEVER_SET, 511, 600}; // the last is none of 8 bit
  TestJob wanted(facts), emulated(facts);
  cuda::DeltaBatch batch{};
  auto* const params = reinterpret_cast<cuda::GroupParam*>(emulated.at(emulated.bytes().data()).params);
  batch.jobs[batch.count++] = {params, 0, 4, 8, 0};
  batch.jobs[batch.count++] = {params + 4, 4, 596, 8, 0};
  std::vector<int> deltas(600, 12345);
  emulate(2, cuda::block_threads, cuda::get_deltas<>, batch, deltas.data());
  for (std::size_t i = 0; i < deltas.size(); ++i)
    ASSERT_EQ(deltas[i], i % 4 == 3 ? GFPQ_DAMAGED : facts.held[i % 4]) << i;
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    GFPQ_GROUP_PARAM_ST param = wanted.param(i);
    if (i % 4 == 3)
      param.status = GFPQ_ERR_BAD_PARAMETERS;
    wanted.set_param(i, param);
  }
  wanted.expect_same(emulated.bytes());

  for (std::size_t i = 0; i < 600; i += 4)
    deltas[i] = int(i) - 500; // from a number beyond 511 on the other side too
  deltas[0] = -512;
  emulate(6, cuda::block_threads, cuda::set_deltas<>, batch, static_cast<const int*>(deltas.data()));
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    GFPQ_GROUP_PARAM_ST param{};
    if (deltas[i] == GFPQ_NEVER_SET) {
    } else if (deltas[i] < -511 || deltas[i] > 511) {
      param = wanted.param(i);
      param.status = GFPQ_ERR_BAD_PARAMETERS;
    } else {
      const BlockWords words = BlockWords::of(deltas[i]);
      std::memcpy(param.buf, &words, sizeof words);
    }
    wanted.set_param(i, param);
  }
  wanted.expect_same(emulated.bytes());
}

} // namespace
} // namespace gfpq
