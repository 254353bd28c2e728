// Starts the kernels. For the host's compiler; nvcc compiles what is behind it.
#ifndef GFPQ_KERNELS_CUDA_LAUNCH_HPP
#define GFPQ_KERNELS_CUDA_LAUNCH_HPP

#include <cuda_runtime_api.h>

#include "kernels.cuh"

namespace gfpq {
namespace cuda {

/// Queues the fake quantization of `count` numbers, one or more, in device memory: one kernel.
template <class Float, class Width>
[[nodiscard]] cudaError_t launch_fake_quantize(Float* data, Size count, const Range<Float>& range, cudaStream_t stream);

/// Queues the search for a tensor's delta, no less than `lowest_delta`, and the fake quantization with it. \param
/// workspace below `workspaces`; no two calls under way may have the same. The delta stays there.
template <class Float, class Width>
[[nodiscard]] cudaError_t launch_fit_and_fake_quantize(Float* data, Size count, int lowest_delta, unsigned workspace,
                                                       cudaStream_t stream);

/// Copies the delta that was found with a workspace to the host, and tells the workspace where on the host, by its
/// address on the device, to leave the next ones; null: nowhere. Waits for the stream.
template <class Float>
[[nodiscard]] cudaError_t copy_delta(unsigned workspace, int* on_device, int& delta, cudaStream_t stream);

} // namespace cuda
} // namespace gfpq

#endif
