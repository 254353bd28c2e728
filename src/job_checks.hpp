// What a job's arguments must be.
#ifndef GFPQ_SRC_JOB_CHECKS_HPP
#define GFPQ_SRC_JOB_CHECKS_HPP

#include "gfpq_jobs.hpp"
#include "kernels/elements.hpp"

namespace gfpq {

/// Calls `function` with a number of the element type. \return whether there is such a type; without it, nothing is
/// called.
template <class Function>
[[nodiscard]] bool with_element(unsigned type, const Function& function) {
  switch (type) {
  case GFPQ_FLOAT32: // NOLINT(bugprone-branch-clone): each calls another function
    function(float());
    return true;
  case GFPQ_FLOAT64:
    function(double());
    return true;
  case GFPQ_FLOAT16:
    function(Float16());
    return true;
  case GFPQ_BFLOAT16:
    function(BFloat16());
    return true;
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
