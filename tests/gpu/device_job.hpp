// A job in device memory, beside the same on the CPU.
#ifndef GFPQ_TESTS_GPU_DEVICE_JOB_HPP
#define GFPQ_TESTS_GPU_DEVICE_JOB_HPP

#include "gpu_fixture.hpp"
#include "job_case.hpp"

namespace gfpq {

inline constexpr unsigned all_modes[] = {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY, GFPQ_MODE_AUTO};

class Stream {
public:
  Stream() { require(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

private:
  cudaStream_t stream_ = nullptr;
};

/// A job's bytes in device memory. What it copies is done when it returns: a non-blocking stream would not wait.
class DeviceJob {
public:
  explicit DeviceJob(TestJob& job) : job_(job), device_(bytes_of(job.bytes())) { require(cudaDeviceSynchronize()); }

  GFPQ_JOB_ST at() const { return job_.at(device_.data()); }

  void upload_source() const {
    const std::size_t begin = job_.source_begin();
    require(cudaMemcpy(device_.data() + begin, job_.bytes().data() + begin, job_.source_end() - begin,
                       cudaMemcpyHostToDevice));
    require(cudaDeviceSynchronize());
  }

  /// Compares with what the CPU has made of the same.
  void expect_same() const {
    const std::vector<unsigned char> downloaded = device_.download();
    Bytes result(downloaded.size());
    std::copy(downloaded.begin(), downloaded.end(), result.data());
    job_.expect_same(result);
  }

private:
  static std::vector<unsigned char> bytes_of(const Bytes& bytes) { return {bytes.data(), bytes.data() + bytes.size()}; }

  TestJob& job_;
  DeviceVector<unsigned char> device_;
};

inline void expect_as_cpu(const JobCase& facts, cudaStream_t stream) {
  TestJob job(facts);
  const DeviceJob device(job);
  const GFPQ_JOB_ST on_device = device.at();
  ASSERT_EQ(GFPQ_RunJobs_GPU(&on_device, 1, stream), GFPQ_SUCCESS) << facts;
  static_cast<void>(job.run()); // groups may be left out
  device.expect_same();
}

} // namespace gfpq

#endif
