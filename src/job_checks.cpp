#include "job_checks.hpp"

#include <cstdint>

#include "cpu_backend.hpp"
#include "kernels/codes.hpp"

namespace gfpq {
namespace {

/// A piece of the caller's memory.
struct Piece {
  const char* name;
  const void* begin;
  std::size_t bytes;
  unsigned alignment;

  bool overlaps(const Piece& other) const {
    const auto here = reinterpret_cast<std::uintptr_t>(begin), there = reinterpret_cast<std::uintptr_t>(other.begin);
    return bytes > 0 && other.bytes > 0 && here < there + other.bytes && there < here + bytes;
  }
};

/// That a piece is there, and where it should be. \return a status.
int check_piece(const Piece& piece, const Memory& memory) {
  if (piece.bytes == 0)
    return GFPQ_SUCCESS;
  if (piece.begin == nullptr)
    return GFPQ_FAIL(errors::empty_pointer);
  if (reinterpret_cast<std::uintptr_t>(piece.begin) % piece.alignment != 0)
    return GFPQ_FAIL(errors::misaligned, piece.begin, piece.alignment);
  return memory.check(piece.begin);
}

/// That an address space holds the job. \return a status.
int check_shape(const GFPQ_JOB_ST& job) {
  constexpr std::size_t most = PTRDIFF_MAX / sizeof(double);
  const bool holds_groups = job.groups <= PTRDIFF_MAX / sizeof(GFPQ_GROUP_PARAM_ST);
  const bool has_numbers = job.outer > 0 && job.groups > 0 && job.inner > 0;
  if (!holds_groups || (has_numbers && (job.outer > most / job.groups || job.outer * job.groups > most / job.inner)))
    return GFPQ_FAIL(errors::shape, job.outer, job.groups, job.inner);
  return GFPQ_SUCCESS;
}

int check_memory(const GFPQ_JOB_ST& job, const Memory& memory, unsigned element_size, unsigned code_size) {
  const std::size_t count = job.outer * job.groups * job.inner;
  const unsigned in_size = job.operation == GFPQ_DECODE ? code_size : element_size;
  const unsigned out_size = job.operation == GFPQ_ENCODE ? code_size : element_size;
  const Piece source{"source", job.source, count * in_size, in_size};
  const Piece destination{"destination", job.destination, count * out_size, out_size};
  const Piece params{"params", job.params, job.groups * sizeof(GFPQ_GROUP_PARAM_ST), memory.param_alignment};
  const Piece mask{"mask", job.mask, job.mask != nullptr ? count : 0, 1};
  const Piece* const pieces[] = {&source, &destination, &params, &mask};
  for (const Piece* const piece : pieces)
    if (const int status = check_piece(*piece, memory); status != GFPQ_SUCCESS)
      return status;

  const bool is_in_place = job.operation == GFPQ_FAKE_QUANTIZE && job.source == job.destination;
  if (!is_in_place && destination.overlaps(source))
    return GFPQ_FAIL(errors::overlap, destination.name, source.name);
  const Piece* const pairs[][2] = {
      {&params, &source}, {&params, &destination}, {&mask, &source}, {&mask, &destination}, {&mask, &params}};
  for (const auto& [one, other] : pairs)
    if (one->overlaps(*other))
      return GFPQ_FAIL(errors::overlap, one->name, other->name);
  return GFPQ_SUCCESS;
}

} // namespace

const Memory host_memory = {[](const void* begin) { return CpuBackend::check(chosen_target(), begin); },
                            alignof(GFPQ_GROUP_PARAM_ST)};

namespace {

int check_job(const GFPQ_JOB_ST& job, const Memory& memory) {
  if (job.operation > GFPQ_DECODE)
    return GFPQ_FAIL(errors::operation, job.operation);
  unsigned element_size = 0, code_size = 0;
  if (!with_element(job.type, [&](auto element) { element_size = sizeof element; }))
    return GFPQ_FAIL(errors::type, job.type);
  if (!with_width(job.bit_width, [&](auto width) { code_size = sizeof(typename Codes<decltype(width)>::Code); }))
    return GFPQ_FAIL(errors::bit_width, job.bit_width, WidthNames().text);
  if (job.mode > GFPQ_MODE_AUTO)
    return GFPQ_FAIL(errors::job_mode, job.mode);
  if (job.operation == GFPQ_DECODE && job.mode != GFPQ_MODE_APPLY_ONLY)
    return GFPQ_FAIL(errors::decode_mode, job.mode);
  if (job.operation == GFPQ_DECODE && job.mask != nullptr)
    return GFPQ_FAIL(errors::decode_mask);
  if (const int status = check_shape(job); status != GFPQ_SUCCESS)
    return status;
  return check_memory(job, memory, element_size, code_size);
}

} // namespace

int check_jobs(const GFPQ_JOB_ST* jobs, unsigned int count, const Memory& memory) {
  if (count > 0 && jobs == nullptr)
    return GFPQ_FAIL(errors::empty_pointer);
  for (unsigned i = 0; i < count; ++i)
    if (const int status = check_job(jobs[i], memory); status != GFPQ_SUCCESS)
      return status;
  return GFPQ_SUCCESS;
}

int check_deltas(const GFPQ_JOB_ST* jobs, unsigned int count, const int* deltas, std::size_t size) {
  if (count == 0)
    return GFPQ_SUCCESS;
  if (jobs == nullptr)
    return GFPQ_FAIL(errors::empty_pointer);
  std::size_t groups = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (!with_width(jobs[i].bit_width, [](auto) {}))
      return GFPQ_FAIL(errors::bit_width, jobs[i].bit_width, WidthNames().text);
    if (jobs[i].params == nullptr && jobs[i].groups > 0)
      return GFPQ_FAIL(errors::empty_pointer);
    groups += jobs[i].groups;
  }
  if (groups > 0 && deltas == nullptr)
    return GFPQ_FAIL(errors::empty_pointer);
  return groups > size ? GFPQ_FAIL(errors::short_vector, size, groups) : GFPQ_SUCCESS;
}

} // namespace gfpq
