// Runs the two passes on the CPU, on host memory.
#ifndef GFPQ_SRC_CPU_BACKEND_HPP
#define GFPQ_SRC_CPU_BACKEND_HPP

#include <cstddef>

#include "errors.hpp"
#include "kernels/cpu/kernels.hpp"

namespace gfpq {

class CpuBackend {
public:
  template <class W, class Float>
  int quantize(Float* data, std::size_t count, int delta) {
    const Target* target = chosen_target();
    if (target == nullptr)
      return fail_target();
    target->kernels<Float>().template quantize<W>(data, count, delta);
    return GFPQ_SUCCESS;
  }

  template <class W, class Float>
  int fit_and_quantize(Float* data, std::size_t count, int lowest_delta, int& delta) {
    const Target* target = chosen_target();
    if (target == nullptr)
      return fail_target();
    const int wanted = ladder<Float, W>.delta(target->kernels<Float>().max_abs(data, count));
    delta = wanted > lowest_delta ? wanted : lowest_delta;
    return quantize<W>(data, count, delta);
  }

private:
  static int fail_target();
};

} // namespace gfpq

#endif
