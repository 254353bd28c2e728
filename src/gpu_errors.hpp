#ifndef GFPQ_SRC_GPU_ERRORS_HPP
#define GFPQ_SRC_GPU_ERRORS_HPP

#include <cuda_runtime_api.h>

#include "errors.hpp"

namespace gfpq {

/// Reports an error of CUDA, and clears it, so that the caller's next cudaGetLastError() does not return ours.
/// \return the status.
[[nodiscard]] int fail_by_cuda(cudaError_t error);

} // namespace gfpq

#endif
