#include <windows.h>

#include <stdexcept>

#include "cases/system.hpp"
#include "runner/case.hpp"

namespace conformance {

void set_read_only(void* pages, std::size_t bytes) {
  DWORD former;
  VirtualProtect(pages, bytes, PAGE_READONLY, &former);
}

void run_on_stack_of(std::size_t bytes, const std::function<void()>& work) {
  const auto call = [](void* function) -> DWORD {
    (*static_cast<const std::function<void()>*>(function))();
    return 0;
  };
  const HANDLE thread = CreateThread(nullptr, bytes, call, const_cast<std::function<void()>*>(&work),
                                     STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr);
  if (thread == nullptr)
    throw std::runtime_error("no thread with a stack of " + std::to_string(bytes) + " bytes can be started");
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
}

Interruptions::Interruptions() = default;
Interruptions::~Interruptions() = default;
void Interruptions::allow() {}

InterruptedWaits::InterruptedWaits() = default;
InterruptedWaits::~InterruptedWaits() = default;

std::string changed_handlers(const std::function<void()>&) { throw Skip("Windows has no handlers with flags"); }

std::string run_in_child(const std::function<std::string()>&, unsigned) {
  throw Skip("Windows does not fork processes");
}

bool is_sanitized() { return false; }

void refuse_threads_and_memory() { throw Skip("a process without threads is written for POSIX alone"); }

void break_standard_output(BrokenOutput) { throw Skip("Windows has no file that is a full disk"); }

std::optional<Resources> resources_in_use() { return std::nullopt; }

RepeatedMemory::RepeatedMemory(std::size_t bytes) : bytes_(bytes), mapped_(0), begin_(nullptr) {
  throw Skip("memory that is mapped again and again is written for Linux alone");
}

RepeatedMemory::~RepeatedMemory() = default;

ReservedMemory::ReservedMemory(std::size_t bytes) : bytes_(bytes), begin_(nullptr) {
  throw Skip("memory that ends a child process is written for POSIX alone");
}

ReservedMemory::~ReservedMemory() = default;

} // namespace conformance
