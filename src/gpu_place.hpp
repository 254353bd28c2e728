// What the GPU library asks of CUDA before it queues work: may it, and is the memory the device's.
#ifndef GFPQ_SRC_GPU_PLACE_HPP
#define GFPQ_SRC_GPU_PLACE_HPP

#include <cuda_runtime_api.h>

namespace gfpq {

/// While it lives, this thread may call what another thread's graph capture would forbid: loading a kernel at its first
/// use, for one. None of it has to do with a captured stream.
class CaptureTolerance {
public:
  CaptureTolerance() : is_set_(cudaThreadExchangeStreamCaptureMode(&mode_) == cudaSuccess) {}
  ~CaptureTolerance() {
    if (is_set_)
      cudaThreadExchangeStreamCaptureMode(&mode_);
  }
  CaptureTolerance(const CaptureTolerance&) = delete;
  CaptureTolerance& operator=(const CaptureTolerance&) = delete;

private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed; // then the caller's
  const bool is_set_;
};

/// Whether memory is the current device's, or managed. \return a status.
[[nodiscard]] int check_device_memory(const void* data);

/// The same, and whether it begins at a multiple of `alignment`: a load elsewhere would end the CUDA context, and with
/// it all that the caller has on the device. \return a status.
[[nodiscard]] int check_place(const void* data, unsigned alignment);

} // namespace gfpq

#endif
