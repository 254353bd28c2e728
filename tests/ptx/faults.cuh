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
  beyond_allocation,
  misaligned_vector,
  divergent_barrier, ///< some threads end before it
  other_barrier,     ///< some threads wait at another
  block_order,       ///< the blocks rely on their order: no fault of one access, but the result is wrong
};

constexpr unsigned fault_threads = 64;

/// The sum of 64 numbers, at each place of `to`; four blocks may run on parts of 64.
cudaError_t launch_with_fault(Fault fault, const int* from, int* to, unsigned blocks, cudaStream_t stream);

} // namespace gfpq

#endif
