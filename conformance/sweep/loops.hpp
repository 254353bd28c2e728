// The loops over every float, apart from the rest so that they can be compiled for several instruction sets.
#ifndef GFPQ_CONFORMANCE_SWEEP_LOOPS_HPP
#define GFPQ_CONFORMANCE_SWEEP_LOOPS_HPP

#include <cstddef>
#include <cstdint>

namespace conformance {

/// first, first + 1, ...
void fill_consecutive(std::uint32_t* patterns, std::size_t count, std::uint32_t first);

bool all_equal(const std::uint32_t* patterns, std::size_t count, std::uint32_t want);

} // namespace conformance

#endif
