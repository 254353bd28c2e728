// Host memory between two pages that tell when they are touched.
#ifndef GFPQ_CONFORMANCE_RUNNER_GUARDED_MEMORY_HPP
#define GFPQ_CONFORMANCE_RUNNER_GUARDED_MEMORY_HPP

#include <cstddef>

#include "runner/platform.hpp"

namespace conformance {

/// Whole pages, with a page before and a page behind that may be neither read nor written. A touch, by whichever
/// thread, is noted and then let through, so that the run goes on.
class GuardedMemory {
public:
  explicit GuardedMemory(std::size_t bytes);
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  /// Room for `bytes` that begins right behind the first guard, or that ends right before the last.
  void* at_front() const;
  void* at_back(std::size_t bytes) const;

  enum class Touched { none, before, behind };
  /// Which guard has been touched since the last asking.
  Touched touched();

private:
  std::size_t size_;
  char* pages_;
  FaultHandler fault_handler_;
};

} // namespace conformance

#endif
