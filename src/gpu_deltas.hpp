// Memory of the host in which the kernels leave the deltas that they find: it takes less time than a copy.
#ifndef GFPQ_SRC_GPU_DELTAS_HPP
#define GFPQ_SRC_GPU_DELTAS_HPP

#include <limits>

namespace gfpq {

/// Before a call, and after it where no kernel wrote a delta: there is no such delta.
constexpr int no_delta = std::numeric_limits<int>::min();

/// Where the host reads what a kernel of a CUDA device found with a workspace. \return null where no kernel on the
/// device was told of it yet.
volatile int* delta_on_host(int device, unsigned workspace);

/// The address of the same on the current CUDA device, for its kernels. \return null where the device can't write to
/// the host's memory.
int* delta_on_device(int device, unsigned workspace);

} // namespace gfpq

#endif
