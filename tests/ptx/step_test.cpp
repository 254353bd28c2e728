// What one training step of a ResNet-50 has the GPU do, counted: by the vendor's interface, a tensor a call and the
// parameter on the host, and by jobs, each as gfpq.torch calls it.
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <vector>

#include "gfpq_jobs.hpp"
#include "ptx_device.hpp"
#include "tests/gpu/device_job.hpp"

namespace gfpq {
namespace {

constexpr std::size_t data_tensors = 56, weights = 54; // of a ResNet-50 with all its layers quantized
constexpr std::size_t tensors = data_tensors + weights;
constexpr std::size_t numbers = 5003; // of each tensor: they begin at any place within 16 bytes

std::vector<float> all_numbers() {
  std::vector<float> all;
  for (std::size_t tensor = 0; tensor < tensors; ++tensor)
    for (std::size_t i = 0; i < numbers; ++i)
      all.push_back(std::ldexp(float(int((i * 37 + tensor * 11) % 997) - 498), int(tensor % 9) - 4));
  return all;
}

struct Counts {
  std::uint64_t launches, waits, copies, allocations;
  double reads, writes; // of each number, by kernels

  bool operator==(const Counts& other) const {
    return launches == other.launches && waits == other.waits && copies == other.copies &&
           allocations == other.allocations && reads == other.reads && writes == other.writes;
  }
};

std::ostream& operator<<(std::ostream& stream, const Counts& counts) {
  return stream << counts.launches << " launches, " << counts.waits << " waits, " << counts.copies << " copies, "
                << counts.allocations << " allocations, " << counts.reads << " reads and " << counts.writes
                << " writes";
}

/// The tensors, those of data first, and their parameters for either interface.
class Step {
public:
  void data_by_tensors() {
    for (std::size_t i = 0; i < data_tensors; ++i)
      run_by_tensor(i, is_first_ ? GFPQ_MODE_INIT : GFPQ_MODE_UPDATE);
    is_first_ = false;
  }
  void weights_by_tensors() {
    for (std::size_t i = data_tensors; i < tensors; ++i)
      run_by_tensor(i, GFPQ_MODE_INIT);
  }

  void data_by_jobs() {
    for (std::size_t i = 0; i < data_tensors; ++i)
      run_jobs({job(i, GFPQ_MODE_AUTO)});
  }
  void weights_by_jobs() {
    std::vector<GFPQ_JOB_ST> jobs;
    for (std::size_t i = data_tensors; i < tensors; ++i)
      jobs.push_back(job(i, GFPQ_MODE_INIT));
    run_jobs(jobs);
  }

  /// Counts what a part of the second step does: in the first one the ranges are new.
  Counts count(void (Step::*part)(), std::size_t tensors_in_part) {
    (this->*part)();
    require(cudaDeviceSynchronize());
    ptx::Counters& now = ptx::counters;
    now.watched_begin = reinterpret_cast<std::uint64_t>(source_.data());
    now.watched_end = reinterpret_cast<std::uint64_t>(result_.data() + tensors * numbers);
    const ptx::Counters before = now;
    (this->*part)();
    const std::uint64_t waits = now.waits - before.waits;
    require(cudaDeviceSynchronize()); // kernels run when something waits for them
    const double bytes = double(tensors_in_part * numbers * sizeof(float));
    return {now.launches - before.launches,
            waits,
            now.copies - before.copies,
            now.allocations - before.allocations,
            double(now.watched_loads - before.watched_loads) / bytes,
            double(now.watched_stores - before.watched_stores) / bytes};
  }

  std::vector<float> result() const { return result_.download(); }

private:
  /// Of a copy, which it quantizes in place: the network goes on with the numbers themselves.
  void run_by_tensor(std::size_t i, unsigned mode) {
    float* const copy = result_.data() + i * numbers;
    require(cudaMemcpyAsync(copy, source_.data() + i * numbers, numbers * sizeof(float), cudaMemcpyDeviceToDevice,
                            stream_));
    blocks_[i].mode = mode;
    ASSERT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(copy, numbers, GFPQ_BIT_WIDTH_8BIT, &blocks_[i], stream_), GFPQ_SUCCESS);
  }

  GFPQ_JOB_ST job(std::size_t i, unsigned mode) const {
    return {GFPQ_FAKE_QUANTIZE,
            GFPQ_FLOAT32,
            GFPQ_BIT_WIDTH_8BIT,
            mode,
            1,
            1,
            numbers,
            source_.data() + i * numbers,
            result_.data() + i * numbers,
            params_.data() + i,
            nullptr};
  }

  void run_jobs(const std::vector<GFPQ_JOB_ST>& jobs) {
    ASSERT_EQ(GFPQ_RunJobs_GPU(jobs.data(), unsigned(jobs.size()), stream_), GFPQ_SUCCESS);
  }

  const DeviceVector<float> source_{all_numbers()}, result_{std::vector<float>(tensors * numbers)};
  std::vector<GFPQ_PARAM_ST> blocks_ = std::vector<GFPQ_PARAM_ST>(tensors);
  const DeviceVector<GFPQ_GROUP_PARAM_ST> params_{std::vector<GFPQ_GROUP_PARAM_ST>(tensors)};
  const Stream stream_;
  bool is_first_ = true;
};

TEST(PtxStep, ByTensorsEachWaitsAndIsCopied) {
  Step step;
  EXPECT_EQ(step.count(&Step::data_by_tensors, data_tensors),
            (Counts{2 * data_tensors, data_tensors, data_tensors, 0, 2, 1}));
  EXPECT_EQ(step.count(&Step::weights_by_tensors, weights), (Counts{2 * weights, weights, weights, 0, 2, 1}));
}

TEST(PtxStep, ByJobsNothingWaitsOrIsCopiedAndDataAreReadOnce) {
  Step step;
  EXPECT_EQ(step.count(&Step::data_by_jobs, data_tensors), (Counts{2 * data_tensors, 0, 0, 0, 1, 1}));
  EXPECT_EQ(step.count(&Step::weights_by_jobs, weights), (Counts{2, 0, 0, 0, 2, 1}));
}

TEST(PtxStep, BothGiveTheSameNumbers) {
  Step by_tensors, by_jobs;
  by_tensors.data_by_tensors();
  by_tensors.weights_by_tensors();
  by_jobs.data_by_jobs();
  by_jobs.weights_by_jobs();
  const std::vector<float> result = by_jobs.result();
  EXPECT_EQ(result, by_tensors.result());
  EXPECT_NE(result, all_numbers());
}

} // namespace
} // namespace gfpq
