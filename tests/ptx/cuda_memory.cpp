// CUDA's runtime and driver: devices, memory and copies. There is one device.
#include <cuda.h>

#include <cstdlib>
#include <vector>

#include "ptx_device.hpp"
#include "streams.hpp"

namespace gfpq {
namespace ptx {
namespace {

std::uint64_t number(const void* address) { return reinterpret_cast<std::uint64_t>(address); }

bool is_device(const void* address) { return DeviceMemory::instance().find(number(address)) != nullptr; }

bool is_pageable(const void* address, std::size_t bytes) {
  return !is_device(address) && !is_registered_host_memory(number(address), bytes);
}

/// Where the stand-in reaches memory of any kind.
void* reached(const void* address, std::size_t bytes) {
  const Allocation* found = DeviceMemory::instance().find(number(address));
  if (found == nullptr)
    return const_cast<void*>(address);
  if (number(address) < found->begin || number(address) + bytes > found->end)
    fault("a copy goes beyond its allocation");
  return DeviceMemory::instance().at(number(address));
}

void copy_now(void* to, const void* from, std::size_t bytes) {
  std::memmove(reached(to, bytes), reached(from, bytes), bytes);
}

/// From pageable memory CUDA copies into a buffer of its own before it returns, and from there when it is the turn.
void copy_staged(Stream& stream, void* to, const void* from, std::size_t bytes) {
  const auto* begin = static_cast<const unsigned char*>(from);
  enqueue(stream, [to, staged = std::vector<unsigned char>(begin, begin + bytes)] {
    std::memcpy(reached(to, staged.size()), staged.data(), staged.size());
  });
}

/// cudaMemcpy waits for what it needs; of what it copies to the device, it waits for what is not pageable.
void copy(void* to, const void* from, std::size_t bytes) {
  ++counters.copies;
  Stream& legacy = stream_of(nullptr);
  reached(to, bytes);
  if (is_device(to) && is_pageable(from, bytes))
    return copy_staged(legacy, to, from, bytes);
  enqueue(legacy, [=] { copy_now(to, from, bytes); });
  if (is_device(to) && is_device(from))
    return;
  ++counters.waits;
  finish(legacy);
}

cudaError_t allocate(void** address, std::size_t bytes, bool is_managed) {
  const auto lock = lock_device();
  if (is_forbidden_by_capture())
    return done(cudaErrorStreamCaptureUnsupported);
  ++counters.allocations;
  *address = nullptr;
  if (bytes == 0)
    return cudaSuccess;
  *address =
      reinterpret_cast<void*>(DeviceMemory::instance().allocate(bytes, DeviceMemory::cuda_alignment, is_managed));
  return *address != nullptr ? cudaSuccess : done(cudaErrorMemoryAllocation);
}

} // namespace
} // namespace ptx
} // namespace gfpq

using namespace gfpq::ptx;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : done(cudaErrorInvalidDevice); }

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrComputeCapabilityMajor ? 9 : 0;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** address, size_t bytes) { return allocate(address, bytes, false); }
cudaError_t cudaMallocManaged(void** address, size_t bytes, unsigned) { return allocate(address, bytes, true); }

cudaError_t cudaFree(void* address) {
  const auto lock = lock_device();
  if (is_forbidden_by_capture())
    return done(cudaErrorStreamCaptureUnsupported);
  finish_all(); // as CUDA does
  return address == nullptr || DeviceMemory::instance().free(number(address)) ? cudaSuccess
                                                                              : done(cudaErrorInvalidValue);
}

cudaError_t cudaMallocHost(void** address, size_t bytes) {
  const auto lock = lock_device();
  ++counters.allocations;
  *address = std::malloc(bytes);
  register_host_memory(*address, bytes);
  return *address != nullptr ? cudaSuccess : done(cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeHost(void* address) {
  const auto lock = lock_device();
  finish_all();
  unregister_host_memory(address);
  std::free(address);
  return cudaSuccess;
}

cudaError_t cudaHostRegister(void* address, size_t bytes, unsigned) {
  const auto lock = lock_device();
  register_host_memory(address, bytes);
  return cudaSuccess;
}

cudaError_t cudaHostGetDevicePointer(void** to, void* address, unsigned) {
  const auto lock = lock_device();
  *to = address;
  return is_registered_host_memory(number(address), 1) ? cudaSuccess : done(cudaErrorInvalidValue);
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* address) {
  const auto lock = lock_device();
  *attributes = {};
  attributes->type = is_registered_host_memory(number(address), 1) ? cudaMemoryTypeHost : cudaMemoryTypeUnregistered;
  if (const Allocation* found = DeviceMemory::instance().find(number(address)))
    attributes->type = found->managed ? cudaMemoryTypeManaged : cudaMemoryTypeDevice;
  if (attributes->type != cudaMemoryTypeUnregistered)
    attributes->devicePointer = const_cast<void*>(address);
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  const auto lock = lock_device();
  if (is_forbidden_by_capture())
    return done(cudaErrorStreamCaptureImplicit);
  copy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t handle) {
  const auto lock = lock_device();
  Stream& stream = stream_of(handle);
  ++counters.copies;
  const bool is_from_pageable = is_pageable(from, bytes), is_to_pageable = is_pageable(to, bytes);
  if (is_from_pageable && !is_to_pageable && stream.captured == nullptr) {
    copy_staged(stream, to, from, bytes);
    return cudaSuccess;
  }
  enqueue(stream, [=] { copy_now(to, from, bytes); });
  if (is_to_pageable && stream.captured == nullptr) { // it returns when all is there
    ++counters.waits;
    finish(stream);
  }
  return cudaSuccess;
}

// The driver's functions, which programs look up by name.

CUresult cuInit(unsigned) { return CUDA_SUCCESS; }

CUresult cuDeviceGet(CUdevice* device, int) {
  *device = 0;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice) {
  *context = reinterpret_cast<CUcontext>(&DeviceMemory::instance());
  return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext) { return CUDA_SUCCESS; }
CUresult cuCtxSynchronize() { return static_cast<CUresult>(cudaDeviceSynchronize()); }

CUresult cuMemAlloc(CUdeviceptr* address, size_t bytes) {
  return static_cast<CUresult>(cudaMalloc(reinterpret_cast<void**>(address), bytes));
}
CUresult cuMemFree(CUdeviceptr address) { return static_cast<CUresult>(cudaFree(reinterpret_cast<void*>(address))); }

CUresult cuMemcpyHtoD(CUdeviceptr to, const void* from, size_t bytes) {
  return static_cast<CUresult>(cudaMemcpy(reinterpret_cast<void*>(to), from, bytes, cudaMemcpyHostToDevice));
}
CUresult cuMemcpyDtoH(void* to, CUdeviceptr from, size_t bytes) {
  return static_cast<CUresult>(cudaMemcpy(to, reinterpret_cast<const void*>(from), bytes, cudaMemcpyDeviceToHost));
}

CUresult cuPointerGetAttributes(unsigned count, CUpointer_attribute* asked, void** values, CUdeviceptr address) {
  const auto lock = lock_device();
  const Allocation* found = DeviceMemory::instance().find(address);
  for (unsigned i = 0; i < count; ++i)
    if (asked[i] == CU_POINTER_ATTRIBUTE_MEMORY_TYPE)
      *static_cast<unsigned*>(values[i]) = found != nullptr                        ? CU_MEMORYTYPE_DEVICE
                                           : is_registered_host_memory(address, 1) ? CU_MEMORYTYPE_HOST
                                                                                   : 0;
    else if (asked[i] == CU_POINTER_ATTRIBUTE_IS_MANAGED)
      *static_cast<unsigned*>(values[i]) = found != nullptr && found->managed;
    else
      return CUDA_ERROR_INVALID_VALUE;
  return CUDA_SUCCESS;
}
}
