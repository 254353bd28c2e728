// Calls that a library must refuse.
#ifndef GFPQ_CONFORMANCE_CASES_REFUSALS_HPP
#define GFPQ_CONFORMANCE_CASES_REFUSALS_HPP

#include <string>

#include "cases/everywhere.hpp"

namespace conformance {

/// Bit widths that there are not: all small ones, and those of which a library that looks at some bits alone might take
/// 8 or 16.
std::vector<unsigned> bad_widths();
/// Modes that there are not, likewise.
std::vector<unsigned> bad_modes();

/// A well-formed block for any delta, by the formula of the specification.
GFPQ_PARAM_ST well_formed(unsigned mode, int delta);
bool is_well_formed(const GFPQ_PARAM_ST& param);

/// What is checked of a refused call: its status, and that data and parameter are untouched.
struct RefusalChecks {
  Checks &status, &untouched;
};

/// Makes the call on `count` numbers. `param` null: without parameter.
template <class Float>
void check_refused(RefusalChecks checks, unsigned bits, const GFPQ_PARAM_ST* param, int status, const std::string& note,
                   std::size_t count = 5);

} // namespace conformance

#endif
