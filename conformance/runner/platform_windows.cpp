#include <fcntl.h>
#include <signal.h>
#include <windows.h>

#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>
#include <vector>

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

namespace {

void (*tell_crash)(const char*);

LONG WINAPI handle_crash(EXCEPTION_POINTERS* exception) {
  const DWORD code = exception->ExceptionRecord->ExceptionCode;
  char what[] = "exception 0x00000000";
  char* digit = what + std::strlen(what);
  for (DWORD rest = code; rest != 0; rest /= 16)
    *--digit = "0123456789abcdef"[rest % 16];
  tell_crash(code == EXCEPTION_ACCESS_VIOLATION ? "access violation" : what);
  return EXCEPTION_CONTINUE_SEARCH;
}

} // namespace

void on_crash(void (*tell)(const char*)) {
  tell_crash = tell;
  SetUnhandledExceptionFilter(handle_crash);
  signal(SIGABRT, [](int) { tell_crash("ABRT"); });
}

// -- Output -----------------------------------------------------------------------------------------------------------

void write_to_standard_error(const char* text) {
  DWORD written;
  WriteFile(GetStdHandle(STD_ERROR_HANDLE), text, static_cast<DWORD>(std::strlen(text)), &written, nullptr);
}

namespace {

// A C runtime of the process. The program and the library under test may each have one of their own, which keeps its
// own standard output.
struct Runtime {
  int (*flush)(void*);
  int (*open_handle)(intptr_t, int);
  int (*duplicate)(int);
  int (*duplicate_to)(int, int);
  int (*close)(int);
  int saved = -1;
};

std::vector<Runtime> loaded_runtimes() {
  std::vector<Runtime> runtimes;
  for (const char* name : {"msvcrt.dll", "ucrtbase.dll", "ucrtbased.dll"}) {
    HMODULE library = GetModuleHandleA(name);
    if (library == nullptr)
      continue;
    Runtime runtime{};
    const auto resolve = [&](auto& function, const char* symbol) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(find_symbol(library, symbol));
    };
    resolve(runtime.flush, "fflush");
    resolve(runtime.open_handle, "_open_osfhandle");
    resolve(runtime.duplicate, "_dup");
    resolve(runtime.duplicate_to, "_dup2");
    resolve(runtime.close, "_close");
    runtimes.push_back(runtime);
  }
  return runtimes;
}

HANDLE open_temporary_file() {
  char folder[MAX_PATH + 1], path[MAX_PATH + 1];
  GetTempPathA(sizeof folder, folder);
  if (GetTempFileNameA(folder, "gfpq", 0, path) == 0)
    fail("no temporary file can be made for the library's output");
  HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, nullptr, CREATE_ALWAYS,
                            FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, nullptr);
  if (file == INVALID_HANDLE_VALUE)
    fail(path);
  return file;
}

constexpr int standard_output = 1;

} // namespace

struct CapturedOutput::State {
  HANDLE file = open_temporary_file();
  std::vector<Runtime> runtimes = loaded_runtimes();
};

CapturedOutput::CapturedOutput() : state_(new State) {
  for (Runtime& runtime : state_->runtimes) {
    runtime.flush(nullptr);
    HANDLE file;
    DuplicateHandle(GetCurrentProcess(), state_->file, GetCurrentProcess(), &file, 0, FALSE, DUPLICATE_SAME_ACCESS);
    const int descriptor = runtime.open_handle(reinterpret_cast<intptr_t>(file), _O_BINARY);
    runtime.saved = runtime.duplicate(standard_output);
    runtime.duplicate_to(descriptor, standard_output);
    runtime.close(descriptor);
  }
}

std::string CapturedOutput::take() {
  for (Runtime& runtime : state_->runtimes) {
    runtime.flush(nullptr);
    runtime.duplicate_to(runtime.saved, standard_output);
    runtime.close(runtime.saved);
  }
  std::string text;
  SetFilePointer(state_->file, 0, nullptr, FILE_BEGIN);
  char buffer[4096];
  for (DWORD size; ReadFile(state_->file, buffer, sizeof buffer, &size, nullptr) && size > 0;)
    text.append(buffer, size);
  CloseHandle(state_->file);
  state_.reset();
  return text;
}

CapturedOutput::~CapturedOutput() {
  if (state_ != nullptr)
    take();
}

} // namespace conformance
