// The memory that is worked on: equal copies of one tensor, handed out so that each is cold or warm when its turn
// comes.
#ifndef GFPQ_BENCH_TENSORS_HPP
#define GFPQ_BENCH_TENSORS_HPP

#include <cstddef>
#include <memory>
#include <vector>

#include "machine.hpp"
#include "row.hpp"

namespace bench {

/// How many copies, and in which groups they are worked on. One timed interval is one group: a call on a small tensor
/// is too short for a clock.
struct TensorPlan {
  TensorPlan(const Machine& machine, std::size_t bytes, Cache cache);

  std::size_t total_bytes() const { return groups * group_size * stride; }

  std::size_t stride;     ///< from copy to copy, whole cache lines
  std::size_t group_size; ///< copies in a group
  std::size_t groups;     ///< odd, so that calls and limits in turn each come by every group
};

class Tensors {
public:
  Tensors(const TensorPlan& plan, std::size_t bytes, int threads);

  const TensorPlan& plan() const { return plan_; }

  /// Copies `source` into all, unless they were filled with it.
  void fill(const void* source);

  /// Copies the source into the tensors of a group again.
  void restore(std::size_t group);

  /// Says that some may not hold the source any more.
  void spoil() { source_ = nullptr; }

  /// The next group's number. Between two uses of it all other groups have their turn.
  std::size_t next() { return step_++ % plan_.groups; }

  void* at(std::size_t group, std::size_t index) const;

private:
  TensorPlan plan_;
  std::size_t bytes_;
  int threads_;
  const void* source_ = nullptr;
  std::size_t step_ = 0;
  std::size_t leap_;
  struct Unmap {
    std::size_t bytes;
    void operator()(void* memory) const;
  };
  std::unique_ptr<void, Unmap> memory_;
};

} // namespace bench

#endif
