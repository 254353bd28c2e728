#include "gpu_errors.hpp"

namespace gfpq {
namespace {

bool is_no_gpu(cudaError_t error) {
  return error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver || error == cudaErrorSystemDriverMismatch ||
         error == cudaErrorCompatNotSupportedOnDevice || error == cudaErrorStubLibrary;
}

bool is_no_code(cudaError_t error) {
  return error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction ||
         error == cudaErrorInvalidPtx || error == cudaErrorUnsupportedPtxVersion ||
         error == cudaErrorJitCompilerNotFound || error == cudaErrorJitCompilationDisabled;
}

/// What the current GPU is and what it should be: the vendor's second message, with facts.
void report_architectures() {
  int device = 0, major = 0, minor = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
  static_cast<void>(GFPQ_FAIL(errors::gpu_architecture, GFPQ_GPU_ARCHITECTURES, major, minor));
}

} // namespace

int fail_by_cuda(cudaError_t error) {
  const Error& which = is_no_gpu(error)                     ? errors::no_gpu
                       : error == cudaErrorMemoryAllocation ? errors::gpu_memory
                                                            : errors::gpu;
  const int status = GFPQ_FAIL(which, static_cast<unsigned>(error), cudaGetErrorString(error));
  if (is_no_code(error))
    report_architectures();
  cudaGetLastError();
  return status;
}

} // namespace gfpq
