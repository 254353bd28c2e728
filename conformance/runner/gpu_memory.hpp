// Device memory by way of CUDA's driver library, loaded at run time: the runner builds and runs without CUDA.
#ifndef GFPQ_CONFORMANCE_RUNNER_GPU_MEMORY_HPP
#define GFPQ_CONFORMANCE_RUNNER_GPU_MEMORY_HPP

#include <cstddef>
#include <string>

namespace conformance {

/// Why no GPU can be used here; empty where one can.
const std::string& gpu_problem();

/// A piece of the first GPU's memory. Throws std::runtime_error where CUDA returns an error.
class GpuMemory {
public:
  explicit GpuMemory(std::size_t bytes);
  ~GpuMemory();
  GpuMemory(const GpuMemory&) = delete;
  GpuMemory& operator=(const GpuMemory&) = delete;

  void* address(std::size_t offset = 0) const { return reinterpret_cast<void*>(address_ + offset); }
  void upload(const void* from);
  /// Waits for the default stream's work first.
  void download(void* to) const;

private:
  unsigned long long address_ = 0;
  std::size_t bytes_, room_ = 0;
};

} // namespace conformance

#endif
