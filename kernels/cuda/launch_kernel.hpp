// A kernel's launch from code that is compiled by nvcc.
#ifndef GFPQ_KERNELS_CUDA_LAUNCH_KERNEL_HPP
#define GFPQ_KERNELS_CUDA_LAUNCH_KERNEL_HPP

#include <cuda_runtime_api.h>

#include "tiles.hpp"

namespace gfpq {
namespace cuda {

template <class Type>
struct SameType {
  using type = Type;
};

/// As <<<>>>, but returns the error: the thread's last error stays the caller's own. Parameters of some KiB are not
/// copied before.
template <class... Parameters>
cudaError_t launch(void (*kernel)(Parameters...), Size blocks, unsigned threads, cudaStream_t stream,
                   const typename SameType<Parameters>::type&... parameters) {
  void* pointers[] = {const_cast<void*>(static_cast<const void*>(&parameters))...};
  return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), dim3(static_cast<unsigned>(blocks)), dim3(threads),
                          pointers, 0, stream);
}

} // namespace cuda
} // namespace gfpq

#endif
