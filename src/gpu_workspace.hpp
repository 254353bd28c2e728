// Memory that finding a delta needs: taken once and kept for the calls to come, so that a call allocates nothing.
#ifndef GFPQ_SRC_GPU_WORKSPACE_HPP
#define GFPQ_SRC_GPU_WORKSPACE_HPP

#include <cuda_runtime_api.h>

#include "kernels/cuda/kernels.cuh"

namespace gfpq {

/// As many as there are calls at the same time, for each device.
struct GpuWorkspace {
  int device;
  void* on_device; ///< a cuda::Workspace of either type
  int* delta;      ///< in pinned memory, which the device writes to

  template <class Float>
  cuda::Workspace<Float>* of() const {
    return static_cast<cuda::Workspace<Float>*>(on_device);
  }
};

/// Takes one that nobody uses, or makes one, ready for work on the stream.
cudaError_t take_workspace(int device, cudaStream_t stream, GpuWorkspace& workspace);

/// Gives it back. The device must be done with it.
void give_back_workspace(const GpuWorkspace& workspace);

} // namespace gfpq

#endif
