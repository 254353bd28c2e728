#include <dlfcn.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <new>
#include <stdexcept>

#include "runner/platform.hpp"

namespace conformance {

// -- Libraries --------------------------------------------------------------------------------------------------------

void* load_library(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    throw std::runtime_error(dlerror());
  return library;
}

void* find_symbol(void* library, const char* name) { return dlsym(library, name); }

const char* const cuda_driver_library = "libcuda.so.1";

// -- Memory -----------------------------------------------------------------------------------------------------------

std::size_t page_size() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

void* allocate_pages(std::size_t bytes) {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED)
    throw std::bad_alloc();
  return pages;
}

void free_pages(void* pages, std::size_t bytes) { munmap(pages, bytes); }

void set_accessible(void* pages, std::size_t bytes, bool accessible) {
  mprotect(pages, bytes, accessible ? PROT_READ | PROT_WRITE : PROT_NONE);
}

namespace {

bool (*repair_fault)(const void*);
struct sigaction former_action;

void handle_fault(int, siginfo_t* info, void*) {
  if (!repair_fault(info->si_addr))
    sigaction(SIGSEGV, &former_action, nullptr); // fault again, under the former handler
}

} // namespace

FaultHandler::FaultHandler(bool (*repair)(const void*)) {
  repair_fault = repair;
  struct sigaction action = {};
  action.sa_sigaction = handle_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &former_action);
}

FaultHandler::~FaultHandler() { sigaction(SIGSEGV, &former_action, nullptr); }

namespace {
void (*tell_crash)(const char*);

const char* signal_name(int number) { // sigabbrev_np needs glibc 2.32
  switch (number) {
  case SIGILL:
    return "ILL";
  case SIGFPE:
    return "FPE";
  case SIGABRT:
    return "ABRT";
  case SIGSEGV:
    return "SEGV";
  default:
    return "BUS";
  }
}
} // namespace

void on_crash(void (*tell)(const char*)) {
  tell_crash = tell;
  for (const int number : {SIGILL, SIGFPE, SIGABRT, SIGSEGV, SIGBUS})
    signal(number, [](int caught) { tell_crash(signal_name(caught)); });
}

// -- Output -----------------------------------------------------------------------------------------------------------

void write_to_standard_error(const char* text) {
  if (write(STDERR_FILENO, text, std::strlen(text)) < 0)
    return; // there is nowhere else to say so
}

struct CapturedOutput::State {
  int saved, file;
};

CapturedOutput::CapturedOutput() {
  std::fflush(stdout);
  std::FILE* file = std::tmpfile();
  if (file == nullptr)
    throw std::runtime_error("no temporary file can be made for the library's output");
  state_.reset(new State{dup(STDOUT_FILENO), dup(fileno(file))});
  std::fclose(file);
  dup2(state_->file, STDOUT_FILENO);
}

std::string CapturedOutput::take() {
  std::fflush(stdout);
  dup2(state_->saved, STDOUT_FILENO);
  close(state_->saved);
  std::string text;
  lseek(state_->file, 0, SEEK_SET);
  char buffer[4096];
  for (ssize_t size; (size = read(state_->file, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  close(state_->file);
  state_.reset();
  return text;
}

CapturedOutput::~CapturedOutput() {
  if (state_ != nullptr)
    take();
}

} // namespace conformance
