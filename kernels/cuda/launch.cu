#include "kernels/cuda/launch.hpp"

#include "kernels/cuda/launch_kernel.hpp"

namespace gfpq {
namespace cuda {
namespace {

// In the code's own memory and not allocated: each context has its own, and after cudaDeviceReset it is new and zero.
template <class Float>
__device__ Workspace<Float> device_workspaces[workspaces];

template <class Float>
cudaError_t find_workspace(unsigned number, Workspace<Float>*& workspace) {
  const cudaError_t error = cudaGetSymbolAddress(reinterpret_cast<void**>(&workspace), device_workspaces<Float>);
  workspace += number;
  return error;
}

} // namespace

template <class Float, class Width>
cudaError_t launch_fake_quantize(Float* data, Size count, const Range<Float>& range, cudaStream_t stream) {
  return launch(fake_quantize<Float, Width>, FakeQuantizeTiles<Float>(data, count).count(), fake_quantize_threads,
                stream, data, count, range, nullptr);
}

template <class Float, class Width>
cudaError_t launch_fit_and_fake_quantize(Float* data, Size count, int lowest_delta, unsigned workspace,
                                         cudaStream_t stream) {
  Workspace<Float>* found = nullptr;
  if (const cudaError_t error = find_workspace(workspace, found); error != cudaSuccess)
    return error;
  const Size tiles = FitTiles<Float>(data, count).count();
  const cudaError_t error = launch(fit<Float, Width>, tiles < max_fit_blocks ? tiles : max_fit_blocks, block_threads,
                                   stream, data, count, lowest_delta, found);
  if (error != cudaSuccess)
    return error;
  return launch(fake_quantize<Float, Width>, FakeQuantizeTiles<Float>(data, count).count(), fake_quantize_threads,
                stream, data, count, Range<Float>{}, &found->range);
}

template <class Float>
cudaError_t copy_delta(unsigned workspace, int* on_device, int& delta, cudaStream_t stream) {
  Workspace<Float>* found = nullptr;
  cudaError_t error = find_workspace(workspace, found);
  if (error == cudaSuccess)
    error = cudaMemcpyAsync(&delta, &found->delta, sizeof delta, cudaMemcpyDeviceToHost, stream);
  if (error == cudaSuccess)
    error = cudaMemcpyAsync(&found->delta_on_host, &on_device, sizeof on_device, cudaMemcpyHostToDevice, stream);
  return error == cudaSuccess ? cudaStreamSynchronize(stream) : error;
}

#define GFPQ_INSTANTIATE(Float, Width)                                                                                 \
  template cudaError_t launch_fake_quantize<Float, Width>(Float*, Size, const Range<Float>&, cudaStream_t);            \
  template cudaError_t launch_fit_and_fake_quantize<Float, Width>(Float*, Size, int, unsigned, cudaStream_t);
GFPQ_INSTANTIATE_ALL
template cudaError_t copy_delta<float>(unsigned, int*, int&, cudaStream_t);
template cudaError_t copy_delta<double>(unsigned, int*, int&, cudaStream_t);

} // namespace cuda
} // namespace gfpq
