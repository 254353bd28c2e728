#include "guarded_memory.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <new>

namespace conformance {
namespace {

// What the signal handler needs; one GuardedMemory lives at a time.
struct Guards {
  char* before = nullptr;
  char* behind = nullptr;
  std::size_t page = 0;
  std::atomic<bool> touched_before{false}, touched_behind{false};
  struct sigaction former;
} guards;

void handle_fault(int, siginfo_t* info, void*) {
  const auto* address = static_cast<char*>(info->si_addr);
  const auto let_through = [&](char* guard, std::atomic<bool>& touched) {
    if (guard == nullptr || address < guard || address >= guard + guards.page)
      return false;
    touched = true;
    mprotect(guard, guards.page, PROT_READ | PROT_WRITE);
    return true; // the instruction is tried again, and succeeds
  };
  if (let_through(guards.before, guards.touched_before) || let_through(guards.behind, guards.touched_behind))
    return;
  sigaction(SIGSEGV, &guards.former, nullptr); // not ours: fault again, under the former handler
}

} // namespace

GuardedMemory::GuardedMemory(std::size_t bytes) {
  guards.page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t inner = (bytes + guards.page - 1) / guards.page * guards.page;
  void* all = mmap(nullptr, inner + 2 * guards.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED)
    throw std::bad_alloc();
  guards.before = static_cast<char*>(all);
  front_ = guards.before + guards.page;
  back_ = guards.behind = front_ + inner;
  struct sigaction action = {};
  action.sa_sigaction = handle_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &guards.former);
  touched();
}

GuardedMemory::~GuardedMemory() {
  sigaction(SIGSEGV, &guards.former, nullptr);
  munmap(guards.before, static_cast<std::size_t>(guards.behind - guards.before) + guards.page);
  guards.before = guards.behind = nullptr;
}

GuardedMemory::Touched GuardedMemory::touched() {
  mprotect(guards.before, guards.page, PROT_NONE);
  mprotect(guards.behind, guards.page, PROT_NONE);
  const bool before = guards.touched_before.exchange(false), behind = guards.touched_behind.exchange(false);
  return before ? Touched::before : behind ? Touched::behind : Touched::none;
}

} // namespace conformance
