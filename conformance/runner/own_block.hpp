// Blocks of a library that lays them out in its own way. What they hold is learned by INIT, so that all but the layout
// can be judged.
#ifndef GFPQ_CONFORMANCE_RUNNER_OWN_BLOCK_HPP
#define GFPQ_CONFORMANCE_RUNNER_OWN_BLOCK_HPP

#include <optional>

#include "gfpq.hpp"

namespace conformance {

/// Whether INIT writes blocks that are none of the specification's, one for each delta, with which APPLY gives what
/// INIT gave, and with the specification's does not. Makes a few calls.
template <class Float>
bool writes_own_blocks(int bits);

/// The block that INIT writes where the data ask for delta; empty where it refuses. Kept from the first call on.
template <class Float>
std::optional<GFPQ_PARAM_ST> own_block(int bits, int delta);

/// The delta of a block that own_block has returned; empty for any other.
std::optional<int> delta_of_own_block(const GFPQ_PARAM_ST& param);

} // namespace conformance

#endif
