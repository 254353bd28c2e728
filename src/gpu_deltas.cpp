#include "gpu_deltas.hpp"

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>

#include "kernels/cuda/kernels.cuh"

namespace gfpq {
namespace {

/// Of one device: when its context ends, and with it the mapping, so does the workspaces' knowledge of the address.
/// Never freed: calls may come from destructors at the program's end.
struct alignas(4096) Page {
  volatile int deltas[cuda::workspaces];
};

constexpr int most_devices = 64;
std::atomic<Page*> pages[most_devices];
std::atomic<bool> is_refused[most_devices];

/// Whether the current device has the page mapped: a new context, after cudaDeviceReset, has not.
bool is_mapped(const Page* page) {
  cudaPointerAttributes place{};
  return cudaPointerGetAttributes(&place, page) == cudaSuccess && place.type == cudaMemoryTypeHost;
}

} // namespace

volatile int* delta_on_host(int device, unsigned workspace) {
  Page* const page = device < most_devices ? pages[device].load() : nullptr;
  return page == nullptr ? nullptr : &page->deltas[workspace];
}

int* delta_on_device(int device, unsigned workspace) {
  static std::mutex& mutex = *new std::mutex;
  if (device >= most_devices || is_refused[device])
    return nullptr;
  const std::lock_guard<std::mutex> lock(mutex);
  Page* page = pages[device].load();
  if (page == nullptr) {
    page = new (std::nothrow) Page;
    pages[device] = page;
  }
  if (page == nullptr)
    return nullptr;
  void* address = nullptr;
  if ((!is_mapped(page) && cudaHostRegister(page, sizeof *page, cudaHostRegisterMapped) != cudaSuccess) ||
      cudaHostGetDevicePointer(&address, page, 0) != cudaSuccess) {
    is_refused[device] = true;
    cudaGetLastError();
    return nullptr;
  }
  return static_cast<int*>(address) + workspace;
}

} // namespace gfpq
