// What a job's arguments must be.
#ifndef GFPQ_SRC_JOB_CHECKS_HPP
#define GFPQ_SRC_JOB_CHECKS_HPP

#include "gfpq_jobs.hpp"
#include "kernels/elements.hpp"

namespace gfpq {

/// Calls a macro for each element type with its number in the header.
#define GFPQ_FOR_EACH_ELEMENT(X)                                                                                       \
  X(GFPQ_FLOAT32, float)                                                                                               \
  X(GFPQ_FLOAT64, double)                                                                                              \
  X(GFPQ_FLOAT16, Float16)                                                                                             \
  X(GFPQ_BFLOAT16, BFloat16)

/// Calls `function` with a number of the element type. \return whether there is such a type; without it, nothing is
/// called.
template <class Function>
[[nodiscard]] bool with_element(unsigned type, const Function& function) {
  switch (type) {
#define GFPQ_CALL_WITH_ELEMENT(number, Element)                                                                        \
  case number:                                                                                                         \
    function(Element{});                                                                                               \
    return true;
    GFPQ_FOR_EACH_ELEMENT(GFPQ_CALL_WITH_ELEMENT)
#undef GFPQ_CALL_WITH_ELEMENT
  default:
    return false;
  }
}

/// The memory that jobs work on.
struct Memory {
  int (*check)(const void* begin); ///< that an address is of such memory. \return a status
  unsigned param_alignment;
};
extern const Memory host_memory;

/// Everything that can be said of jobs without a look at their numbers and parameters. \return a status.
[[nodiscard]] int check_jobs(const GFPQ_JOB_ST* jobs, unsigned int count, const Memory& memory);

/// Checks a vector of deltas for all groups of jobs whose numbers do not matter. \return a status.
[[nodiscard]] int check_deltas(const GFPQ_JOB_ST* jobs, unsigned int count, const int* deltas, std::size_t size);

} // namespace gfpq

#endif
