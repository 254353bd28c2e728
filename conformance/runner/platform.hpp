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

/// While it lives, asks `repair` on whichever thread has touched memory that it may not. Where it returns true, the
/// instruction is tried again; else it faults as it would have. One at a time.
class FaultHandler {
public:
  explicit FaultHandler(bool (*repair)(const void* address));
  ~FaultHandler();
  FaultHandler(const FaultHandler&) = delete;
  FaultHandler& operator=(const FaultHandler&) = delete;
};

// -- The process ------------------------------------------------------------------------------------------------------

/// Sets a variable of the environment, for libraries loaded later too.
void set_environment(const char* name, const std::string& value);

/// Whether standard error is a terminal that somebody looks at.
bool is_terminal();

/// `AMD EPYC 9B45`; empty where the system does not tell.
std::string cpu_name();

/// Bits that nobody can foresee, as hexadecimal digits.
std::string random_digits();

// -- Signals ----------------------------------------------------------------------------------------------------------

/// `SEGV`, or the number of one without a name. (POSIX)
std::string signal_name(int number);

} // namespace conformance

#endif
