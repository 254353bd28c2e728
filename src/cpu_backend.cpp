#include "cpu_backend.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "environment.hpp"
#include "parts.hpp"

namespace gfpq {
namespace {

/// The smallest part that is worth a thread of its own: several times the cost to start one.
constexpr std::size_t bytes_per_thread = std::size_t(2) << 20;

bool is_for_one_thread(std::size_t bytes) { return bytes < 2 * bytes_per_thread; }

} // namespace

std::size_t CpuBackend::allowed_threads() {
  const char* const told = environment("OMP_NUM_THREADS");
  const long number = told != nullptr ? std::strtol(told, nullptr, 10) : 0;
  return number > 0 ? std::size_t(number) : std::thread::hardware_concurrency();
}

std::size_t CpuBackend::threads_for(std::size_t bytes) {
  return is_for_one_thread(bytes) ? 1 : std::min(bytes / bytes_per_thread, allowed_threads());
}

template <class Float>
typename Format<Float>::Bits CpuBackend::run_max_abs(const Target& target, const Float* data, std::size_t count) {
  using Bits = typename Format<Float>::Bits;
  const std::size_t threads = threads_for(count * sizeof(Float));
  const auto max_abs = [&](const Float* part, std::size_t size) -> Bits {
    return target.kernels<Float>().max_abs(part, size);
  };
  if (threads == 1) // the exchange below would cost a small call a third of its time
    return max_abs(data, count);
  std::atomic<Bits> maximum{0};
  for_each_part(data, count, threads,
                [&](const Float* part, std::size_t size) { raise(maximum, max_abs(part, size)); });
  return maximum;
}

namespace {

/// A tensor, or a thread's part of one.
template <class Width, class Float>
void fake_quantize_part(const Target& target, Float* part, std::size_t size, int delta) {
  target.kernels<Float>().template fake_quantize<Width>(part, size, delta);
}

template <class Width, class Float>
[[gnu::noinline]] void fake_quantize_parts(const Target& target, Float* data, std::size_t count, int delta) {
  for_each_part(data, count, CpuBackend::threads_for(count * sizeof(Float)),
                [&](Float* part, std::size_t size) { fake_quantize_part<Width>(target, part, size, delta); });
}

} // namespace

template <class Width, class Float>
void CpuBackend::run_fake_quantize(const Target& target, Float* data, std::size_t count, int delta) {
  if (is_for_one_thread(count * sizeof(Float))) // nothing to save and restore, which takes a small call a nanosecond
    fake_quantize_part<Width>(target, data, count, delta);
  else
    fake_quantize_parts<Width>(target, data, count, delta);
}

int CpuBackend::fail_target() {
  char names[16 * Targets::capacity] = "";
  for (const Target* target : supported_targets())
    std::snprintf(names + std::strlen(names), sizeof names - std::strlen(names), "%s%s", *names != '\0' ? ", " : "",
                  target->name);
  return GFPQ_FAIL(errors::target, environment("GFPQ_TARGET"), names);
}

template unsigned int CpuBackend::run_max_abs(const Target&, const float*, std::size_t);
template unsigned long long CpuBackend::run_max_abs(const Target&, const double*, std::size_t);
#define GFPQ_INSTANTIATE(Float, Width)                                                                                 \
  template void CpuBackend::run_fake_quantize<Width>(const Target&, Float*, std::size_t, int);
GFPQ_INSTANTIATE_ALL

} // namespace gfpq
