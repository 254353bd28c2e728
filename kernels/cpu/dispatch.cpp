#include <cstdlib>
#include <cstring>

#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/scalar.hpp"

namespace gfpq {

const std::vector<const Target*>& supported_targets() {
  static const std::vector<const Target*> targets{&scalar_target};
  return targets;
}

const Target* chosen_target() {
  static const Target* const chosen = []() -> const Target* {
    const char* wanted = std::getenv("GFPQ_TARGET");
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
