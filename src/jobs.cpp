// The entry points of gfpq_jobs.hpp.
#include "gfpq_jobs.hpp"

#include <limits>

#include "group_param.hpp"
#include "job_checks.hpp"
#include "job_work.hpp"

namespace gfpq {
namespace {

static_assert(GFPQ_NEVER_SET == std::numeric_limits<int>::min(), "below every delta");
static_assert(sizeof(GFPQ_GROUP_PARAM_ST) == 64 && alignof(GFPQ_GROUP_PARAM_ST) == 4, "as the header says");

/// That a parameter can be had from `delta`, which may stand for none. \return a status.
template <class Width>
int check_delta(int delta) {
  if (delta == GFPQ_NEVER_SET || is_delta_of<Width>(delta))
    return GFPQ_SUCCESS;
  return GFPQ_FAIL(errors::delta, delta, Width::delta_limit, Width::delta_limit, Width::bits);
}

void set_param(GFPQ_GROUP_PARAM_ST& param, int delta) {
  param = GFPQ_GROUP_PARAM_ST{};
  if (delta != GFPQ_NEVER_SET)
    encode_block(delta, param.buf);
}

/// Calls `function(param, place in the vector, width)` for all groups, up to the first status that is an error, which
/// it returns.
template <class Function>
int for_each_param(const GFPQ_JOB_ST* jobs, unsigned int count, const Function& function) {
  std::size_t place = 0;
  int status = GFPQ_SUCCESS;
  for (unsigned i = 0; i < count; ++i)
    for (std::size_t group = 0; group < jobs[i].groups; ++group, ++place) {
      const bool is_known =
          with_width(jobs[i].bit_width, [&](auto width) { status = function(jobs[i].params[group], place, width); });
      if (!is_known || status != GFPQ_SUCCESS)
        return status;
    }
  return status;
}

} // namespace
} // namespace gfpq

int GFPQ_RunJobs(const GFPQ_JOB_ST* jobs, unsigned int count) {
  if (const int status = gfpq::check_jobs(jobs, count, gfpq::host_memory); status != GFPQ_SUCCESS)
    return status;
  int first = GFPQ_SUCCESS;
  for (unsigned i = 0; i < count; ++i) {
    const int status = gfpq::do_job(jobs[i]);
    first = first != GFPQ_SUCCESS ? first : status;
  }
  return first;
}

int GFPQ_GetBlocks(const GFPQ_GROUP_PARAM_ST* params, size_t count, GFPQ_PARAM_ST* blocks) {
  if (count > 0 && (params == nullptr || blocks == nullptr))
    return GFPQ_FAIL(gfpq::errors::empty_pointer);
  for (size_t i = 0; i < count; ++i)
    std::copy(std::begin(params[i].buf), std::end(params[i].buf), blocks[i].buf);
  return GFPQ_SUCCESS;
}

int GFPQ_SetBlocks(GFPQ_GROUP_PARAM_ST* params, size_t count, unsigned int bit_width, const GFPQ_PARAM_ST* blocks) {
  if (count > 0 && (params == nullptr || blocks == nullptr))
    return GFPQ_FAIL(gfpq::errors::empty_pointer);
  int status = GFPQ_SUCCESS;
  const bool is_known = gfpq::with_width(bit_width, [&](auto width) {
    using Width = decltype(width);
    for (size_t i = 0; i < count && status == GFPQ_SUCCESS; ++i)
      if (!gfpq::was_never_set(blocks[i].buf) && !gfpq::delta_held<Width>(blocks[i].buf))
        status = gfpq::fail_block<Width>(blocks[i].buf);
  });
  if (!is_known)
    return GFPQ_FAIL(gfpq::errors::bit_width, bit_width, gfpq::WidthNames().text);
  for (size_t i = 0; i < count && status == GFPQ_SUCCESS; ++i) {
    params[i] = GFPQ_GROUP_PARAM_ST{};
    std::copy(std::begin(blocks[i].buf), std::end(blocks[i].buf), params[i].buf);
  }
  return status;
}

int GFPQ_GetDeltas(const GFPQ_JOB_ST* jobs, unsigned int count, int* deltas, size_t size) {
  if (const int status = gfpq::check_deltas(jobs, count, deltas, size); status != GFPQ_SUCCESS)
    return status;
  const int status = gfpq::for_each_param(jobs, count, [](GFPQ_GROUP_PARAM_ST& param, size_t, auto width) {
    using Width = decltype(width);
    const bool is_right = gfpq::was_never_set(param.buf) || gfpq::delta_held<Width>(param.buf);
    return is_right ? GFPQ_SUCCESS : gfpq::fail_block<Width>(param.buf);
  });
  if (status != GFPQ_SUCCESS)
    return status;
  return gfpq::for_each_param(jobs, count, [&](GFPQ_GROUP_PARAM_ST& param, size_t place, auto width) {
    deltas[place] = gfpq::delta_held<decltype(width)>(param.buf).value_or(GFPQ_NEVER_SET);
    return GFPQ_SUCCESS;
  });
}

int GFPQ_SetDeltas(const GFPQ_JOB_ST* jobs, unsigned int count, const int* deltas, size_t size) {
  if (const int status = gfpq::check_deltas(jobs, count, deltas, size); status != GFPQ_SUCCESS)
    return status;
  const int status = gfpq::for_each_param(jobs, count, [&](GFPQ_GROUP_PARAM_ST&, size_t place, auto width) {
    return gfpq::check_delta<decltype(width)>(deltas[place]);
  });
  if (status != GFPQ_SUCCESS)
    return status;
  return gfpq::for_each_param(jobs, count, [&](GFPQ_GROUP_PARAM_ST& param, size_t place, auto) {
    gfpq::set_param(param, deltas[place]);
    return GFPQ_SUCCESS;
  });
}
