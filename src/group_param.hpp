// The block of a group's parameter, and the delta in it.
#ifndef GFPQ_SRC_GROUP_PARAM_HPP
#define GFPQ_SRC_GROUP_PARAM_HPP

#include <algorithm>
#include <iterator>
#include <optional>

#include "gfpq_jobs.hpp"
#include "modes.hpp"
#include "parameter_block.hpp"

namespace gfpq {

inline bool was_never_set(const unsigned char (&block)[GFPQ_PARAM_LEN]) {
  return std::all_of(std::begin(block), std::end(block), [](unsigned char byte) { return byte == 0; });
}

template <class Width>
bool is_delta_of(int delta) {
  return delta >= -Width::delta_limit && delta <= Width::delta_limit;
}

/// The block's delta, or nothing where it is none of this width's. As read_delta(), without a message.
template <class Width>
std::optional<int> delta_held(const unsigned char (&block)[GFPQ_PARAM_LEN]) {
  const std::optional<int> stored = decode_block(block);
  return stored && is_delta_of<Width>(*stored) ? stored : std::nullopt;
}

/// The mode that a job's AUTO is for a group; another stays as it is.
inline unsigned mode_of(const GFPQ_JOB_ST& job, const GFPQ_GROUP_PARAM_ST& param) {
  if (job.mode != GFPQ_MODE_AUTO)
    return job.mode;
  return was_never_set(param.buf) ? GFPQ_MODE_INIT : GFPQ_MODE_UPDATE;
}

inline void set_status(GFPQ_GROUP_PARAM_ST& param, int status) {
  if (param.status != status) // other calls may share it
    param.status = status;
}

/// Reports what is wrong with a block that holds no delta of this width. \return the status.
template <class Width>
[[nodiscard]] int fail_block(const unsigned char (&block)[GFPQ_PARAM_LEN]) {
  GFPQ_PARAM_ST param{};
  std::copy(std::begin(block), std::end(block), param.buf);
  int delta = 0;
  return read_delta<Width>(param, delta);
}

} // namespace gfpq

#endif
