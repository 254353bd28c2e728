#include "gpu_backend.hpp"

#include <cstdint>

#include "gpu_deltas.hpp"
#include "gpu_errors.hpp"
#include "gpu_workspace.hpp"
#include "kernels/cuda/launch.hpp"

namespace gfpq {
namespace {

/// While it lives, this thread may call what another thread's graph capture would forbid: loading a kernel at its first
/// use, for one. None of it has to do with a captured stream.
class CaptureTolerance {
public:
  CaptureTolerance() : is_set_(cudaThreadExchangeStreamCaptureMode(&mode_) == cudaSuccess) {}
  ~CaptureTolerance() {
    if (is_set_)
      cudaThreadExchangeStreamCaptureMode(&mode_);
  }

private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed; // then the caller's
  const bool is_set_;
};

/// Whether the current device can work on a tensor in place. \param device becomes its number. \return a status.
template <class Float>
[[nodiscard]] int check_place(const Float* data, int& device) {
  // Such a load would end the CUDA context, and with it all that the caller has on the device.
  if (reinterpret_cast<std::uintptr_t>(data) % sizeof(Float) != 0)
    return GFPQ_FAIL(errors::misaligned, static_cast<const void*>(data), static_cast<unsigned>(sizeof(Float)));
  if (const cudaError_t error = cudaGetDevice(&device); error != cudaSuccess)
    return fail_by_cuda(error);
  cudaPointerAttributes place{};
  if (const cudaError_t error = cudaPointerGetAttributes(&place, data); error != cudaSuccess)
    return fail_by_cuda(error);
  if (place.type == cudaMemoryTypeManaged)
    return GFPQ_SUCCESS;
  if (place.type != cudaMemoryTypeDevice)
    return GFPQ_FAIL(errors::host_pointer);
  if (place.device != device)
    return GFPQ_FAIL(errors::other_device, place.device, device);
  return GFPQ_SUCCESS;
}

} // namespace

template <class Width, class Float>
int GpuBackend::fake_quantize(Float* data, std::size_t count, int delta) {
  if (count == 0)
    return GFPQ_SUCCESS;
  const CaptureTolerance tolerance;
  int device = 0;
  if (const int status = check_place(data, device); status != GFPQ_SUCCESS)
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
  int device = 0;
  if (const int status = check_place(data, device); status != GFPQ_SUCCESS)
    return status;
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  if (const cudaError_t error = cudaStreamIsCapturing(stream_, &capture); error != cudaSuccess)
    return fail_by_cuda(error);
  if (capture != cudaStreamCaptureStatusNone)
    return GFPQ_FAIL(errors::captured);

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
  if (fitted_delta ==
      no_delta) // the kernel was not told of it yet: in this context the workspace is used for the first time
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
