// The bit widths: the one list of them in the conformance code. golden/oracle/arithmetic.py has its own, so that
// neither can be wrong alone; the golden data are made from that one.
#ifndef GFPQ_CONFORMANCE_ORACLE_WIDTHS_HPP
#define GFPQ_CONFORMANCE_ORACLE_WIDTHS_HPP

#include <stdexcept>
#include <string>

namespace conformance {

struct Width {
  int bits;
  int steps;       ///< S, steps an octave
  int max_code;    ///< K
  int delta_limit; ///< R: delta lies in [-R, R]
};

inline constexpr Width widths[] = {{8, 16, 127, 511}, {16, 128, 1407, 4095}};

/// Throws std::invalid_argument for a width that is not in the list.
inline const Width& width_of(int bits) {
  for (const Width& width : widths)
    if (width.bits == bits)
      return width;
  throw std::invalid_argument("there is no width of " + std::to_string(bits) + " bit");
}

} // namespace conformance

#endif
