#include "kernels/cuda/launch.hpp"

namespace gfpq {
namespace cuda {
namespace {

// In the code's own memory and not allocated: each context has its own, and after cudaDeviceReset it is new and zero.
__device__ Workspace<float> workspaces_of_floats[workspaces];
__device__ Workspace<double> workspaces_of_doubles[workspaces];

cudaError_t find(Workspace<float>*& first) {
  return cudaGetSymbolAddress(reinterpret_cast<void**>(&first), workspaces_of_floats);
}
cudaError_t find(Workspace<double>*& first) {
  return cudaGetSymbolAddress(reinterpret_cast<void**>(&first), workspaces_of_doubles);
}

/// As <<<>>>, but with the error as the answer: the thread's last error stays the caller's own.
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

template <class Float, class W>
cudaError_t launch_quantize(Float* data, Size count, const Range<typename Format<Float>::Bits>& range,
                            cudaStream_t stream) {
  return launch(quantize<Float, W>, Tiles<Float>(data, count).count(), stream, data, count, range, nullptr);
}

template <class Float, class W>
cudaError_t launch_fit_and_quantize(Float* data, Size count, int lowest_delta, unsigned workspace, int* delta,
                                    cudaStream_t stream) {
  Workspace<Float>* found = nullptr;
  if (const cudaError_t error = find(found); error != cudaSuccess)
    return error;
  found += workspace;
  const Size tiles = Tiles<Float>(data, count).count();
  cudaError_t error = launch(fit<Float>, tiles < max_fit_blocks ? tiles : max_fit_blocks, stream, data, count,
                             int(W::bits), lowest_delta, found);
  if (error == cudaSuccess)
    error =
        launch(quantize<Float, W>, tiles, stream, data, count, Range<typename Format<Float>::Bits>{}, &found->range);
  if (error == cudaSuccess)
    error = cudaMemcpyAsync(delta, &found->delta, sizeof *delta, cudaMemcpyDeviceToHost, stream);
  return error;
}

#define GFPQ_INSTANTIATE(Float, W)                                                                                     \
  template cudaError_t launch_quantize<Float, W>(Float*, Size, const Range<Format<Float>::Bits>&, cudaStream_t);       \
  template cudaError_t launch_fit_and_quantize<Float, W>(Float*, Size, int, unsigned, int*, cudaStream_t);
GFPQ_INSTANTIATE(float, Width8)
GFPQ_INSTANTIATE(float, Width16)
GFPQ_INSTANTIATE(double, Width8)
GFPQ_INSTANTIATE(double, Width16)

} // namespace cuda
} // namespace gfpq
