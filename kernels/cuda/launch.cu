#include "kernels/cuda/launch.hpp"

namespace gfpq {
namespace cuda {
namespace {

// In the code's own memory and not allocated: each context has its own, and after cudaDeviceReset it is new and zero.
template <class Float>
__device__ Workspace<Float> device_workspaces[workspaces];

/// As <<<>>>, but returns the error: the thread's last error stays the caller's own.
template <class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), Size blocks, cudaStream_t stream, Arguments... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  return [&](Parameters... parameters) {
    void* pointers[] = {&parameters...};
    return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), dim3(static_cast<unsigned>(blocks)),
                            dim3(block_threads), pointers, 0, stream);
  }(arguments...);
}

} // namespace

template <class Float, class Width>
cudaError_t launch_fake_quantize(Float* data, Size count, const Range<Float>& range, cudaStream_t stream) {
  return launch(fake_quantize<Float, Width>, Tiles<Float>(data, count).count(), stream, data, count, range, nullptr);
}

template <class Float, class Width>
cudaError_t launch_fit_and_fake_quantize(Float* data, Size count, int lowest_delta, unsigned workspace, int* delta,
                                         cudaStream_t stream) {
  Workspace<Float>* found = nullptr;
  if (const cudaError_t error = cudaGetSymbolAddress(reinterpret_cast<void**>(&found), device_workspaces<Float>);
      error != cudaSuccess)
    return error;
  found += workspace;
  const Size tiles = Tiles<Float>(data, count).count();
  cudaError_t error = launch(fit<Float, Width>, tiles < max_fit_blocks ? tiles : max_fit_blocks, stream, data, count,
                             lowest_delta, found);
  if (error == cudaSuccess)
    error = launch(fake_quantize<Float, Width>, tiles, stream, data, count, Range<Float>{}, &found->range);
  if (error == cudaSuccess)
    error = cudaMemcpyAsync(delta, &found->delta, sizeof *delta, cudaMemcpyDeviceToHost, stream);
  return error;
}

#define GFPQ_INSTANTIATE(Float, Width)                                                                                 \
  template cudaError_t launch_fake_quantize<Float, Width>(Float*, Size, const Range<Float>&, cudaStream_t);            \
  template cudaError_t launch_fit_and_fake_quantize<Float, Width>(Float*, Size, int, unsigned, int*, cudaStream_t);
GFPQ_INSTANTIATE_ALL

} // namespace cuda
} // namespace gfpq
