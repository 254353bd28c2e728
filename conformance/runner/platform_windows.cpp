#include <io.h>
#include <windows.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>

#include "runner/platform.hpp"

namespace conformance {
namespace {

[[noreturn]] void fail(const std::string& what) {
  const int code = static_cast<int>(GetLastError());
  throw std::runtime_error(what + ": " + std::system_category().message(code) + " (Windows error " +
                           std::to_string(code) + ")");
}

} // namespace

// -- Libraries --------------------------------------------------------------------------------------------------------

void* load_library(const std::string& path) {
  HMODULE library = LoadLibraryExA(path.c_str(), nullptr, LOAD_WITH_ALTERED_SEARCH_PATH); // its folder first
  if (library == nullptr)
    fail(path);
  return library;
}

void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

const char* const cuda_driver_library = "nvcuda.dll";

// -- Memory -----------------------------------------------------------------------------------------------------------

std::size_t page_size() {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwPageSize;
}

void* allocate_pages(std::size_t bytes) {
  void* pages = VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (pages == nullptr)
    throw std::bad_alloc();
  return pages;
}

void free_pages(void* pages, std::size_t) { VirtualFree(pages, 0, MEM_RELEASE); }

void set_accessible(void* pages, std::size_t bytes, bool accessible) {
  DWORD former;
  VirtualProtect(pages, bytes, accessible ? PAGE_READWRITE : PAGE_NOACCESS, &former);
}

namespace {

bool (*repair_fault)(const void*);
void* fault_handler;

LONG WINAPI handle_fault(EXCEPTION_POINTERS* exception) {
  const EXCEPTION_RECORD& record = *exception->ExceptionRecord;
  const bool repaired = record.ExceptionCode == EXCEPTION_ACCESS_VIOLATION &&
                        repair_fault(reinterpret_cast<const void*>(record.ExceptionInformation[1]));
  return repaired ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH;
}

} // namespace

FaultHandler::FaultHandler(bool (*repair)(const void*)) {
  repair_fault = repair;
  fault_handler = AddVectoredExceptionHandler(1, handle_fault);
}

FaultHandler::~FaultHandler() { RemoveVectoredExceptionHandler(fault_handler); }

// -- The process ------------------------------------------------------------------------------------------------------

void set_environment(const char* name, const std::string& value) {
  SetEnvironmentVariableA(name, value.c_str());
  _putenv_s(name, value.c_str());
}

bool is_terminal() { return _isatty(_fileno(stderr)) != 0; }

std::string cpu_name() {
  const char* name = std::getenv("PROCESSOR_IDENTIFIER");
  return name != nullptr ? name : "";
}

std::string random_digits() {
  std::random_device random;
  std::string digits;
  for (int i = 0; i < 32; ++i)
    digits += "0123456789abcdef"[random() % 16];
  return digits;
}

// -- Signals ----------------------------------------------------------------------------------------------------------

std::string signal_name(int number) { return " " + std::to_string(number); }

} // namespace conformance
