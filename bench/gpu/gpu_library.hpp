// A library's GPU functions, known by its file alone.
#ifndef GFPQ_BENCH_GPU_GPU_LIBRARY_HPP
#define GFPQ_BENCH_GPU_GPU_LIBRARY_HPP

#include "gfpq_jobs.hpp"
#include "library.hpp"

namespace bench {

class GpuLibrary {
public:
  explicit GpuLibrary(const std::string& path);

  int quantize(float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param, void* stream) const {
    return quantize_float_(data, count, bits, param, stream, nullptr);
  }
  int quantize(double* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param, void* stream) const {
    return quantize_double_(data, count, bits, param, stream, nullptr);
  }

  /// Whether it has this project's own interface for device memory.
  bool has_jobs() const { return run_jobs_ != nullptr; }
  int run(const GFPQ_JOB_ST& job, void* stream) const { return run_jobs_(&job, 1, stream); }

  /// The same library's CPU functions.
  const Library& on_cpu() const { return on_cpu_; }

private:
  Library on_cpu_;
  int (*quantize_float_)(float*, unsigned, unsigned, GFPQ_PARAM_ST*, void*, void*) = nullptr;
  int (*run_jobs_)(const GFPQ_JOB_ST*, unsigned, void*) = nullptr;
  int (*quantize_double_)(double*, unsigned, unsigned, GFPQ_PARAM_ST*, void*, void*) = nullptr;
};

} // namespace bench

#endif
