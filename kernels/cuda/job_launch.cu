#include "kernels/cuda/job_launch.hpp"

#include "kernels/cuda/launch_kernel.hpp"

namespace gfpq {
namespace cuda {
namespace {

/// Whether the second kernel has all to do: in place, and with INIT, the first only looks.
template <unsigned capacity>
bool is_left_to_the_end(const JobBatch<capacity>& batch) {
  for (unsigned i = 0; i < batch.count; ++i)
    if (batch.jobs[i].mode == job_init || batch.jobs[i].source == batch.jobs[i].destination)
      return true;
  return false;
}

template <class Operation, unsigned capacity>
cudaError_t launch_batch(JobBatch<capacity>& batch, bool can_end_at_once, cudaStream_t stream) {
  const unsigned units = batch.units();
  cudaError_t error = launch(begin_jobs<Operation, capacity>, units, block_threads, stream, batch);
  if constexpr (!Operation::ends_at_once)
    if (error == cudaSuccess && !can_end_at_once) {
      const unsigned most = Operation::is_decode || is_left_to_the_end(batch) ? max_end_blocks : few_end_blocks;
      error = launch(end_jobs<Operation, capacity>, units < most ? units : most, block_threads, stream, batch);
    }
  return error;
}

/// One job alone does not pay for the parameters of many.
template <class Operation>
cudaError_t launch_operation(JobBatch<max_batch_jobs>& batch, bool can_end_at_once, cudaStream_t stream) {
  if (batch.count > 1)
    return launch_batch<Operation>(batch, can_end_at_once, stream);
  JobBatch<1> single{{batch.jobs[0]}, 1};
  return launch_batch<Operation>(single, can_end_at_once, stream);
}

/// For each job.
constexpr unsigned max_delta_blocks = 64;

Size blocks_for(const DeltaBatch& batch) {
  Size most = 1;
  for (unsigned i = 0; i < batch.count; ++i)
    most = batch.jobs[i].groups > most ? batch.jobs[i].groups : most;
  const Size of_job = (most + block_threads - 1) / block_threads;
  return batch.count * (of_job < max_delta_blocks ? of_job : Size(max_delta_blocks));
}

} // namespace

template <class Element, class Width>
cudaError_t launch_jobs(JobOperation operation, JobBatch<max_batch_jobs>& batch, bool can_end_at_once,
                        cudaStream_t stream) {
  switch (operation) {
  case JobOperation::fake_quantize:
    return launch_operation<FakeQuantizeOperation<Element, Width>>(batch, can_end_at_once, stream);
  case JobOperation::encode:
    return launch_operation<EncodeOperation<Element, Width>>(batch, can_end_at_once, stream);
  default:
    return launch_operation<DecodeOperation<Element, Width>>(batch, can_end_at_once, stream);
  }
}

#define GFPQ_INSTANTIATE_ELEMENTS(bits, ...)                                                                           \
  GFPQ_INSTANTIATE(float, Width##bits)                                                                                 \
  GFPQ_INSTANTIATE(double, Width##bits)                                                                                \
  GFPQ_INSTANTIATE(Float16, Width##bits)                                                                               \
  GFPQ_INSTANTIATE(BFloat16, Width##bits)
#define GFPQ_INSTANTIATE(Element, Width)                                                                               \
  template cudaError_t launch_jobs<Element, Width>(JobOperation, JobBatch<max_batch_jobs>&, bool, cudaStream_t);
GFPQ_FOR_EACH_WIDTH(GFPQ_INSTANTIATE_ELEMENTS)

cudaError_t launch_get_deltas(DeltaBatch& batch, int* deltas, cudaStream_t stream) {
  return launch(get_deltas<>, blocks_for(batch), block_threads, stream, batch, deltas);
}

cudaError_t launch_set_deltas(DeltaBatch& batch, const int* deltas, cudaStream_t stream) {
  return launch(set_deltas<>, blocks_for(batch), block_threads, stream, batch, deltas);
}

} // namespace cuda
} // namespace gfpq
