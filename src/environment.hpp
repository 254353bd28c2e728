// Environment variables, as a library may read them.
#ifndef GFPQ_SRC_ENVIRONMENT_HPP
#define GFPQ_SRC_ENVIRONMENT_HPP

#include <cstdlib>

namespace gfpq {

/// A variable's value, or null. A program with more rights than its caller (set-user-ID, file capabilities) sees none:
/// its caller must not choose a file that it writes.
inline const char* environment(const char* name) {
#ifdef __GLIBC__
  return secure_getenv(name);
#else
  return std::getenv(name);
#endif
}

} // namespace gfpq

#endif
