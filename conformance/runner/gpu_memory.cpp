#include "runner/gpu_memory.hpp"

#include <stdexcept>
#include <type_traits>
#include <utility>

#include "runner/platform.hpp"

namespace conformance {
namespace {

// The few functions of libcuda that are needed, with its own names and stable types.
using CUresult = int;
using CUdevice = int;
using CUcontext = void*;
using CUdeviceptr = unsigned long long;

struct Driver {
  CUresult (*cuInit)(unsigned);
  CUresult (*cuDeviceGet)(CUdevice*, int);
  CUresult (*cuDevicePrimaryCtxRetain)(CUcontext*, CUdevice);
  CUresult (*cuCtxSetCurrent)(CUcontext);
  CUresult (*cuMemAlloc_v2)(CUdeviceptr*, std::size_t);
  CUresult (*cuMemFree_v2)(CUdeviceptr);
  CUresult (*cuMemcpyHtoD_v2)(CUdeviceptr, const void*, std::size_t);
  CUresult (*cuMemcpyDtoH_v2)(void*, CUdeviceptr, std::size_t);
  CUresult (*cuCtxSynchronize)();
  CUcontext context = nullptr; // the primary one, which libraries built on the runtime use too
  std::string problem;

  Driver() { problem = load(); }

  std::string load() {
    void* library;
    try {
      library = load_library(cuda_driver_library);
    } catch (const std::runtime_error& error) {
      return std::string("no NVIDIA driver: ") + error.what();
    }
    std::string missing;
    const auto resolve = [&](auto& function, const char* symbol) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(find_symbol(library, symbol));
      if (function == nullptr)
        missing = symbol;
      return function != nullptr;
    };
    if (!resolve(cuInit, "cuInit") || !resolve(cuDeviceGet, "cuDeviceGet") ||
        !resolve(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain") ||
        !resolve(cuCtxSetCurrent, "cuCtxSetCurrent") || !resolve(cuMemAlloc_v2, "cuMemAlloc_v2") ||
        !resolve(cuMemFree_v2, "cuMemFree_v2") || !resolve(cuMemcpyHtoD_v2, "cuMemcpyHtoD_v2") ||
        !resolve(cuMemcpyDtoH_v2, "cuMemcpyDtoH_v2") || !resolve(cuCtxSynchronize, "cuCtxSynchronize"))
      return "the NVIDIA driver is too old: it lacks " + missing;
    CUdevice device;
    if (cuInit(0) != 0 || cuDeviceGet(&device, 0) != 0 || cuDevicePrimaryCtxRetain(&context, device) != 0)
      return "the NVIDIA driver finds no GPU";
    return "";
  }
};

const Driver& driver() {
  static const Driver driver;
  return driver;
}

void require(CUresult result, const char* what) {
  if (result != 0)
    throw std::runtime_error(std::string(what) + " failed with CUDA error " + std::to_string(result));
}

/// Memory that a thread used and will use again: half a million calls would otherwise mostly wait for cuMemAlloc.
struct Kept {
  CUdeviceptr address = 0;
  std::size_t bytes = 0;

  Kept() = default;
  ~Kept() {
    if (address != 0)
      driver().cuMemFree_v2(address);
  }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
};
thread_local Kept kept;
constexpr std::size_t most_kept = std::size_t(64) << 20;

} // namespace

const std::string& gpu_problem() { return driver().problem; }

GpuMemory::GpuMemory(std::size_t bytes) : bytes_(bytes) {
  require(driver().cuCtxSetCurrent(driver().context), "cuCtxSetCurrent");
  if (bytes <= kept.bytes) {
    std::swap(address_, kept.address);
    std::swap(room_, kept.bytes);
    return;
  }
  require(driver().cuMemAlloc_v2(&address_, bytes), "cuMemAlloc");
  room_ = bytes;
}

GpuMemory::~GpuMemory() {
  if (room_ > kept.bytes && room_ <= most_kept) {
    std::swap(address_, kept.address);
    std::swap(room_, kept.bytes);
  }
  if (address_ != 0)
    driver().cuMemFree_v2(address_);
}

void GpuMemory::upload(const void* from) { require(driver().cuMemcpyHtoD_v2(address_, from, bytes_), "cuMemcpyHtoD"); }

void GpuMemory::download(void* to) const {
  require(driver().cuCtxSynchronize(), "cuCtxSynchronize");
  require(driver().cuMemcpyDtoH_v2(to, address_, bytes_), "cuMemcpyDtoH");
}

} // namespace conformance
