#include "target_choice.hpp"

#include <cstring>

#include "environment.hpp"

namespace gfpq {

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
