#include "gpu_backend.hpp"

#include "gpu_deltas.hpp"
#include "gpu_errors.hpp"
#include "gpu_place.hpp"
#include "gpu_workspace.hpp"
#include "kernels/cuda/launch.hpp"

namespace gfpq {
template <class Width, class Float>
int GpuBackend::fake_quantize(Float* data, std::size_t count, int delta) {
  if (count == 0)
    return GFPQ_SUCCESS;
  const CaptureTolerance tolerance;
  if (const int status = check_place(data, sizeof *data); status != GFPQ_SUCCESS)
    return status;
  const auto range = range_of(ladder<Float, Width>, delta);
  const cudaError_t error = cuda::launch_fake_quantize<Float, Width>(data, count, range, stream_);
  return error == cudaSuccess ? GFPQ_SUCCESS : fail_by_cuda(error);
}

template <class Width, class Float>
int GpuBackend::fit_and_fake_quantize(Float* data, std::size_t count, int lowest_delta, int& delta) {
  if (count == 0) {
    delta = ladder<Float, Width>.delta(0, lowest_delta);
    return GFPQ_SUCCESS;
  }
  const CaptureTolerance tolerance;
  if (const int status = check_place(data, sizeof *data); status != GFPQ_SUCCESS)
    return status;
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  if (const cudaError_t error = cudaStreamIsCapturing(stream_, &capture); error != cudaSuccess)
    return fail_by_cuda(error);
  if (capture != cudaStreamCaptureStatusNone)
    return GFPQ_FAIL(errors::captured);

  int device = 0;
  if (const cudaError_t error = cudaGetDevice(&device); error != cudaSuccess)
    return fail_by_cuda(error);
  const GpuWorkspace workspace;
  volatile int* const on_host = delta_on_host(device, workspace.number());
  if (on_host != nullptr)
    *on_host = no_delta;
  const cudaError_t error =
      cuda::launch_fit_and_fake_quantize<Float, Width>(data, count, lowest_delta, workspace.number(), stream_);
  const cudaError_t waited = cudaStreamSynchronize(stream_);
  if (error != cudaSuccess || waited != cudaSuccess)
    return fail_by_cuda(error != cudaSuccess ? error : waited);
  int fitted_delta = on_host != nullptr ? *on_host : no_delta;
  if (fitted_delta == no_delta) // the kernel was not told of it: this is the workspace's first use in this context
    if (const cudaError_t copied = cuda::copy_delta<Float>(
            workspace.number(), delta_on_device(device, workspace.number()), fitted_delta, stream_);
        copied != cudaSuccess)
      return fail_by_cuda(copied);
  delta = fitted_delta;
  return GFPQ_SUCCESS;
}

#define GFPQ_INSTANTIATE(Float, Width)                                                                                 \
  template int GpuBackend::fake_quantize<Width, Float>(Float*, std::size_t, int);                                      \
  template int GpuBackend::fit_and_fake_quantize<Width, Float>(Float*, std::size_t, int, int&);
GFPQ_INSTANTIATE_ALL

} // namespace gfpq
