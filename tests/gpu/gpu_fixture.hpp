// Device memory for the tests of the GPU library, by CUDA's runtime.
#ifndef GFPQ_TESTS_GPU_GPU_FIXTURE_HPP
#define GFPQ_TESTS_GPU_GPU_FIXTURE_HPP

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "gfpq.hpp"

namespace gfpq {

inline void require(cudaError_t error) {
  if (error != cudaSuccess)
    throw std::runtime_error(std::string("CUDA: ") + cudaGetErrorString(error));
}

/// Why no GPU can be used; empty where one can.
inline std::string gpu_problem() {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  cudaGetLastError();
  if (error != cudaSuccess)
    return std::string("no GPU: ") + cudaGetErrorString(error);
  return devices == 0 ? "no GPU" : "";
}

template <class T>
class DeviceVector {
public:
  explicit DeviceVector(const std::vector<T>& from) : size_(from.size()) {
    require(cudaMalloc(reinterpret_cast<void**>(&data_), size_ * sizeof(T)));
    upload(from);
  }
  ~DeviceVector() { cudaFree(data_); }
  DeviceVector(const DeviceVector&) = delete;
  DeviceVector& operator=(const DeviceVector&) = delete;

  T* data() const { return data_; }

  /// Done when it returns, for every stream. After cudaMemcpy from pageable memory the device's copy may still be on
  /// its way, and a non-blocking stream does not wait for it.
  void upload(const std::vector<T>& from) {
    require(cudaMemcpy(data_, from.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
    require(cudaDeviceSynchronize());
  }
  /// Waits for all streams.
  std::vector<T> download() const {
    std::vector<T> to(size_);
    require(cudaDeviceSynchronize());
    require(cudaMemcpy(to.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return to;
  }

private:
  T* data_ = nullptr;
  std::size_t size_;
};

/// Collects the library's messages while it lives.
class Messages {
public:
  Messages() {
    GFPQ_SetMessageSink(
        [](const char* message, void* self) { static_cast<Messages*>(self)->text += message + std::string("\n"); },
        this);
  }
  ~Messages() { GFPQ_SetMessageSink(nullptr, nullptr); }

  std::string text;
};

class GpuTest : public testing::Test {
protected:
  void SetUp() override {
    if (const std::string problem = gpu_problem(); !problem.empty())
      GTEST_SKIP() << problem;
  }
};

} // namespace gfpq

#endif
