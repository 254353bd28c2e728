// Calls with jobs for device memory: many at once, from many threads, in graphs; what is left out and what is refused.
#include <memory>
#include <thread>

#include "device_job.hpp"

namespace gfpq {
namespace {

using GpuJobCalls = GpuTest;

GFPQ_GROUP_PARAM_ST damaged(GFPQ_GROUP_PARAM_ST param) {
  param.buf[5] ^= 4;
  return param;
}

TEST_F(GpuJobCalls, AGroupWithADamagedBlockIsLeftOutAndItsStatusSaysSo) {
  Messages messages;
  const Stream stream;
  for (const unsigned mode : all_modes)
    for (const std::size_t inner : {9, 700})
      for (const unsigned operation : {GFPQ_FAKE_QUANTIZE, GFPQ_ENCODE}) {
        JobCase facts;
        facts.operation = operation;
        facts.mode = mode;
        facts.groups = 3;
        facts.outer = 2;
        facts.inner = inner;
        facts.held = {-90};
        facts.has_mask = true;
        TestJob job(facts);
        job.set_param(1, damaged(job.param(1)));
        GFPQ_GROUP_PARAM_ST wide = job.param(2);
        const BlockWords words = BlockWords::of(600); // beyond 8 bit
        std::memcpy(wide.buf, &words, sizeof words);
        job.set_param(2, wide);
        const DeviceJob device(job);
        for (int call = 0; call < 2; ++call) {
          const GFPQ_JOB_ST on_device = device.at();
          ASSERT_EQ(GFPQ_RunJobs_GPU(&on_device, 1, stream), GFPQ_SUCCESS);
          static_cast<void>(job.run());
          EXPECT_EQ(job.param(1).status, mode == GFPQ_MODE_INIT ? GFPQ_SUCCESS : GFPQ_ERR_BAD_PARAMETERS);
          device.expect_same();
        }
      }
}

/// And is done once the code is a right one: the status too.
TEST_F(GpuJobCalls, AGroupWithACodeBeyondTheLargestIsLeftOutAndItsStatusSaysSo) {
  Messages messages;
  const Stream stream;
  for (const std::size_t inner : {1, 9, 700, 20000}) {
    JobCase facts;
    facts.operation = GFPQ_DECODE;
    facts.mode = GFPQ_MODE_APPLY_ONLY;
    facts.bits = 16;
    facts.groups = 3;
    facts.outer = 2;
    facts.inner = inner;
    facts.held = {-90};
    TestJob job(facts);
    job.set_code(inner * 4 + inner / 2, 1408);
    const DeviceJob device(job);
    const GFPQ_JOB_ST on_device = device.at();
    ASSERT_EQ(GFPQ_RunJobs_GPU(&on_device, 1, stream), GFPQ_SUCCESS);
    static_cast<void>(job.run());
    EXPECT_EQ(job.param(1).status, GFPQ_ERR_BAD_FORMAT);
    device.expect_same();

    job.set_code(inner * 4 + inner / 2, 1407);
    device.upload_source();
    ASSERT_EQ(GFPQ_RunJobs_GPU(&on_device, 1, stream), GFPQ_SUCCESS);
    static_cast<void>(job.run());
    EXPECT_EQ(job.param(1).status, GFPQ_SUCCESS);
    device.expect_same();
  }
}

/// All kinds in one call, and more of each than a batch holds.
TEST_F(GpuJobCalls, ManyJobsInACallGiveTheCpusBytes) {
  Messages messages;
  const Stream stream;
  std::vector<TestJob> jobs;
  for (const JobCase& facts : job_cases(5))
    jobs.emplace_back(facts);
  for (unsigned i = 0; i < 130; ++i) {
    JobCase facts;
    facts.inner = 1 + 37 * i;
    facts.seed = i;
    facts.held = {i % 3 == 0 ? GFPQ_NEVER_SET : -90 + int(i % 20)};
    jobs.emplace_back(facts);
  }
  std::vector<std::unique_ptr<DeviceJob>> devices;
  std::vector<GFPQ_JOB_ST> on_device;
  for (TestJob& job : jobs) {
    devices.push_back(std::make_unique<DeviceJob>(job));
    on_device.push_back(devices.back()->at());
  }
  ASSERT_EQ(GFPQ_RunJobs_GPU(on_device.data(), unsigned(on_device.size()), stream), GFPQ_SUCCESS);
  std::fill(on_device.begin(), on_device.end(), GFPQ_JOB_ST{}); // of no use to the library any more
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    static_cast<void>(jobs[i].run());
    devices[i]->expect_same();
  }
}

TEST_F(GpuJobCalls, ThreadsOnTheirOwnStreamsGiveTheCpusBytes) {
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 6; ++thread)
    threads.emplace_back([thread] {
      const Stream stream;
      for (unsigned round = 0; round < 20; ++round) {
        JobCase facts;
        facts.type = (thread + round) % 4;
        facts.bits = round % 2 == 0 ? 8 : 16;
        facts.mode = round % 4;
        facts.inner = 1 + 1900 * thread * round;
        facts.held = {-85};
        facts.seed = thread + 100 * round;
        expect_as_cpu(facts, thread == 0 ? nullptr : static_cast<cudaStream_t>(stream));
      }
    });
  for (std::thread& thread : threads)
    thread.join();
}

/// Each replay takes the parameter as the one before left it: the range grows, stays, and grows.
TEST_F(GpuJobCalls, AGraphOfAnyModeIsReplayedWithOtherNumbers) {
  for (const unsigned mode : all_modes)
    for (const bool in_place : {false, true}) {
      const Stream stream;
      JobCase facts;
      facts.mode = mode;
      facts.type = in_place ? GFPQ_BFLOAT16 : GFPQ_FLOAT32;
      facts.groups = 2;
      facts.inner = 10001;
      facts.in_place = in_place;
      facts.held = {mode == GFPQ_MODE_AUTO ? GFPQ_NEVER_SET : -100};
      TestJob job(facts);
      const DeviceJob device(job);
      cudaGraph_t graph;
      cudaGraphExec_t executable;
      require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
      {
        const GFPQ_JOB_ST on_device = device.at();
        ASSERT_EQ(GFPQ_RunJobs_GPU(&on_device, 1, stream), GFPQ_SUCCESS);
      }
      require(cudaStreamEndCapture(stream, &graph));
      std::size_t nodes = 0;
      require(cudaGraphGetNodes(graph, nullptr, &nodes));
      EXPECT_EQ(nodes, mode == GFPQ_MODE_APPLY_ONLY ? 1u : 2u);
      require(cudaGraphInstantiateWithFlags(&executable, graph, 0));
      const std::vector<std::vector<int>> asked = {{-77, -80}, {-77, -90}, {-60, -80}, {-120, -130}, {-70, -50}};
      for (unsigned replay = 0; replay < asked.size(); ++replay) {
        job.renumber(asked[replay], replay);
        device.upload_source();
        require(cudaGraphLaunch(executable, stream));
        require(cudaStreamSynchronize(stream));
        ASSERT_EQ(job.run(), GFPQ_SUCCESS);
        device.expect_same();
      }
      require(cudaGraphExecDestroy(executable));
      require(cudaGraphDestroy(graph));
    }
}

/// The bytes of a job that two calls do, one by one, on memory whose parameter goes back and forth.
TEST_F(GpuJobCalls, AParameterIsUsedByTheCpuAndTheGpuInTurn) {
  const Stream stream;
  JobCase facts;
  facts.groups = 3;
  facts.inner = 777;
  TestJob job(facts);
  for (unsigned round = 0; round < 6; ++round) {
    job.renumber({-100 + 9 * int(round), -70, -90 + 4 * int(round)}, round);
    const DeviceJob device(job); // with the parameters as they are now
    const GFPQ_JOB_ST on_device = device.at();
    ASSERT_EQ(GFPQ_RunJobs_GPU(&on_device, 1, stream), GFPQ_SUCCESS);
    ASSERT_EQ(job.run(), GFPQ_SUCCESS);
    device.expect_same();
  }
}

TEST_F(GpuJobCalls, DeltasGoToAVectorAndBack) {
  const Stream stream;
  JobCase facts;
  facts.groups = 300;
  facts.inner = 1;
  facts.held = {-77, GFPQ_NEVER_SET, 511, -511};
  TestJob job(facts);
  facts.bits = 16;
  facts.groups = 2;
  facts.held = {-4095, 4095};
  TestJob wide(facts);
  job.set_param(4, damaged(job.param(4)));
  const DeviceJob first(job), second(wide);
  std::vector<GFPQ_JOB_ST> jobs;
  for (int i = 0; i < 70; ++i) { // more than a batch
    jobs.push_back(first.at());
    jobs.push_back(second.at());
  }
  const std::vector<int> nothing(70 * 302, 12345);
  const DeviceVector<int> deltas(nothing);
  require(cudaDeviceSynchronize());
  ASSERT_EQ(GFPQ_GetDeltas_GPU(jobs.data(), 140, deltas.data(), nothing.size(), stream), GFPQ_SUCCESS);
  std::vector<int> got = deltas.download();
  for (std::size_t i = 0; i < got.size(); ++i) {
    const std::size_t at = i % 302;
    const int wanted = at == 4 ? GFPQ_DAMAGED : at < 300 ? job.facts().held[at % 4] : wide.facts().held[at - 300];
    ASSERT_EQ(got[i], wanted) << i;
  }

  // As another rank might have them: wider, never set, and damaged.
  got.assign(got.begin(), got.begin() + 302);
  got[0] = 5, got[1] = -3, got[2] = GFPQ_NEVER_SET, got[3] = GFPQ_DAMAGED, got[4] = 512, got[301] = 12;
  const DeviceVector<int> others(got);
  require(cudaDeviceSynchronize());
  ASSERT_EQ(GFPQ_SetDeltas_GPU(jobs.data(), 2, others.data(), got.size(), stream), GFPQ_SUCCESS);
  for (std::size_t i = 0; i < 302; ++i) {
    TestJob& of = i < 300 ? job : wide;
    const std::size_t group = i < 300 ? i : i - 300;
    GFPQ_GROUP_PARAM_ST param{};
    if (i == 3 || i == 4) {
      param = of.param(group);
      param.status = GFPQ_ERR_BAD_PARAMETERS;
    } else if (got[i] != GFPQ_NEVER_SET) {
      const BlockWords words = BlockWords::of(got[i]);
      std::memcpy(param.buf, &words, sizeof words);
    }
    of.set_param(group, param);
  }
  first.expect_same();
  second.expect_same();
}

TEST_F(GpuJobCalls, HostMemoryIsRefusedAndNothingIsWritten) {
  JobCase facts;
  facts.has_mask = true;
  TestJob job(facts), other(facts);
  const DeviceJob device(job), right(other);
  for (int piece = 0; piece < 4; ++piece) {
    GFPQ_JOB_ST jobs[] = {right.at(), device.at()};
    const GFPQ_JOB_ST on_host = job.at(job.bytes().data());
    if (piece == 0)
      jobs[1].source = on_host.source;
    else if (piece == 1)
      jobs[1].destination = on_host.destination;
    else if (piece == 2)
      jobs[1].params = on_host.params;
    else
      jobs[1].mask = on_host.mask;
    Messages messages;
    EXPECT_EQ(GFPQ_RunJobs_GPU(jobs, 2, nullptr), GFPQ_ERR_BAD_PARAMETERS);
    EXPECT_NE(messages.text.find("host memory"), std::string::npos) << messages.text;
    device.expect_same();
    right.expect_same();
  }
}

TEST_F(GpuJobCalls, ManagedMemoryIsAccepted) {
  JobCase facts;
  facts.held = {-80};
  TestJob job(facts);
  unsigned char* memory = nullptr;
  require(cudaMallocManaged(reinterpret_cast<void**>(&memory), job.bytes().size()));
  std::copy_n(job.bytes().data(), job.bytes().size(), memory);
  const GFPQ_JOB_ST managed = job.at(memory);
  EXPECT_EQ(GFPQ_RunJobs_GPU(&managed, 1, nullptr), GFPQ_SUCCESS);
  require(cudaDeviceSynchronize());
  ASSERT_EQ(job.run(), GFPQ_SUCCESS);
  Bytes result(job.bytes().size());
  std::copy_n(memory, result.size(), result.data());
  job.expect_same(result);
  require(cudaFree(memory));
}

/// Most of what is refused needs no GPU.
TEST(GpuJobErrors, ArgumentsAreCheckedBeforeTheGpu) {
  Messages messages;
  TestJob job(JobCase{});
  const GFPQ_JOB_ST right = job.at(job.bytes().data());
  const auto status_of = [&](const auto& change) {
    GFPQ_JOB_ST changed = right;
    change(changed);
    messages.text.clear();
    return GFPQ_RunJobs_GPU(&changed, 1, nullptr);
  };
  EXPECT_EQ(GFPQ_RunJobs_GPU(nullptr, 0, nullptr), GFPQ_SUCCESS);
  EXPECT_EQ(GFPQ_RunJobs_GPU(nullptr, 1, nullptr), GFPQ_ERR_BAD_PARAMETERS);
  EXPECT_EQ(status_of([](GFPQ_JOB_ST& j) { j.operation = 3; }), GFPQ_ERR_BAD_PARAMETERS);
  EXPECT_EQ(status_of([](GFPQ_JOB_ST& j) { j.type = 4; }), GFPQ_ERR_BAD_FORMAT);
  EXPECT_EQ(status_of([](GFPQ_JOB_ST& j) { j.bit_width = 9; }), GFPQ_ERR_BAD_FORMAT);
  EXPECT_EQ(status_of([](GFPQ_JOB_ST& j) { j.mode = 4; }), GFPQ_ERR_BAD_PARAMETERS);
  EXPECT_EQ(status_of([](GFPQ_JOB_ST& j) { j.source = nullptr; }), GFPQ_ERR_BAD_PARAMETERS);
  const auto misalign = [](GFPQ_JOB_ST& j) {
    j = GFPQ_JOB_ST{j.operation, j.type, j.bit_width, j.mode, 0, 1, 0, nullptr, nullptr, j.params, nullptr};
    j.params = reinterpret_cast<GFPQ_GROUP_PARAM_ST*>(reinterpret_cast<unsigned char*>(j.params) + 4);
  };
  EXPECT_EQ(status_of(misalign), GFPQ_ERR_BAD_PARAMETERS);
  EXPECT_NE(messages.text.find("not a multiple of 8"), std::string::npos) << messages.text;
  EXPECT_EQ(status_of([](GFPQ_JOB_ST& j) { j.groups = 0; }), GFPQ_SUCCESS) << "there is nothing to do";
}

TEST(GpuJobErrors, DeltasAreCheckedBeforeTheGpu) {
  Messages messages;
  TestJob job(JobCase{});
  GFPQ_JOB_ST right = job.at(job.bytes().data());
  int delta = 0;
  EXPECT_EQ(GFPQ_GetDeltas_GPU(nullptr, 0, nullptr, 0, nullptr), GFPQ_SUCCESS);
  EXPECT_EQ(GFPQ_GetDeltas_GPU(&right, 1, nullptr, 1, nullptr), GFPQ_ERR_BAD_PARAMETERS);
  EXPECT_EQ(GFPQ_GetDeltas_GPU(&right, 1, &delta, 0, nullptr), GFPQ_ERR_SHORT_BUFFER);
  EXPECT_EQ(GFPQ_SetDeltas_GPU(&right, 1, &delta, 0, nullptr), GFPQ_ERR_SHORT_BUFFER);
  right.bit_width = 7;
  EXPECT_EQ(GFPQ_SetDeltas_GPU(&right, 1, &delta, 1, nullptr), GFPQ_ERR_BAD_FORMAT);
}

TEST(GpuJobErrors, WithoutAGpuEveryCallReturnsAnError) {
  if (gpu_problem().empty())
    GTEST_SKIP() << "this machine has a GPU";
  Messages messages;
  TestJob job(JobCase{});
  const Bytes before = job.bytes();
  const GFPQ_JOB_ST right = job.at(job.bytes().data());
  int delta = 7;
  EXPECT_EQ(GFPQ_RunJobs_GPU(&right, 1, nullptr), GFPQ_ERR_GENERIC);
  EXPECT_EQ(GFPQ_GetDeltas_GPU(&right, 1, &delta, 1, nullptr), GFPQ_ERR_GENERIC);
  EXPECT_EQ(GFPQ_SetDeltas_GPU(&right, 1, &delta, 1, nullptr), GFPQ_ERR_GENERIC);
  EXPECT_NE(messages.text.find("this machine has no NVIDIA GPU"), std::string::npos) << messages.text;
  EXPECT_EQ(delta, 7);
  job.expect_same(before);
}

} // namespace
} // namespace gfpq
