#include "gpu_workspace.hpp"

#include <condition_variable>
#include <mutex>
#include <numeric>
#include <vector>

#include "kernels/cuda/kernels.cuh"

namespace gfpq {
namespace {

struct Idle {
  std::mutex mutex;
  std::condition_variable given_back;
  std::vector<unsigned> numbers = std::vector<unsigned>(cuda::workspaces);

  Idle() { std::iota(numbers.begin(), numbers.end(), 0u); }
};

/// Never destroyed: calls may come from destructors at the program's end.
Idle& idle() {
  static Idle& idle = *new Idle;
  return idle;
}

} // namespace

GpuWorkspace::GpuWorkspace() {
  std::unique_lock<std::mutex> lock(idle().mutex);
  idle().given_back.wait(lock, [] { return !idle().numbers.empty(); });
  number_ = idle().numbers.back();
  idle().numbers.pop_back();
}

GpuWorkspace::~GpuWorkspace() {
  {
    const std::lock_guard<std::mutex> lock(idle().mutex);
    idle().numbers.push_back(number_);
  }
  idle().given_back.notify_one();
}

} // namespace gfpq
