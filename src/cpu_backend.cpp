#include "cpu_backend.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace gfpq {
namespace {

/// The least that is worth a thread of its own: some 30 microseconds of work.
constexpr std::size_t bytes_per_thread = std::size_t(1) << 20;

constexpr std::size_t cache_line = 64;

int threads_for(std::size_t bytes) {
#ifdef _OPENMP
  if (bytes >= 2 * bytes_per_thread && !omp_in_parallel())
    return int(std::min(bytes / bytes_per_thread, std::size_t(omp_get_max_threads())));
#else
  static_cast<void>(bytes);
#endif
  return 1;
}

/// Where the calling thread's part of a tensor begins and ends: at cache lines, so that no two threads write to one.
struct Part {
  std::size_t begin, end;
};

template <class Float>
Part threads_part(const Float* data, std::size_t count) {
#ifdef _OPENMP
  const std::size_t threads = std::size_t(omp_get_num_threads()), thread = std::size_t(omp_get_thread_num());
  const auto border = [&](std::size_t index) {
    const std::size_t at = count / threads * index;
    const std::size_t beyond_line = reinterpret_cast<std::uintptr_t>(data + at) % cache_line / sizeof(Float);
    return index == 0 ? 0 : index == threads ? count : at - std::min(at, beyond_line);
  };
  return {border(thread), border(thread + 1)};
#else
  static_cast<void>(data);
  return {0, count};
#endif
}

} // namespace

template <class Float>
typename Format<Float>::Bits CpuBackend::run_max_abs(const Target& target, const Float* data, std::size_t count) {
  const Kernels<Float>& kernels = target.kernels<Float>();
  const int threads = threads_for(count * sizeof(Float));
  if (threads == 1)
    return kernels.max_abs(data, count);
  typename Format<Float>::Bits maximum = 0;
#pragma omp parallel num_threads(threads) reduction(max : maximum)
  {
    const Part part = threads_part(data, count);
    maximum = kernels.max_abs(data + part.begin, part.end - part.begin);
  }
  return maximum;
}

template <class W, class Float>
void CpuBackend::run_quantize(const Target& target, Float* data, std::size_t count, int delta) {
  const Kernels<Float>& kernels = target.kernels<Float>();
  const int threads = threads_for(count * sizeof(Float));
  if (threads == 1)
    return kernels.template quantize<W>(data, count, delta);
#pragma omp parallel num_threads(threads)
  {
    const Part part = threads_part(data, count);
    kernels.template quantize<W>(data + part.begin, part.end - part.begin, delta);
  }
}

int CpuBackend::fail_target() {
  std::string names;
  for (const Target* target : supported_targets())
    names += (names.empty() ? "" : ", ") + std::string(target->name);
  return GFPQ_FAIL(errors::target, std::getenv("GFPQ_TARGET"), names.c_str());
}

template unsigned int CpuBackend::run_max_abs(const Target&, const float*, std::size_t);
template unsigned long long CpuBackend::run_max_abs(const Target&, const double*, std::size_t);
template void CpuBackend::run_quantize<Width8>(const Target&, float*, std::size_t, int);
template void CpuBackend::run_quantize<Width16>(const Target&, float*, std::size_t, int);
template void CpuBackend::run_quantize<Width8>(const Target&, double*, std::size_t, int);
template void CpuBackend::run_quantize<Width16>(const Target&, double*, std::size_t, int);

} // namespace gfpq
