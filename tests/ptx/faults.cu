#include "faults.cuh"

namespace gfpq {
namespace {

/// As the sums and maxima of the library: each thread leaves a number, then half of them add, and so on.
template <Fault fault>
__global__ void sum_in_shared(const int* from, int* to) {
  __shared__ int sums[fault_threads];
  const unsigned thread = threadIdx.x, at = blockIdx.x * blockDim.x + thread;
  if (fault != Fault::uninitialized_shared || thread != 5)
    sums[fault == Fault::two_writers && thread == 7 ? 6 : thread] = from[at];
  __syncthreads();
  if (fault == Fault::divergent_barrier && thread >= 32)
    return;
  for (unsigned half = fault_threads / 2; half > 0; half /= 2) {
    if (thread < half)
      sums[thread] += sums[thread + half];
    if (fault == Fault::read_after_write && half == 1)
      break;
    if (fault != Fault::other_barrier || thread < 32)
      __syncthreads();
  }
  if (fault == Fault::other_barrier && thread >= 32)
    for (unsigned half = fault_threads / 2; half > 0; half /= 2)
      __syncthreads();
  to[at] = sums[fault == Fault::beyond_shared ? from[at] * 1000 : 0];
  if (fault == Fault::write_after_read && thread == 0)
    sums[0] = 0;
}

template <Fault fault>
__global__ void copy_vectors(const int* from, int* to) {
  const unsigned at = blockIdx.x * blockDim.x + threadIdx.x;
  if (fault == Fault::misaligned_vector && threadIdx.x % 4 == 0)
    reinterpret_cast<int4*>(to + at)[0] = *reinterpret_cast<const int4*>(from + at + 1);
  if (fault == Fault::beyond_allocation)
    to[at] = from[at + 1]; // the last thread
}

/// An array with an index that is not known before lies in local memory. All of `from` is 1.
template <Fault fault>
__global__ void look_up_in_local(const int* from, int* to) {
  const unsigned at = blockIdx.x * blockDim.x + threadIdx.x;
  int multiples[8];
  for (int i = 0; i < 8; ++i)
    multiples[i] = from[at] * i;
  to[at] = multiples[fault == Fault::beyond_local ? from[at] * 100 : (from[at] + threadIdx.x) % 8];
}

/// Each block adds to what the one before left.
__global__ void chain_blocks(const int* from, int* to) {
  const unsigned at = blockIdx.x * blockDim.x + threadIdx.x;
  to[at] = from[at] + (blockIdx.x == 0 ? 0 : to[at - blockDim.x]);
}

template <class Kernel>
cudaError_t launch(Kernel kernel, unsigned blocks, const int* from, int* to, cudaStream_t stream) {
  kernel<<<blocks, fault_threads, 0, stream>>>(from, to);
  return cudaGetLastError();
}

} // namespace

cudaError_t launch_with_fault(Fault fault, const int* from, int* to, unsigned blocks, cudaStream_t stream) {
  switch (fault) {
#define GFPQ_CASE(kernel, name)                                                                                        \
  case Fault::name:                                                                                                    \
    return launch(kernel<Fault::name>, blocks, from, to, stream);
    GFPQ_CASE(sum_in_shared, none)
    GFPQ_CASE(sum_in_shared, read_after_write)
    GFPQ_CASE(sum_in_shared, write_after_read)
    GFPQ_CASE(sum_in_shared, two_writers)
    GFPQ_CASE(sum_in_shared, uninitialized_shared)
    GFPQ_CASE(sum_in_shared, beyond_shared)
    GFPQ_CASE(sum_in_shared, divergent_barrier)
    GFPQ_CASE(sum_in_shared, other_barrier)
    GFPQ_CASE(look_up_in_local, no_fault_local)
    GFPQ_CASE(look_up_in_local, beyond_local)
    GFPQ_CASE(copy_vectors, misaligned_vector)
    GFPQ_CASE(copy_vectors, beyond_allocation)
#undef GFPQ_CASE
  case Fault::block_order:
    return launch(chain_blocks, blocks, from, to, stream);
  }
  return cudaErrorInvalidValue;
}

} // namespace gfpq
