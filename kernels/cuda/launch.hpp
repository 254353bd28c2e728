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

/// Queues the search for a tensor's delta, no less than `lowest_delta`, the fake quantization with it, and its way back
/// to the host: `delta` is written when the stream is done. \param workspace below `workspaces`; no two calls under way
/// may have the same.
template <class Float, class Width>
[[nodiscard]] cudaError_t launch_fit_and_fake_quantize(Float* data, Size count, int lowest_delta, unsigned workspace,
                                                       int* delta, cudaStream_t stream);

} // namespace cuda
} // namespace gfpq

#endif
