#include "kernels/cuda/launch.hpp"

namespace gfpq {
namespace cuda {
namespace {

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
                            const Range<typename Format<Float>::Bits>* fitted, cudaStream_t stream) {
  return launch(quantize<Float, W>, Tiles<Float>(data, count).count(), stream, data, count, range, fitted);
}

template <class Float>
cudaError_t launch_fit(Float* data, Size count, int bits, int lowest_delta, Workspace<Float>* workspace, int* delta,
                       cudaStream_t stream) {
  const Size tiles = Tiles<Float>(data, count).count(), limit = Workspace<Float>::max_blocks;
  return launch(fit<Float>, tiles < limit ? tiles : limit, stream, data, count, bits, lowest_delta, workspace, delta);
}

#define GFPQ_INSTANTIATE(Float)                                                                                        \
  using Range_##Float = Range<Format<Float>::Bits>;                                                                    \
  template cudaError_t launch_quantize<Float, Width8>(Float*, Size, const Range_##Float&, const Range_##Float*,        \
                                                      cudaStream_t);                                                   \
  template cudaError_t launch_quantize<Float, Width16>(Float*, Size, const Range_##Float&, const Range_##Float*,       \
                                                       cudaStream_t);                                                  \
  template cudaError_t launch_fit(Float*, Size, int, int, Workspace<Float>*, int*, cudaStream_t);
GFPQ_INSTANTIATE(float)
GFPQ_INSTANTIATE(double)

} // namespace cuda
} // namespace gfpq
