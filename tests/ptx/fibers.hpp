// Stacks, and the switch from one to another, for x86-64. The threads of a block take turns tens of millions of times
// in a test: a switch has to cost less than the system call that the one of ucontext makes.
#ifndef GFPQ_TESTS_PTX_FIBERS_HPP
#define GFPQ_TESTS_PTX_FIBERS_HPP

#include <cstddef>
#include <vector>

namespace gfpq {
namespace ptx {

/// Stacks with a page behind each that can't be touched; they stay until the process ends.
class Stacks {
public:
  /// A stack pointer from which switch_stack starts `function`, which must never return.
  void* prepare(std::size_t index, void (*function)());

private:
  std::vector<unsigned char*> ends_;
};

/// Leaves the current stack, whose pointer it saves, for another.
extern "C" void gfpq_ptx_switch_stack(void** saved, void* next);

} // namespace ptx
} // namespace gfpq

#endif
