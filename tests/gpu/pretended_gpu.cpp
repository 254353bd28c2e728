// A GPU for machines without one, as far as the conformance runner asks: NVIDIA's driver and a GPU library in one file.
// Its memory can be used neither by the host nor by CPU functions, and its GPU functions take no other.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "gfpq_jobs.hpp"

namespace {

/// Memory that is mapped twice: for nobody at the address that the caller knows, and for the GPU's functions.
struct Allocation {
  std::size_t bytes;
  char* for_gpu;
};

struct Memory {
  std::mutex mutex;
  std::map<char*, Allocation> allocations;
};

Memory& memory() {
  static Memory& memory = *new Memory;
  return memory;
}

/// Where the GPU finds `bytes` bytes; null where they are not all its own.
char* for_gpu(const void* address, std::size_t bytes) {
  const std::lock_guard<std::mutex> lock(memory().mutex);
  char* const wanted = static_cast<char*>(const_cast<void*>(address));
  auto found = memory().allocations.upper_bound(wanted);
  if (found == memory().allocations.begin())
    return nullptr;
  --found;
  const auto offset = static_cast<std::size_t>(wanted - found->first);
  return offset < found->second.bytes && bytes <= found->second.bytes - offset ? found->second.for_gpu + offset
                                                                               : nullptr;
}

constexpr int success = 0, invalid_value = 1, out_of_memory = 2; // of CUresult

template <class Float>
int quantize(Float* data, unsigned count, unsigned bit_width, GFPQ_PARAM_ST* param) {
  if (data == nullptr)
    return HI_GFPQ_QuantAndDeQuant(data, count, bit_width, param);
  char* const found = for_gpu(data, count * sizeof(Float));
  return found == nullptr ? GFPQ_ERR_BAD_PARAMETERS
                          : HI_GFPQ_QuantAndDeQuant(reinterpret_cast<Float*>(found), count, bit_width, param);
}

} // namespace

extern "C" {
#define DRIVER_FUNCTION __attribute__((visibility("default"))) int

DRIVER_FUNCTION cuInit(unsigned) { return success; }
DRIVER_FUNCTION cuDeviceGet(int* device, int) { return *device = 0, success; }
DRIVER_FUNCTION cuDevicePrimaryCtxRetain(void** context, int) { return *context = &memory(), success; }
DRIVER_FUNCTION cuCtxSetCurrent(void*) { return success; }
DRIVER_FUNCTION cuCtxSynchronize() { return success; }

DRIVER_FUNCTION cuMemAlloc_v2(unsigned long long* address, std::size_t bytes) {
  const int file = memfd_create("gpu", 0);
  if (file < 0 || ftruncate(file, static_cast<off_t>(bytes)) != 0)
    return out_of_memory;
  void* const for_nobody = mmap(nullptr, bytes, PROT_NONE, MAP_SHARED, file, 0);
  void* const for_gpu = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (for_nobody == MAP_FAILED || for_gpu == MAP_FAILED)
    return out_of_memory;
  const std::lock_guard<std::mutex> lock(memory().mutex);
  memory().allocations[static_cast<char*>(for_nobody)] = {bytes, static_cast<char*>(for_gpu)};
  *address = reinterpret_cast<unsigned long long>(for_nobody);
  return success;
}

DRIVER_FUNCTION cuMemFree_v2(unsigned long long address) {
  const std::lock_guard<std::mutex> lock(memory().mutex);
  const auto found = memory().allocations.find(reinterpret_cast<char*>(address));
  if (found == memory().allocations.end())
    return invalid_value;
  munmap(found->first, found->second.bytes);
  munmap(found->second.for_gpu, found->second.bytes);
  memory().allocations.erase(found);
  return success;
}

DRIVER_FUNCTION cuMemcpyHtoD_v2(unsigned long long to, const void* from, std::size_t bytes) {
  char* const found = for_gpu(reinterpret_cast<void*>(to), bytes);
  return found == nullptr ? invalid_value : (std::memcpy(found, from, bytes), success);
}

DRIVER_FUNCTION cuMemcpyDtoH_v2(void* to, unsigned long long from, std::size_t bytes) {
  const char* const found = for_gpu(reinterpret_cast<void*>(from), bytes);
  return found == nullptr ? invalid_value : (std::memcpy(to, found, bytes), success);
}

} // extern "C"

GFPQ_API int HI_GFPQ_QuantAndDeQuant_GPU(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param,
                                         void*, void*) {
  return quantize(data, count, bit_width, param);
}

GFPQ_API int HI_GFPQ_QuantAndDeQuant_GPU(double* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param,
                                         void*, void*) {
  return quantize(data, count, bit_width, param);
}

extern "C" GFPQ_API int HI_GFPQ_QuantAndDeQuant_GPU_PY(float* data, unsigned int count, unsigned int bit_width,
                                                       GFPQ_PARAM_ST* param, void*, void*) {
  return quantize(data, count, bit_width, param);
}

extern "C" GFPQ_API int GFPQ_RunJobs_GPU(const GFPQ_JOB_ST* jobs, unsigned int count, void*) {
  std::vector<GFPQ_JOB_ST> found(jobs, jobs + count);
  bool all_are_there = true;
  const auto find = [&](auto*& address) {
    if (address == nullptr)
      return;
    char* const there = for_gpu(address, 1);
    all_are_there = all_are_there && there != nullptr;
    address = reinterpret_cast<std::remove_reference_t<decltype(address)>>(there);
  };
  for (GFPQ_JOB_ST& job : found) {
    find(job.source);
    find(job.destination);
    find(job.params);
    find(job.mask);
  }
  if (!all_are_there)
    return GFPQ_ERR_BAD_PARAMETERS;
  const int status = GFPQ_RunJobs(found.data(), count);
  for (const GFPQ_JOB_ST& job : found)
    for (std::size_t group = 0; group < job.groups; ++group)
      if (job.params[group].status != GFPQ_SUCCESS)
        return GFPQ_SUCCESS; // which the parameter tells, and not the call
  return status;
}
