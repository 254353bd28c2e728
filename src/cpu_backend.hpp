// Runs the two passes on the CPU, on host memory: large tensors on several threads.
#ifndef GFPQ_SRC_CPU_BACKEND_HPP
#define GFPQ_SRC_CPU_BACKEND_HPP

#include <cstddef>

#include "device_memory.hpp"
#include "errors.hpp"
#include "kernels/cpu/kernels.hpp"
#include "target_choice.hpp"

namespace gfpq {

class CpuBackend {
public:
  template <class Width, class Float>
  [[nodiscard]] int fake_quantize(Float* data, std::size_t count, int delta) {
    const Target* const target = chosen_target();
    if (const int status = check(target, data); status != GFPQ_SUCCESS)
      return status;
    run_fake_quantize<Width>(*target, data, count, delta);
    return GFPQ_SUCCESS;
  }

  template <class Width, class Float>
  [[nodiscard]] int fit_and_fake_quantize(Float* data, std::size_t count, int lowest_delta, int& delta) {
    const Target* const target = chosen_target();
    if (const int status = check(target, data); status != GFPQ_SUCCESS)
      return status;
    delta = ladder<Float, Width>.delta(run_max_abs(*target, data, count), lowest_delta);
    run_fake_quantize<Width>(*target, data, count, delta);
    return GFPQ_SUCCESS;
  }

  /// The passes. What they return and write does not depend on the number of threads.
  template <class Float>
  static typename Format<Float>::Bits run_max_abs(const Target& target, const Float* data, std::size_t count);
  template <class Width, class Float>
  static void run_fake_quantize(const Target& target, Float* data, std::size_t count, int delta);

  /// As OMP_NUM_THREADS says, else one for each CPU that the caller may run on.
  static std::size_t allowed_threads();
  /// As many of them as are worth their while on a tensor of that size.
  static std::size_t threads_for(std::size_t bytes);

  /// Whether there is a target, and the CPU can work on the memory. \return a status.
  [[nodiscard]] static int check(const Target* target, const void* data) {
    if (target == nullptr)
      return fail_target();
    return is_device_memory(data) ? GFPQ_FAIL(errors::device_pointer) : GFPQ_SUCCESS;
  }

private:
  [[nodiscard]] static int fail_target();
};

} // namespace gfpq

#endif
