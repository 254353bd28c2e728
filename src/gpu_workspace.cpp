#include "gpu_workspace.hpp"

#include <algorithm>
#include <mutex>
#include <vector>

namespace gfpq {
namespace {

constexpr std::size_t workspace_bytes = std::max(sizeof(cuda::Workspace<float>), sizeof(cuda::Workspace<double>));

struct Pool {
  std::mutex mutex;
  std::vector<GpuWorkspace> idle;
};

/// Never destroyed: at the program's end CUDA may be gone before us, and takes the memory with it.
Pool& pool() {
  static Pool& pool = *new Pool;
  return pool;
}

} // namespace

cudaError_t take_workspace(int device, cudaStream_t stream, GpuWorkspace& workspace) {
  {
    const std::lock_guard<std::mutex> lock(pool().mutex);
    auto& idle = pool().idle;
    const auto found =
        std::find_if(idle.begin(), idle.end(), [device](const GpuWorkspace& one) { return one.device == device; });
    if (found != idle.end()) {
      workspace = *found;
      idle.erase(found);
      return cudaSuccess;
    }
  }
  GpuWorkspace made{device, nullptr, nullptr};
  cudaError_t error = cudaMalloc(&made.on_device, workspace_bytes);
  if (error == cudaSuccess)
    error = cudaHostAlloc(reinterpret_cast<void**>(&made.delta), sizeof(int), cudaHostAllocPortable);
  if (error == cudaSuccess)
    error = cudaMemsetAsync(made.on_device, 0, workspace_bytes, stream);
  if (error == cudaSuccess) {
    workspace = made;
  } else {
    cudaFree(made.on_device);
    cudaFreeHost(made.delta);
  }
  return error;
}

void give_back_workspace(const GpuWorkspace& workspace) {
  const std::lock_guard<std::mutex> lock(pool().mutex);
  pool().idle.push_back(workspace);
}

} // namespace gfpq
