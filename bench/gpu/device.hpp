// Facts about the GPU that a reader of the figures wants to know.
#ifndef GFPQ_BENCH_GPU_DEVICE_HPP
#define GFPQ_BENCH_GPU_DEVICE_HPP

#include <cuda_runtime_api.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace bench {

/// An error of CUDA, in words.
struct CudaError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void require(cudaError_t error, const char* what);

/// Why no GPU can be used; empty where one can.
std::string gpu_problem();

/// The current device.
struct Device {
  std::string name;
  std::string target; ///< `sm_90`
  std::size_t l2_bytes;
  std::size_t memory_bytes;
  nlohmann::ordered_json facts; ///< the context's `gpu`, see gpu/README.md
};

Device this_device();

/// Device memory, gone with the object.
class DeviceMemory {
public:
  explicit DeviceMemory(std::size_t bytes) { require(cudaMalloc(&memory_, bytes), "cudaMalloc"); }
  ~DeviceMemory() { cudaFree(memory_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  template <class T = void>
  T* at(std::size_t offset = 0) const {
    return reinterpret_cast<T*>(static_cast<char*>(memory_) + offset);
  }

private:
  void* memory_ = nullptr;
};

} // namespace bench

#endif
