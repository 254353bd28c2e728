// What cases ask of the operating system, and some systems lack: system_posix.cpp and system_windows.cpp.
#ifndef GFPQ_CONFORMANCE_CASES_SYSTEM_HPP
#define GFPQ_CONFORMANCE_CASES_SYSTEM_HPP

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <thread>

namespace conformance {

/// Lets pages be read, but not written.
void set_read_only(void* pages, std::size_t bytes);

/// Runs `work` on a thread with a stack of so many bytes, or of the least that the system gives, where that is more.
void run_on_stack_of(std::size_t bytes, const std::function<void()>& work);

/// While it lives, the threads that are started are interrupted every few microseconds, wherever they are, and sleep
/// for a moment: others then run in the midst of what they do, also where there is one processor alone. Nothing on
/// Windows.
class Interruptions {
public:
  Interruptions();
  ~Interruptions();
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

  /// In a thread that is to be interrupted.
  static void allow();
};

/// While it lives, the thread that made it is interrupted each time it sleeps while other threads run, which are held
/// for some milliseconds first: what it waits for is then not done where the wait ends too early. Nothing on Windows.
class InterruptedWaits {
public:
  InterruptedWaits();
  ~InterruptedWaits();
  InterruptedWaits(const InterruptedWaits&) = delete;
  InterruptedWaits& operator=(const InterruptedWaits&) = delete;

  /// How often the thread was interrupted up to now.
  int count() const { return count_; }

private:
  std::atomic<bool> ended_{false};
  std::atomic<int> count_{0};
  std::thread watcher_;
};

/// Runs `calls` under handlers, with flags and a mask of their own, for the signals that libraries care for, and with
/// an alarm to come. \return the signals whose handling is another afterwards, and whether the alarm is lost. Throws
/// Skip where the system has no such handlers.
std::string changed_handlers(const std::function<void()>& calls);

/// Runs `work` in a forked child. \return what it returned, or what became of the child where it did not return within
/// `seconds`. Throws Skip where processes cannot be forked, and where `work` does.
std::string run_in_child(const std::function<std::string()>& work, unsigned seconds);

/// Whether a sanitizer watches this program. It keeps memory, and locks, of its own.
bool is_sanitized();

/// Has the system refuse the process more threads, and more than a little memory, from now on. Throws Skip where that
/// cannot be done.
void refuse_threads_and_memory();

/// Has standard output go to a full disk, or closes it, from now on. Throws Skip where there is no such disk.
enum class BrokenOutput { full_disk, closed };
void break_standard_output(BrokenOutput how);

/// What the process holds, as far as the system tells, and where no sanitizer adds its own.
struct Resources {
  std::size_t heap_bytes; ///< that are allocated; 0 where the C library does not tell
  std::size_t resident_bytes, address_bytes, open_files, threads;
};
std::optional<Resources> resources_in_use();

/// `bytes` of address space on a few MiB of memory. The first and the last `chunk` bytes have memory of their own, and
/// every chunk between the same: what is written to one is in all. Behind them is a page that may not be touched.
class RepeatedMemory {
public:
  static constexpr std::size_t chunk = std::size_t(4) << 20;

  /// Throws Skip where the system does not give that much address space, or knows no such mappings.
  explicit RepeatedMemory(std::size_t bytes);
  ~RepeatedMemory();
  RepeatedMemory(const RepeatedMemory&) = delete;
  RepeatedMemory& operator=(const RepeatedMemory&) = delete;

  char* begin() const { return begin_; }
  char* end() const { return begin_ + bytes_; }

private:
  std::size_t bytes_, mapped_;
  char* begin_;
};

/// `bytes` of address space of which the first page alone is memory.
class ReservedMemory {
public:
  /// Throws Skip where the system does not give that much address space.
  explicit ReservedMemory(std::size_t bytes);
  ~ReservedMemory();
  ReservedMemory(const ReservedMemory&) = delete;
  ReservedMemory& operator=(const ReservedMemory&) = delete;

  char* begin() const { return begin_; }
  bool contains(const void* address) const { return address >= begin_ && address < begin_ + bytes_; }

private:
  std::size_t bytes_;
  char* begin_;
};

} // namespace conformance

#endif
