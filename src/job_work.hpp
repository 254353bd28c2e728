// Does a job whose arguments have been checked.
#ifndef GFPQ_SRC_JOB_WORK_HPP
#define GFPQ_SRC_JOB_WORK_HPP

#include "gfpq_jobs.hpp"

namespace gfpq {

/// Does all of its groups that can be done. \return the status of the first that cannot, reported.
[[nodiscard]] int do_job(const GFPQ_JOB_ST& job);

} // namespace gfpq

#endif
