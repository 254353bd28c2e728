#include "loops.hpp"

#ifdef GFPQ_SWEEP_CLONES // by the machine, at the program's start
#define GFPQ_EACH_INSTRUCTION_SET __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define GFPQ_EACH_INSTRUCTION_SET
#endif

namespace conformance {

GFPQ_EACH_INSTRUCTION_SET void fill_consecutive(std::uint32_t* patterns, std::size_t count, std::uint32_t first) {
  for (std::size_t i = 0; i < count; ++i)
    patterns[i] = first + static_cast<std::uint32_t>(i);
}

GFPQ_EACH_INSTRUCTION_SET bool all_equal(const std::uint32_t* patterns, std::size_t count, std::uint32_t want) {
  std::uint32_t differing = 0;
  for (std::size_t i = 0; i < count; ++i)
    differing |= patterns[i] ^ want;
  return differing == 0;
}

} // namespace conformance
