#include <dlfcn.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <new>
#include <random>
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
  action.sa_flags = SA_SIGINFO | SA_ONSTACK; // threads of Go have small stacks
  sigaction(SIGSEGV, &action, &former_action);
}

FaultHandler::~FaultHandler() { sigaction(SIGSEGV, &former_action, nullptr); }

// -- The process ------------------------------------------------------------------------------------------------------

void set_environment(const char* name, const std::string& value) { setenv(name, value.c_str(), 1); }

bool is_terminal() { return isatty(STDERR_FILENO) != 0; }

std::string cpu_name() {
  std::ifstream lines("/proc/cpuinfo");
  for (std::string line; std::getline(lines, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "";
}

std::string random_digits() {
  std::random_device random;
  std::string digits;
  for (int i = 0; i < 32; ++i)
    digits += "0123456789abcdef"[random() % 16];
  return digits;
}

// -- Signals ----------------------------------------------------------------------------------------------------------

std::string signal_name(int number) {
  static const std::map<int, const char*> names = {
      {SIGABRT, "ABRT"}, {SIGALRM, "ALRM"}, {SIGBUS, "BUS"},   {SIGCHLD, "CHLD"}, {SIGCONT, "CONT"},
      {SIGFPE, "FPE"},   {SIGHUP, "HUP"},   {SIGILL, "ILL"},   {SIGINT, "INT"},   {SIGKILL, "KILL"},
      {SIGPIPE, "PIPE"}, {SIGQUIT, "QUIT"}, {SIGSEGV, "SEGV"}, {SIGSTOP, "STOP"}, {SIGTERM, "TERM"},
      {SIGTRAP, "TRAP"}, {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"}, {SIGXCPU, "XCPU"}, {SIGXFSZ, "XFSZ"}};
  const auto found = names.find(number);
  return found != names.end() ? found->second : " " + std::to_string(number);
}

} // namespace conformance
