#include "fibers.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

// What a function must keep is on its stack while another runs.
asm(R"(
  .text
  .globl gfpq_ptx_switch_stack
  .hidden gfpq_ptx_switch_stack
  .type gfpq_ptx_switch_stack, @function
gfpq_ptx_switch_stack:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
  .size gfpq_ptx_switch_stack, . - gfpq_ptx_switch_stack
)");

namespace gfpq {
namespace ptx {
namespace {

constexpr std::size_t page_bytes = 4096, stack_bytes = 64 << 10; // a kernel's registers are on it
constexpr unsigned saved_registers = 6;

unsigned char* new_stack_end() {
  void* begin = mmap(nullptr, page_bytes + stack_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (begin == MAP_FAILED || mprotect(begin, page_bytes, PROT_NONE) != 0) {
    std::perror("a thread's stack");
    std::exit(1);
  }
  return static_cast<unsigned char*>(begin) + page_bytes + stack_bytes;
}

} // namespace

void* Stacks::prepare(std::size_t index, void (*function)()) {
  while (ends_.size() <= index)
    ends_.push_back(new_stack_end());
  auto* top = reinterpret_cast<std::uint64_t*>(ends_[index]);
  *--top = 0; // as if it were called: the stack pointer is aligned as the ABI wants
  *--top = reinterpret_cast<std::uint64_t>(function);
  for (unsigned i = 0; i < saved_registers; ++i)
    *--top = 0;
  return top;
}

} // namespace ptx
} // namespace gfpq
