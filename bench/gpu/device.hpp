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

} // namespace bench

#endif
