#include "cpu_backend.hpp"

#include <cstdlib>
#include <string>

namespace gfpq {

int CpuBackend::fail_target() {
  std::string names;
  for (const Target* target : supported_targets())
    names += (names.empty() ? "" : ", ") + std::string(target->name);
  return GFPQ_FAIL(errors::target, std::getenv("GFPQ_TARGET"), names.c_str());
}

} // namespace gfpq
