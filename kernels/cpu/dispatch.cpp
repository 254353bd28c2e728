#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/scalar.hpp"
#ifndef GFPQ_SCALAR_ONLY
#include "kernels/cpu/simd.hpp"
#endif

namespace gfpq {

const Targets& supported_targets() {
  static const Targets targets = [] {
    Targets supported;
#ifndef GFPQ_SCALAR_ONLY
    for (const Target* target : compiled_simd_targets())
      if (target->is_supported())
        supported.add(*target);
#endif
    supported.add(scalar_target);
    return supported;
  }();
  return targets;
}

} // namespace gfpq
