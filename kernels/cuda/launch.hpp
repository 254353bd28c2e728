// Starts the kernels. For the host's compiler; nvcc compiles what is behind it.
#ifndef GFPQ_KERNELS_CUDA_LAUNCH_HPP
#define GFPQ_KERNELS_CUDA_LAUNCH_HPP

#include <cuda_runtime_api.h>

#include "kernels.cuh"

namespace gfpq {
namespace cuda {

/// Queues the quantization of `count` numbers, one or more, in device memory. The range is the one given, or, where
/// `fitted` is not null, the one that lies there in device memory when the work runs.
template <class Float, class W>
cudaError_t launch_quantize(Float* data, Size count, const Range<typename Format<Float>::Bits>& range,
                            const Range<typename Format<Float>::Bits>* fitted, cudaStream_t stream);

/// Queues the search for a tensor's delta, for a width of `bits`. It is written to `delta`, which the device must be
/// able to reach, and its range to the workspace.
template <class Float>
cudaError_t launch_fit(Float* data, Size count, int bits, int lowest_delta, Workspace<Float>* workspace, int* delta,
                       cudaStream_t stream);

} // namespace cuda
} // namespace gfpq

#endif
