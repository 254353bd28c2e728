#include "tensors.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <numeric>

#include "limits.hpp"

namespace bench {
namespace {

constexpr std::size_t line_bytes = 64;
constexpr std::size_t cold_group_bytes = 256 << 10; // tens of microseconds a group, so that the clock costs nothing
constexpr std::size_t most_in_group = 1024;
constexpr std::size_t split_copy_from = 1 << 20; // below, threads would only scatter a tensor over their caches

std::size_t how_many(std::size_t room, std::size_t stride) {
  return std::clamp<std::size_t>(room / stride, 1, most_in_group);
}

void* map(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    throw std::bad_alloc();
  return memory;
}

/// A step that visits all of `count` in an order that no prefetcher guesses.
std::size_t scattering_step(std::size_t count) {
  auto step = static_cast<std::size_t>(0.618 * static_cast<double>(count));
  while (step > 1 && std::gcd(step, count) != 1)
    --step;
  return std::max<std::size_t>(step, 1);
}

} // namespace

TensorPlan::TensorPlan(const Machine& machine, std::size_t bytes, Cache cache)
    : stride((bytes + line_bytes - 1) / line_bytes * line_bytes) {
  if (cache == Cache::cold) {
    group_size = how_many(cold_group_bytes, stride);
    const std::size_t between = 2 * machine.last_level_cache();
    groups = std::max<std::size_t>(3, between / (group_size * stride) + 2) | 1;
    return;
  }
  // Half a cache for the tensors leaves the other half for the code, tables and stack.
  constexpr std::size_t enough_calls = 4;
  groups = 1;
  group_size = how_many(machine.cache_l1d_bytes / 2, stride);
  if (group_size < enough_calls)
    group_size = how_many(machine.cache_l2_bytes / 2, stride);
}

Tensors::Tensors(const TensorPlan& plan, std::size_t bytes, int threads)
    : plan_(plan), bytes_(bytes), threads_(threads), leap_(scattering_step(plan.groups * plan.group_size)),
      memory_(map(plan.total_bytes()), Unmap{plan.total_bytes()}) {}

void Tensors::Unmap::operator()(void* memory) const { munmap(memory, bytes); }

void Tensors::fill(const void* source) {
  if (source_ == source)
    return;
  source_ = source;
  for (std::size_t group = 0; group < plan_.groups; ++group)
    restore(group);
  step_ = 0;
}

void Tensors::restore(std::size_t group) {
  const int threads = bytes_ < split_copy_from ? 1 : threads_;
  for (std::size_t index = 0; index < plan_.group_size; ++index)
    copy_bytes(at(group, index), source_, bytes_, threads);
}

void* Tensors::at(std::size_t group, std::size_t index) const {
  const std::size_t position = (group * plan_.group_size + index) * leap_ % (plan_.groups * plan_.group_size);
  return static_cast<char*>(memory_.get()) + position * plan_.stride;
}

} // namespace bench
