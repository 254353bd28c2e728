#include "device_memory.hpp"

#include <cuda.h>
#include <dlfcn.h>
#include <link.h>

#include <atomic>

namespace gfpq {
namespace {

using Ask = decltype(&cuPointerGetAttributes);

/// How many libraries the process has ever loaded: far faster to read than to look one up by its name.
unsigned long long libraries_loaded() {
  unsigned long long count = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* loaded) {
        *static_cast<unsigned long long*>(loaded) = info->dlpi_adds;
        return 1;
      },
      &count);
  return count;
}

/// The driver's function, where somebody has loaded the driver: without it no device memory can be, and to load it
/// would make a CPU call wait for the GPUs to start.
Ask find_ask() {
  static std::atomic<Ask> found{nullptr};
  static std::atomic<unsigned long long> looked_at{0};
  if (const Ask ask = found.load(std::memory_order_relaxed))
    return ask;
  const unsigned long long libraries = libraries_loaded();
  if (libraries == looked_at.load(std::memory_order_relaxed))
    return nullptr;
  if (void* const driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD))
    found = reinterpret_cast<Ask>(dlsym(driver, "cuPointerGetAttributes"));
  looked_at = libraries;
  return found;
}

} // namespace

bool is_device_memory(const void* data) {
  const Ask ask = find_ask();
  if (ask == nullptr)
    return false;
  unsigned type = 0, is_managed = 0;
  CUpointer_attribute attributes[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_IS_MANAGED};
  void* values[] = {&type, &is_managed};
  return ask(2, attributes, values, reinterpret_cast<CUdeviceptr>(data)) == CUDA_SUCCESS &&
         type == CU_MEMORYTYPE_DEVICE && is_managed == 0;
}

} // namespace gfpq
