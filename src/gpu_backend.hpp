// Runs the two passes on the GPU, on device memory, as work on the caller's stream.
#ifndef GFPQ_SRC_GPU_BACKEND_HPP
#define GFPQ_SRC_GPU_BACKEND_HPP

#include <cuda_runtime_api.h>

#include <cstddef>

namespace gfpq {

class GpuBackend {
public:
  explicit GpuBackend(void* stream) : stream_(static_cast<cudaStream_t>(stream)) {}

  /// Queues one kernel and nothing else, so that a CUDA graph can capture it.
  template <class Width, class Float>
  [[nodiscard]] int fake_quantize(Float* data, std::size_t count, int delta);

  /// Queues both passes and waits until they are done.
  template <class Width, class Float>
  [[nodiscard]] int fit_and_fake_quantize(Float* data, std::size_t count, int lowest_delta, int& delta);

private:
  cudaStream_t stream_;
};

} // namespace gfpq

#endif
