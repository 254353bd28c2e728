// A job as the GPU is told of it.
#ifndef GFPQ_SRC_GPU_JOB_PLAN_HPP
#define GFPQ_SRC_GPU_JOB_PLAN_HPP

#include <cstddef>
#include <optional>

#include "gfpq_jobs.hpp"
#include "kernels/cuda/job_units.hpp"

namespace gfpq {

static_assert(sizeof(cuda::GroupParam) == sizeof(GFPQ_GROUP_PARAM_ST), "one parameter, seen from both sides");
static_assert(offsetof(cuda::GroupParam, status) == offsetof(GFPQ_GROUP_PARAM_ST, status));
static_assert(offsetof(cuda::GroupParam, units_done) >= offsetof(GFPQ_GROUP_PARAM_ST, reserved));
static_assert(cuda::job_init == unsigned(GFPQ_MODE_INIT) && cuda::job_update == unsigned(GFPQ_MODE_UPDATE) &&
              cuda::job_apply_only == unsigned(GFPQ_MODE_APPLY_ONLY) && cuda::job_auto == GFPQ_MODE_AUTO);
static_assert(cuda::job_success == GFPQ_SUCCESS && cuda::job_bad_format == GFPQ_ERR_BAD_FORMAT &&
              cuda::job_bad_parameters == GFPQ_ERR_BAD_PARAMETERS);
static_assert(cuda::job_never_set == GFPQ_NEVER_SET && cuda::job_damaged == GFPQ_DAMAGED);

/// More units than these are none that a GPU has memory for.
constexpr std::size_t max_job_units = 0x7fffffff;

/// What the GPU needs to know of a job of one group or more that was checked; its `end_unit` is the number of its
/// units. Nothing where they are too many.
inline std::optional<cuda::Job> plan_job(const GFPQ_JOB_ST& job, unsigned element_size) {
  const std::size_t unit = cuda::unit_size(element_size), count = job.outer * job.inner;
  const bool is_one_row = job.groups == 1 || job.outer <= 1 || count == 0;
  const std::size_t row = is_one_row ? count : job.inner, rows = is_one_row ? 1 : job.outer;
  const bool has_own_rows = is_one_row || row >= cuda::shortest_own_row;
  const auto units_for = [unit](std::size_t numbers) { return numbers == 0 ? 1 : (numbers - 1) / unit + 1; };
  const std::size_t row_units = units_for(row), group_units = has_own_rows ? row_units * rows : units_for(count);
  if (group_units > max_job_units || job.groups > max_job_units / group_units)
    return std::nullopt;
  cuda::Job planned{};
  planned.source = job.source;
  planned.destination = job.destination;
  planned.params = reinterpret_cast<cuda::GroupParam*>(job.params);
  planned.mask = job.mask;
  planned.row = row;
  planned.stride = job.groups * row;
  planned.count = count;
  planned.end_unit = static_cast<unsigned>(group_units * job.groups);
  planned.group_units = static_cast<unsigned>(group_units);
  planned.row_units = has_own_rows ? static_cast<unsigned>(row_units) : 0;
  planned.mode = job.mode;
  return planned;
}

/// Whether one kernel does all of a job.
inline bool ends_at_once(const GFPQ_JOB_ST& job) {
  return job.operation == GFPQ_DECODE ? job.bit_width == GFPQ_BIT_WIDTH_8BIT : job.mode == GFPQ_MODE_APPLY_ONLY;
}

} // namespace gfpq

#endif
