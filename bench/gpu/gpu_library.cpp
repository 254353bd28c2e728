#include "gpu/gpu_library.hpp"

#include <dlfcn.h>

#include <filesystem>

namespace bench {

GpuLibrary::GpuLibrary(const std::string& path) : on_cpu_(path) {
  void* const handle = dlopen(std::filesystem::absolute(path).c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto resolve = [&](auto& function, const char* symbol) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, symbol));
    if (function == nullptr)
      throw LibraryError(path + ": does not export " + symbol);
  };
  resolve(quantize_float_, "_Z27HI_GFPQ_QuantAndDeQuant_GPUPfjjP14_GFPQ_PARAM_STPvS2_");
  resolve(quantize_double_, "_Z27HI_GFPQ_QuantAndDeQuant_GPUPdjjP14_GFPQ_PARAM_STPvS2_");
  run_jobs_ = reinterpret_cast<decltype(run_jobs_)>(dlsym(handle, "GFPQ_RunJobs_GPU"));
}

} // namespace bench
