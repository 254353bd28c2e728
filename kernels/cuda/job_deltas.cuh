// The kernels that carry the deltas of many parameters to one vector and back.
#ifndef GFPQ_KERNELS_CUDA_JOB_DELTAS_CUH
#define GFPQ_KERNELS_CUDA_JOB_DELTAS_CUH

#include "job_units.hpp"

namespace gfpq {
namespace cuda {

/// One parameter for each delta in a vector of them.
struct DeltaJob {
  GroupParam* params;
  Size first, groups; ///< in the vector
  unsigned bits, unused;
};
constexpr unsigned max_batch_delta_jobs = 120;
/// What one launch does, with a multiple of `count` blocks.
struct DeltaBatch {
  DeltaJob jobs[max_batch_delta_jobs];
  unsigned count;
};
static_assert(sizeof(DeltaBatch) <= 4096, "a kernel's parameters");

#ifdef GFPQ_CUDA_KERNELS

/// Calls `function` with each parameter, its place in the vector and the largest delta of its width. The blocks are
/// dealt out to the jobs in turn.
template <class Function>
__device__ GFPQ_ALWAYS_INLINE void for_each_param(const DeltaBatch& batch, Function function) {
  const unsigned block = GfpqThreadIndex::block();
  const DeltaJob& job = batch.jobs[block % batch.count];
  const Size step = Size(GfpqThreadIndex::blocks() / batch.count) * block_threads;
  for (Size i = Size(block / batch.count) * block_threads + GfpqThreadIndex::thread(); i < job.groups; i += step) {
#define GFPQ_CALL_FOR_WIDTH(bits_, ...)                                                                                \
  if (job.bits == bits_)                                                                                               \
    function(job.params[i], job.first + i, Width##bits_::delta_limit);
    GFPQ_FOR_EACH_WIDTH(GFPQ_CALL_FOR_WIDTH)
#undef GFPQ_CALL_FOR_WIDTH
  }
}

/// A template as all kernels are, so that each file has its own.
template <class = void>
__global__ void __launch_bounds__(block_threads) get_deltas(DeltaBatch batch, int* deltas) {
  for_each_param(batch, [deltas](GroupParam& param, Size place, int limit) {
    const BlockWords block = param.block;
    const int delta = block.delta();
    const bool is_right = block.is_valid() && delta >= -limit && delta <= limit;
    if (!is_right && !block.was_never_set())
      param.status = job_bad_parameters;
    deltas[place] = is_right ? delta : block.was_never_set() ? job_never_set : job_damaged;
  });
}

template <class = void>
__global__ void __launch_bounds__(block_threads) set_deltas(DeltaBatch batch, const int* deltas) {
  for_each_param(batch, [deltas](GroupParam& param, Size place, int limit) {
    const int delta = deltas[place];
    if (delta != job_never_set && (delta < -limit || delta > limit)) {
      param.status = job_bad_parameters;
      return;
    }
    GroupParam made = {};
    if (delta != job_never_set)
      made.block = BlockWords::of(delta);
    param = made;
  });
}

#endif // GFPQ_CUDA_KERNELS

} // namespace cuda
} // namespace gfpq

#endif
