// Starts the kernels of jobs. For the host's compiler; nvcc compiles what is behind it.
#ifndef GFPQ_KERNELS_CUDA_JOB_LAUNCH_HPP
#define GFPQ_KERNELS_CUDA_JOB_LAUNCH_HPP

#include <cuda_runtime_api.h>

#include "job_deltas.cuh"
#include "jobs.cuh"

namespace gfpq {
namespace cuda {

enum class JobOperation : unsigned { fake_quantize, encode, decode };

/// Queues jobs of one kind: one kernel, or two where not all `can_end_at_once`, which is APPLY_ONLY of anything but
/// 16-bit codes.
template <class Element, class Width>
[[nodiscard]] cudaError_t launch_jobs(JobOperation operation, JobBatch<max_batch_jobs>& batch, bool can_end_at_once,
                                      cudaStream_t stream);

/// Queues one kernel.
[[nodiscard]] cudaError_t launch_get_deltas(DeltaBatch& batch, int* deltas, cudaStream_t stream);
[[nodiscard]] cudaError_t launch_set_deltas(DeltaBatch& batch, const int* deltas, cudaStream_t stream);

} // namespace cuda
} // namespace gfpq

#endif
