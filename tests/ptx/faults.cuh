// Kernels with a fault each, which the tests show to be reported, and the same without it.
#ifndef GFPQ_TESTS_PTX_FAULTS_CUH
#define GFPQ_TESTS_PTX_FAULTS_CUH

#include <cuda_runtime_api.h>

namespace gfpq {

enum class Fault {
  none,
  read_after_write, ///< of shared memory, with no barrier between
  write_after_read,
  two_writers,
  uninitialized_shared,
  beyond_shared,
  no_fault_local, ///< uses local memory, as it should
  beyond_local,
  beyond_allocation,
  misaligned_vector,
  divergent_barrier, ///< some threads end before it
  other_barrier,     ///< some threads wait at another
  block_order,       ///< the blocks rely on their order: no fault of one access, but the result is wrong
};

constexpr unsigned fault_threads = 64;

/// For `none` and most faults: the sum of each block's 64 numbers, at each of its 64 places of `to`.
cudaError_t launch_with_fault(Fault fault, const int* from, int* to, unsigned blocks, cudaStream_t stream);

} // namespace gfpq

#endif
