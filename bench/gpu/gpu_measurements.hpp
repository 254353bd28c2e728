// Measures the rows of a GPU, one after the other, and keeps their data for the next round.
#ifndef GFPQ_BENCH_GPU_GPU_MEASUREMENTS_HPP
#define GFPQ_BENCH_GPU_GPU_MEASUREMENTS_HPP

#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "data.hpp"
#include "gpu/device.hpp"
#include "gpu/gpu_library.hpp"
#include "gpu/kernels.hpp"
#include "row.hpp"

namespace bench {

/// A row's name with the segment that says that it is of a GPU.
std::string gpu_name(const Row& row);

/// The first numbers of a tensor of a data set, of which all others are repetitions, and what must come out of them.
template <class Float>
struct Prepared {
  std::vector<Float> source;
  Float largest = 0; ///< magnitude in it
  Expected<Float> expected;
  std::unique_ptr<DeviceMemory> on_device, expected_on_device;
};

class GpuMeasurements {
public:
  /// \param peer where it is null, the peer is CUB's transform.
  GpuMeasurements(const Device& device, const GpuLibrary& library, const GpuLibrary* peer);
  ~GpuMeasurements();
  GpuMeasurements(const GpuMeasurements&) = delete;
  GpuMeasurements& operator=(const GpuMeasurements&) = delete;

  /// One repetition of a row.
  void measure(benchmark::State& state, const Row& row);

  /// Device memory that a row needs.
  std::size_t memory_of(const Row& row) const;

  /// Allocates memory for all rows to come: what one of them freed the driver would clear while the next is measured.
  void reserve(std::size_t bytes);

private:
  template <class Float>
  class Repetition;

  template <class Float>
  const Prepared<Float>& prepare(const Row& row);

  Device device_;
  const GpuLibrary& library_;
  const GpuLibrary* const peer_;
  cudaStream_t stream_ = nullptr;
  std::map<std::string, Prepared<float>> f32_; ///< by data, count and bit width: each round needs all of them again
  std::map<std::string, Prepared<double>> f64_;
  std::unique_ptr<DeviceMemory> memory_;
  std::size_t memory_bytes_ = 0;
  std::size_t kept_bytes_ = 0;                  ///< of the device's memory
  std::map<std::string, ScaleWay> fastest_way_; ///< by operation, type, count and cache
};

} // namespace bench

#endif
