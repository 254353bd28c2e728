// What each operating system does in its own way: platform_posix.cpp and platform_windows.cpp.
#ifndef GFPQ_CONFORMANCE_RUNNER_PLATFORM_HPP
#define GFPQ_CONFORMANCE_RUNNER_PLATFORM_HPP

#include <cstddef>
#include <memory>
#include <string>

namespace conformance {

// -- Libraries --------------------------------------------------------------------------------------------------------

/// Loads a library for as long as the process lives. Throws std::runtime_error with the loader's reason.
void* load_library(const std::string& path);

/// Null where the library does not export the name.
void* find_symbol(void* library, const char* name);

/// The NVIDIA driver's library.
extern const char* const cuda_driver_library;

// -- Memory -----------------------------------------------------------------------------------------------------------

std::size_t page_size();

/// Whole pages of zeros. Throws std::bad_alloc.
void* allocate_pages(std::size_t bytes);
void free_pages(void* pages, std::size_t bytes);

/// Lets pages be read and written, or neither.
void set_accessible(void* pages, std::size_t bytes, bool accessible);

/// While it lives, asks `repair` on whichever thread has touched memory that it may not. Where the answer is true, the
/// instruction is tried again; else it faults as it would have. One at a time.
class FaultHandler {
public:
  explicit FaultHandler(bool (*repair)(const void* address));
  ~FaultHandler();
  FaultHandler(const FaultHandler&) = delete;
  FaultHandler& operator=(const FaultHandler&) = delete;
};

/// From now on, a crash of the process calls `tell` with its name, on the thread that crashed.
void on_crash(void (*tell)(const char* what));

// -- Output -----------------------------------------------------------------------------------------------------------

/// Writes to standard error without the C library's buffers and locks.
void write_to_standard_error(const char* text);

/// What the process writes to standard output meanwhile.
class CapturedOutput {
public:
  CapturedOutput();
  ~CapturedOutput();
  /// Ends the capture. \return what was written
  std::string take();

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace conformance

#endif
