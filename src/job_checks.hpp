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

/// Everything that can be said of a job without a look at its numbers and parameters. \return a status.
[[nodiscard]] int check_job(const GFPQ_JOB_ST& job);

/// The parameters of a job whose numbers do not matter. \return a status.
[[nodiscard]] int check_params_of(const GFPQ_JOB_ST& job);

} // namespace gfpq

#endif
