#include "runner/guarded_memory.hpp"

#include <atomic>

#include "runner/platform.hpp"

namespace conformance {
namespace {

// What the fault handler needs; one GuardedMemory lives at a time.
struct Guards {
  char* before = nullptr;
  char* behind = nullptr;
  std::atomic<bool> touched_before{false}, touched_behind{false};
} guards;

/// Notes a touch, and lets it through.
bool repair(const void* touched) {
  const auto* address = static_cast<const char*>(touched);
  const auto let_through = [&](char* guard, std::atomic<bool>& touched_guard) {
    if (address < guard || address >= guard + page_size())
      return false;
    touched_guard = true;
    set_accessible(guard, page_size(), true);
    return true;
  };
  return let_through(guards.before, guards.touched_before) || let_through(guards.behind, guards.touched_behind);
}

std::size_t whole_pages(std::size_t bytes) { return (bytes + page_size() - 1) / page_size() * page_size(); }

} // namespace

GuardedMemory::GuardedMemory(std::size_t bytes)
    : size_(whole_pages(bytes) + 2 * page_size()), pages_(static_cast<char*>(allocate_pages(size_))),
      fault_handler_(repair) {
  guards.before = pages_;
  guards.behind = pages_ + size_ - page_size();
  touched();
}

GuardedMemory::~GuardedMemory() { free_pages(pages_, size_); }

void* GuardedMemory::at_front() const { return guards.before + page_size(); }

void* GuardedMemory::at_back(std::size_t bytes) const { return guards.behind - bytes; }

GuardedMemory::Touched GuardedMemory::touched() {
  set_accessible(guards.before, page_size(), false);
  set_accessible(guards.behind, page_size(), false);
  const bool before = guards.touched_before.exchange(false), behind = guards.touched_behind.exchange(false);
  return before ? Touched::before : behind ? Touched::behind : Touched::none;
}

} // namespace conformance
