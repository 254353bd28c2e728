// The entry points of gfpq_jobs.hpp for device memory, in the GPU library.
#include <cstdint>

#include "gpu_errors.hpp"
#include "gpu_job_plan.hpp"
#include "gpu_place.hpp"
#include "job_checks.hpp"
#include "kernels/cuda/job_launch.hpp"

namespace gfpq {
namespace {

const Memory device_memory = {check_device_memory, alignof(cuda::GroupParam)};

/// Calls `function(element, width)` for the kind of a job that was checked.
template <class Function>
void with_kind(const GFPQ_JOB_ST& job, const Function& function) {
  const bool is_known = with_element(job.type, [&](auto element) {
    const bool has_width = with_width(job.bit_width, [&](auto width) { function(element, width); });
    static_cast<void>(has_width);
  });
  static_cast<void>(is_known);
}

std::optional<cuda::Job> plan_of(const GFPQ_JOB_ST& job) {
  std::optional<cuda::Job> planned;
  with_kind(job, [&](auto element, auto) { planned = plan_job(job, sizeof element); });
  return planned;
}

int check_all(const GFPQ_JOB_ST* jobs, unsigned int count) {
  if (const int status = check_jobs(jobs, count, device_memory); status != GFPQ_SUCCESS)
    return status;
  for (unsigned i = 0; i < count; ++i)
    if (jobs[i].groups > 0 && !plan_of(jobs[i]))
      return GFPQ_FAIL(errors::too_many_units, jobs[i].outer, jobs[i].groups, jobs[i].inner);
  return GFPQ_SUCCESS;
}

bool is_of_kind(const GFPQ_JOB_ST& job, const GFPQ_JOB_ST& first) {
  return job.operation == first.operation && job.type == first.type && job.bit_width == first.bit_width;
}

/// Jobs of one kind on their way to the GPU.
class Queue {
public:
  Queue(const GFPQ_JOB_ST& first, cudaStream_t stream) : first_(first), stream_(stream) { batch_.count = 0; }

  cudaError_t add(const GFPQ_JOB_ST& job) {
    const std::optional<cuda::Job> planned = plan_of(job);
    const bool is_full = batch_.count == cuda::max_batch_jobs ||
                         (batch_.count > 0 && planned->end_unit > max_job_units - batch_.units());
    if (is_full)
      if (const cudaError_t error = launch(); error != cudaSuccess)
        return error;
    const unsigned units_before = batch_.count > 0 ? batch_.units() : 0;
    cuda::Job& added = batch_.jobs[batch_.count++];
    added = *planned;
    added.end_unit += units_before;
    can_end_at_once_ = can_end_at_once_ && ends_at_once(job);
    return cudaSuccess;
  }

  /// Queues what was added.
  cudaError_t launch() {
    cudaError_t error = cudaSuccess;
    if (batch_.count > 0)
      with_kind(first_, [&](auto element, auto width) {
        error = cuda::launch_jobs<decltype(element), decltype(width)>(cuda::JobOperation(first_.operation), batch_,
                                                                      can_end_at_once_, stream_);
      });
    batch_.count = 0;
    can_end_at_once_ = true;
    return error;
  }

private:
  const GFPQ_JOB_ST& first_;
  const cudaStream_t stream_;
  cuda::JobBatch<cuda::max_batch_jobs> batch_;
  bool can_end_at_once_ = true;
};

/// Queues all jobs of the kind of jobs[first].
cudaError_t run_kind(const GFPQ_JOB_ST* jobs, unsigned first, unsigned int count, cudaStream_t stream) {
  Queue queue(jobs[first], stream);
  for (unsigned i = first; i < count; ++i)
    if (jobs[i].groups > 0 && is_of_kind(jobs[i], jobs[first]))
      if (const cudaError_t error = queue.add(jobs[i]); error != cudaSuccess)
        return error;
  return queue.launch();
}

/// As a bit, which kind a job is of.
std::uint32_t kind_of(const GFPQ_JOB_ST& job) {
  const unsigned is_wide = job.bit_width != GFPQ_BIT_WIDTH_8BIT;
  return 1u << ((job.operation * 4 + job.type) * 2 + is_wide);
}
static_assert(width_count == 2 && GFPQ_DECODE == 2 && GFPQ_BFLOAT16 == 3, "the kinds have a bit each");

int check_deltas_on_device(const GFPQ_JOB_ST* jobs, unsigned int count, const int* deltas, std::size_t size) {
  if (const int status = check_deltas(jobs, count, deltas, size); status != GFPQ_SUCCESS)
    return status;
  bool has_groups = false;
  for (unsigned i = 0; i < count; ++i)
    if (jobs[i].groups > 0) {
      has_groups = true;
      if (const int status = check_place(jobs[i].params, device_memory.param_alignment); status != GFPQ_SUCCESS)
        return status;
    }
  return has_groups ? check_place(deltas, sizeof *deltas) : GFPQ_SUCCESS;
}

/// Calls `launch(batch)` for all jobs that have groups.
template <class Launch>
int for_each_batch(const GFPQ_JOB_ST* jobs, unsigned int count, const Launch& launch) {
  cuda::DeltaBatch batch;
  batch.count = 0;
  cudaError_t error = cudaSuccess;
  std::size_t first = 0;
  for (unsigned i = 0; i < count && error == cudaSuccess; ++i) {
    if (jobs[i].groups == 0)
      continue;
    auto* const params = reinterpret_cast<cuda::GroupParam*>(jobs[i].params);
    batch.jobs[batch.count++] = {params, first, jobs[i].groups, jobs[i].bit_width, 0};
    first += jobs[i].groups;
    if (batch.count == cuda::max_batch_delta_jobs) {
      error = launch(batch);
      batch.count = 0;
    }
  }
  if (error == cudaSuccess && batch.count > 0)
    error = launch(batch);
  return error == cudaSuccess ? GFPQ_SUCCESS : fail_by_cuda(error);
}

} // namespace
} // namespace gfpq

int GFPQ_RunJobs_GPU(const GFPQ_JOB_ST* jobs, unsigned int count, void* cuda_stream) {
  const gfpq::CaptureTolerance tolerance;
  if (const int status = gfpq::check_all(jobs, count); status != GFPQ_SUCCESS)
    return status;
  std::uint32_t kinds_done = 0;
  for (unsigned i = 0; i < count; ++i) {
    const std::uint32_t kind = gfpq::kind_of(jobs[i]);
    if ((kinds_done & kind) != 0)
      continue;
    kinds_done |= kind;
    const cudaError_t error = gfpq::run_kind(jobs, i, count, static_cast<cudaStream_t>(cuda_stream));
    if (error != cudaSuccess)
      return gfpq::fail_by_cuda(error);
  }
  return GFPQ_SUCCESS;
}

int GFPQ_GetDeltas_GPU(const GFPQ_JOB_ST* jobs, unsigned int count, int* deltas, size_t size, void* cuda_stream) {
  const gfpq::CaptureTolerance tolerance;
  if (const int status = gfpq::check_deltas_on_device(jobs, count, deltas, size); status != GFPQ_SUCCESS)
    return status;
  return gfpq::for_each_batch(jobs, count, [&](gfpq::cuda::DeltaBatch& batch) {
    return gfpq::cuda::launch_get_deltas(batch, deltas, static_cast<cudaStream_t>(cuda_stream));
  });
}

int GFPQ_SetDeltas_GPU(const GFPQ_JOB_ST* jobs, unsigned int count, const int* deltas, size_t size, void* cuda_stream) {
  const gfpq::CaptureTolerance tolerance;
  if (const int status = gfpq::check_deltas_on_device(jobs, count, deltas, size); status != GFPQ_SUCCESS)
    return status;
  return gfpq::for_each_batch(jobs, count, [&](gfpq::cuda::DeltaBatch& batch) {
    return gfpq::cuda::launch_set_deltas(batch, deltas, static_cast<cudaStream_t>(cuda_stream));
  });
}
