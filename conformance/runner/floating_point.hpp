// The control bits of floating point: rounding, traps, and what becomes of denormal numbers. The flags that operations
// raise are no part of it.
#ifndef GFPQ_CONFORMANCE_RUNNER_FLOATING_POINT_HPP
#define GFPQ_CONFORMANCE_RUNNER_FLOATING_POINT_HPP

#include <cstdint>
#include <string>

namespace conformance {

struct FloatingPointControl {
  std::uint64_t vector = 0; ///< MXCSR's control bits, FPCR
  std::uint16_t x87 = 0;
  bool operator==(const FloatingPointControl& other) const { return vector == other.vector && x87 == other.x87; }
};

/// Of this thread. Always the same where the processor is not known here.
FloatingPointControl floating_point_control();
void set_floating_point_control(const FloatingPointControl& control);

/// `MXCSR 0x9f80 instead of 0x1f80 (flush to zero)`
std::string describe_change(const FloatingPointControl& want, const FloatingPointControl& got);

} // namespace conformance

#endif
