#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include <algorithm>
#include <clocale>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "runner/captured_output.hpp"
#include "runner/environment.hpp"
#include "runner/floating_point.hpp"
#include "runner/platform.hpp"

namespace conformance {

// -- At each call -----------------------------------------------------------------------------------------------------

struct ThreadEnvironment::State {
  FloatingPointControl control;
};

ThreadEnvironment::State& ThreadEnvironment::state() {
  static_assert(sizeof(State) <= sizeof storage_);
  return *std::launder(reinterpret_cast<State*>(storage_.data()));
}

ThreadEnvironment::ThreadEnvironment() { new (storage_.data()) State; }

void ThreadEnvironment::save() { state().control = floating_point_control(); }

void ThreadEnvironment::restore(const TellChange& tell) {
  const FloatingPointControl control = floating_point_control();
  if (!(control == state().control)) {
    set_floating_point_control(state().control);
    tell(Surrounding::floating_point, "left " + describe_change(state().control, control));
  }
  const char* locale = std::setlocale(LC_ALL, nullptr); // the runner never leaves "C"
  if (std::strcmp(locale, "C") != 0) {
    tell(Surrounding::locale, std::string("left the locale ") + locale);
    std::setlocale(LC_ALL, "C");
  }
}

// -- At each case's end -----------------------------------------------------------------------------------------------

namespace {

// A C runtime of the process. The program and the library under test may each have one of their own, which keeps its
// own standard output.
struct Runtime {
  int (*flush)(void*);
  intptr_t (*handle_of)(int);
  int (*duplicate)(int);
  int (*duplicate_to)(int, int);
  int (*close)(int);
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
    resolve(runtime.handle_of, "_get_osfhandle");
    resolve(runtime.duplicate, "_dup");
    resolve(runtime.duplicate_to, "_dup2");
    resolve(runtime.close, "_close");
    runtimes.push_back(runtime);
  }
  return runtimes;
}

std::string current_folder() {
  char path[MAX_PATH + 1];
  return GetCurrentDirectoryA(sizeof path, path) != 0 ? path : "";
}

struct Output {
  Runtime runtime;
  int descriptor, copy;
  intptr_t handle;
};

} // namespace

struct ProcessEnvironment::State {
  std::vector<Output> outputs;
  std::string folder = current_folder();
};

ProcessEnvironment::ProcessEnvironment() : state_(new State) {
  for (const Runtime& runtime : loaded_runtimes())
    for (const int descriptor : {1, 2})
      state_->outputs.push_back({runtime, descriptor, runtime.duplicate(descriptor), runtime.handle_of(descriptor)});
}

ProcessEnvironment::~ProcessEnvironment() {
  for (const Output& output : state_->outputs)
    output.runtime.close(output.copy);
}

bool ProcessEnvironment::is_same_process() const { return true; }

void ProcessEnvironment::adopt() {}

void ProcessEnvironment::restore_output(const TellChange& tell) {
  for (Output& output : state_->outputs) {
    const intptr_t handle = output.runtime.handle_of(output.descriptor);
    if (handle == output.handle || output.copy < 0)
      continue;
    output.runtime.duplicate_to(output.copy, output.descriptor);
    output.handle = output.runtime.handle_of(output.descriptor);
    SetStdHandle(output.descriptor == 1 ? STD_OUTPUT_HANDLE : STD_ERROR_HANDLE,
                 reinterpret_cast<HANDLE>(output.handle));
    tell(Surrounding::descriptors,
         std::string("left standard ") + (output.descriptor == 1 ? "output" : "error") + " elsewhere, or closed");
  }
}

void ProcessEnvironment::restore(const TellChange& tell) {
  restore_output(tell);
  const std::string folder = current_folder();
  if (folder != state_->folder) {
    SetCurrentDirectoryA(state_->folder.c_str());
    tell(Surrounding::folder, "left the current folder " + folder);
  }
}

// -- Output -----------------------------------------------------------------------------------------------------------

namespace {

void flush_all() {
  for (const Runtime& runtime : loaded_runtimes())
    runtime.flush(nullptr);
}

} // namespace

struct CapturedOutput::State {
  LARGE_INTEGER begin = {};
};

CapturedOutput::CapturedOutput() : state_(new State) {
  flush_all();
  SetFilePointerEx(GetStdHandle(STD_OUTPUT_HANDLE), {}, &state_->begin, FILE_END);
}

std::string CapturedOutput::take() {
  flush_all();
  if (environment_guard() != nullptr)
    environment_guard()->check_output();
  HANDLE file = GetStdHandle(STD_OUTPUT_HANDLE);
  SetFilePointerEx(file, state_->begin, nullptr, FILE_BEGIN);
  std::string text;
  char buffer[4096];
  for (DWORD size; ReadFile(file, buffer, sizeof buffer, &size, nullptr) && size > 0;)
    text.append(buffer, size);
  SetFilePointerEx(file, state_->begin, nullptr, FILE_BEGIN);
  SetEndOfFile(file);
  state_.reset();
  text.erase(std::remove(text.begin(), text.end(), '\r'), text.end()); // the C runtime ends lines so in text mode
  return text;
}

CapturedOutput::~CapturedOutput() {
  if (state_ != nullptr)
    take();
}

} // namespace conformance
