// The library under test: known by its file and by the interface of gfpq.hpp alone.
#ifndef GFPQ_CONFORMANCE_RUNNER_LIBRARY_HPP
#define GFPQ_CONFORMANCE_RUNNER_LIBRARY_HPP

#include <stdexcept>
#include <string>
#include <vector>

#include "gfpq.hpp"

namespace conformance {

enum class Device { cpu, gpu };

/// A function that the library should have and has not.
struct MissingFunction : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Library {
public:
  /// Throws std::runtime_error with the loader's reason where the file is no library.
  explicit Library(const std::string& path);

  const std::string& path() const { return path_; }
  std::string file_name() const;

  /// The names of gfpq.hpp's functions that the library does not export.
  const std::vector<std::string>& missing() const { return missing_; }

  // These throw MissingFunction where the library has none.
  int quantize(Device device, float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) const;
  int quantize(Device device, double* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) const;
  int quantize_py(Device device, float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) const;
  int get_info(GFPQ_INFO_ST* info) const;

  /// The version as the library tells it; all zero where it does not.
  GFPQ_INFO_ST info() const;

private:
  template <class Float>
  using Quantize = int(Float*, unsigned, unsigned, GFPQ_PARAM_ST*);
  template <class Float>
  using QuantizeGpu = int(Float*, unsigned, unsigned, GFPQ_PARAM_ST*, void*, void*);

  std::string path_;
  std::vector<std::string> missing_;
  Quantize<float>* quantize_float_;
  Quantize<double>* quantize_double_;
  Quantize<float>* quantize_py_;
  QuantizeGpu<float>* quantize_gpu_float_;
  QuantizeGpu<double>* quantize_gpu_double_;
  QuantizeGpu<float>* quantize_gpu_py_;
  int (*get_info_)(GFPQ_INFO_ST*);
};

/// `1.1.5`
std::string version_of(const Library& library);

} // namespace conformance

#endif
