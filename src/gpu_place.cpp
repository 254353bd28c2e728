#include "gpu_place.hpp"

#include <cstdint>

#include "gpu_errors.hpp"

int gfpq::check_device_memory(const void* data) {
  int device = 0;
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

int gfpq::check_place(const void* data, unsigned alignment) {
  if (reinterpret_cast<std::uintptr_t>(data) % alignment != 0)
    return GFPQ_FAIL(errors::misaligned, data, alignment);
  return check_device_memory(data);
}
