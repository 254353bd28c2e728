// CUDA's runtime: kernels and variables, as nvcc's code on the host registers and launches them.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "ptx_device.hpp"
#include "streams.hpp"

namespace gfpq {
namespace ptx {
namespace {

/// Names by nvcc's handles on the host. They are looked up when used: translated code may register itself later.
std::map<const void*, std::string>& names() {
  static auto& all = *new std::map<const void*, std::string>;
  return all;
}

std::string name_of(const void* handle) {
  const auto found = names().find(handle);
  return found == names().end() ? "" : found->second;
}

std::vector<unsigned char> packed(const Kernel& kernel, void** arguments) {
  std::vector<unsigned char> parameters;
  for (std::size_t i = 0; i < kernel.parameters.size(); ++i) {
    const Parameter& parameter = kernel.parameters[i];
    parameters.resize(parameter.offset + parameter.size);
    std::memcpy(parameters.data() + parameter.offset, arguments[i], parameter.size);
  }
  return parameters;
}

cudaError_t launch(const void* handle, dim3 grid, dim3 block, void** arguments, std::size_t dynamic_shared_bytes,
                   cudaStream_t stream) {
  const auto lock = lock_device();
  const Kernel* kernel = Kernel::find(name_of(handle));
  if (kernel == nullptr)
    return done(cudaErrorInvalidDeviceFunction);
  const bool has_one_dimension = grid.y == 1 && grid.z == 1 && block.y == 1 && block.z == 1;
  if (!has_one_dimension || dynamic_shared_bytes != 0)
    fault("a launch of a form that is not stood in for, of " + kernel->name);
  if (grid.x == 0 || grid.x > 0x7FFFFFFFu || block.x == 0 || block.x > kernel->most_threads)
    return done(cudaErrorInvalidConfiguration);
  ++counters.launches;
  enqueue(stream_of(stream),
          [=, parameters = packed(*kernel, arguments)] { run(*kernel, grid.x, block.x, parameters); });
  return cudaSuccess;
}

struct Configuration {
  dim3 grid, block;
  std::size_t shared_bytes;
  cudaStream_t stream;
};
thread_local Configuration configuration;

/// To standard error at the program's end, where GFPQ_PTX_REPORT is set.
struct Report {
  ~Report() {
    if (std::getenv("GFPQ_PTX_REPORT") == nullptr)
      return;
    const auto kernels = Kernel::all();
    const auto ran =
        std::count_if(kernels.begin(), kernels.end(), [](const Kernel* kernel) { return kernel->runs != 0; });
    std::fprintf(stderr, "GPU: %lu launches, %lu waits, %lu copies; %ld of %zu kernels ran\n", counters.launches,
                 counters.waits, counters.copies, static_cast<long>(ran), kernels.size());
    std::fprintf(stderr, "GPU: %lu blocks, %lu barriers, %lu global loads, %lu stores, %lu atomics\n", counters.blocks,
                 counters.barriers, counters.loads, counters.stores, counters.atomics);
  }
} report;

} // namespace
} // namespace ptx
} // namespace gfpq

using namespace gfpq::ptx;

// CUDA's headers declare none of these: nvcc's own code declares and calls them.
extern "C" {

void** __cudaRegisterFatBinary(void*) {
  static void* handle;
  return &handle;
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}

void __cudaRegisterFunction(void**, const char* handle, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*,
                            int*) {
  const auto lock = lock_device();
  names()[handle] = name;
}

void __cudaRegisterVar(void**, char* handle, char*, const char* name, int, std::size_t, int, int) {
  const auto lock = lock_device();
  names()[handle] = name;
}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream) {
  configuration = {grid, block, shared_bytes, stream};
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared_bytes, void* stream) {
  *grid = configuration.grid;
  *block = configuration.block;
  *shared_bytes = configuration.shared_bytes;
  *static_cast<cudaStream_t*>(stream) = configuration.stream;
  return cudaSuccess;
}

cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* handle) {
  *kernel = static_cast<cudaKernel_t>(const_cast<void*>(handle));
  return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared_bytes,
                               cudaStream_t stream) {
  return launch(kernel, grid, block, arguments, shared_bytes, stream);
}

cudaError_t cudaLaunchKernel(const void* handle, dim3 grid, dim3 block, void** arguments, std::size_t shared_bytes,
                             cudaStream_t stream) {
  return launch(handle, grid, block, arguments, shared_bytes, stream);
}

cudaError_t cudaGetSymbolAddress(void** address, const void* handle) {
  const auto lock = lock_device();
  *address = reinterpret_cast<void*>(Variable::find(name_of(handle)));
  return *address != nullptr ? cudaSuccess : done(cudaErrorInvalidSymbol);
}
}
