// Which instruction set's kernels the library runs.
#ifndef GFPQ_SRC_TARGET_CHOICE_HPP
#define GFPQ_SRC_TARGET_CHOICE_HPP

#include "kernels/cpu/kernels.hpp"

namespace gfpq {

/// The one that the environment's GFPQ_TARGET names, else the fastest. Chosen at the first call, for good.
/// Null where GFPQ_TARGET names none of supported_targets().
const Target* chosen_target();

} // namespace gfpq

#endif
