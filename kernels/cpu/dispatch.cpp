#include <cstring>

#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/scalar.hpp"
#include "kernels/environment.hpp"
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

const Target* chosen_target() {
  static const Target* const chosen = []() -> const Target* {
    const char* wanted = environment("GFPQ_TARGET");
    if (wanted == nullptr || *wanted == '\0')
      return supported_targets().front();
    for (const Target* target : supported_targets())
      if (std::strcmp(target->name, wanted) == 0)
        return target;
    return nullptr;
  }();
  return chosen;
}

} // namespace gfpq
