#include <windows.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "runner/process.hpp"

namespace conformance {
namespace {

constexpr const char* worker_option = "--gfpq-worker=";

[[noreturn]] void fail(const char* what) {
  throw std::system_error(static_cast<int>(GetLastError()), std::system_category(), what);
}

class WindowsChannel : public Channel {
public:
  WindowsChannel(HANDLE from_runner, HANDLE to_runner, Activity& activity)
      : from_runner_(from_runner), to_runner_(to_runner), activity_(activity) {}

  bool read_line(std::string& line) override {
    for (;;) {
      const std::size_t end = buffer_.find('\n');
      if (end != std::string::npos) {
        line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return true;
      }
      char bytes[4096];
      DWORD size = 0;
      if (!ReadFile(from_runner_, bytes, sizeof bytes, &size, nullptr) || size == 0)
        return false;
      buffer_.append(bytes, size);
    }
  }

  void write(const std::string& bytes) override {
    for (std::size_t done = 0; done < bytes.size();) {
      DWORD size = 0;
      if (!WriteFile(to_runner_, bytes.data() + done, static_cast<DWORD>(bytes.size() - done), &size, nullptr))
        return; // the runner sees that the record is not whole
      done += size;
    }
  }

  bool is_open() const override {
    DWORD flags;
    return GetHandleInformation(from_runner_, &flags) && GetHandleInformation(to_runner_, &flags);
  }

  Activity& activity() override { return activity_; }

private:
  HANDLE from_runner_, to_runner_;
  Activity& activity_;
  std::string buffer_;
};

/// A file that is gone with its last handle, and that a worker inherits.
HANDLE temporary_file() {
  char folder[MAX_PATH + 1], path[MAX_PATH + 1];
  GetTempPathA(sizeof folder, folder);
  if (GetTempFileNameA(folder, "gfpq", 0, path) == 0)
    fail("no temporary file can be made for the library's output");
  SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};
  HANDLE file = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                            &inherited, CREATE_ALWAYS, FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, nullptr);
  if (file == INVALID_HANDLE_VALUE)
    fail("no temporary file can be made for the library's output");
  return file;
}

std::string describe_exit(DWORD code) {
  char text[64];
  constexpr DWORD first_exception = 0xC0000000u;
  if (code < first_exception)
    std::snprintf(text, sizeof text, "exit status %lu", code);
  else
    std::snprintf(text, sizeof text, "exception 0x%08lx%s", code,
                  code == EXCEPTION_ACCESS_VIOLATION ? " (access violation)"
                  : code == EXCEPTION_STACK_OVERFLOW ? " (stack overflow)"
                                                     : "");
  return text;
}

} // namespace

struct Process::State {
  HANDLE process = nullptr, job = nullptr, to_worker = nullptr, from_worker = nullptr, mapping = nullptr;
  HANDLE outputs[2] = {};
  Activity* activity = nullptr;
};

Process::Process(WorkerMain) : state_(new State) {
  SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};
  state_->mapping = CreateFileMappingA(INVALID_HANDLE_VALUE, &inherited, PAGE_READWRITE, 0, sizeof(Activity), nullptr);
  void* page = state_->mapping != nullptr ? MapViewOfFile(state_->mapping, FILE_MAP_ALL_ACCESS, 0, 0, 0) : nullptr;
  if (page == nullptr)
    fail("no memory to share with a worker");
  state_->activity = new (page) Activity;
  for (HANDLE& output : state_->outputs)
    output = temporary_file();
  HANDLE worker_in, worker_out;
  if (!CreatePipe(&worker_in, &state_->to_worker, &inherited, 0) ||
      !CreatePipe(&state_->from_worker, &worker_out, &inherited, 1 << 20))
    fail("no pipe to a worker");
  SetHandleInformation(state_->to_worker, HANDLE_FLAG_INHERIT, 0);
  SetHandleInformation(state_->from_worker, HANDLE_FLAG_INHERIT, 0);

  char program[32768];
  GetModuleFileNameA(nullptr, program, sizeof program);
  std::string command = "\"" + std::string(program) + "\" " + worker_option;
  for (HANDLE handle : {worker_in, worker_out, state_->mapping})
    command += std::to_string(reinterpret_cast<std::uintptr_t>(handle)) + ",";
  STARTUPINFOA startup = {};
  startup.cb = sizeof startup;
  startup.dwFlags = STARTF_USESTDHANDLES;
  startup.hStdInput = nullptr;
  startup.hStdOutput = state_->outputs[0];
  startup.hStdError = state_->outputs[1];
  PROCESS_INFORMATION made = {};
  if (!CreateProcessA(program, command.data(), nullptr, nullptr, TRUE, CREATE_SUSPENDED, nullptr, nullptr, &startup,
                      &made))
    fail("no process for a worker");
  // What the library starts ends with it.
  state_->job = CreateJobObjectA(nullptr, nullptr);
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {};
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
  SetInformationJobObject(state_->job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
  AssignProcessToJobObject(state_->job, made.hProcess);
  ResumeThread(made.hThread);
  CloseHandle(made.hThread);
  CloseHandle(worker_in);
  CloseHandle(worker_out);
  state_->process = made.hProcess;
}

Process::~Process() {
  end();
  UnmapViewOfFile(state_->activity);
  for (HANDLE handle : {state_->process, state_->job, state_->to_worker, state_->from_worker, state_->mapping,
                        state_->outputs[0], state_->outputs[1]})
    CloseHandle(handle);
}

void Process::send(const std::string& line) {
  const std::string bytes = line + "\n";
  DWORD size; // where it is dead, `wait` will tell
  WriteFile(state_->to_worker, bytes.data(), static_cast<DWORD>(bytes.size()), &size, nullptr);
}

Process::Event Process::wait(std::chrono::milliseconds limit, std::string& received) {
  const auto begin = std::chrono::steady_clock::now();
  for (;;) {
    const bool ended = WaitForSingleObject(state_->process, 0) == WAIT_OBJECT_0;
    DWORD available = 0;
    const bool open = PeekNamedPipe(state_->from_worker, nullptr, 0, nullptr, &available, nullptr) != 0;
    if (available > 0) {
      std::string bytes(available, '\0');
      DWORD size = 0;
      if (ReadFile(state_->from_worker, bytes.data(), available, &size, nullptr) && size > 0) {
        received.append(bytes, 0, size);
        return Event::data;
      }
    }
    if (ended)
      return Event::ended;
    if (!open)
      return Event::closed;
    if (std::chrono::steady_clock::now() - begin >= limit)
      return Event::silence;
    Sleep(1);
  }
}

std::string Process::end() {
  std::string how;
  DWORD code = STILL_ACTIVE;
  if (WaitForSingleObject(state_->process, 0) == WAIT_OBJECT_0 && GetExitCodeProcess(state_->process, &code))
    how = describe_exit(code);
  TerminateJobObject(state_->job, 1);
  TerminateProcess(state_->process, 1);
  WaitForSingleObject(state_->process, INFINITE);
  return how;
}

std::string Process::printed() const {
  constexpr LONGLONG most = 4096;
  std::string all;
  for (HANDLE output : state_->outputs) {
    LARGE_INTEGER size = {};
    GetFileSizeEx(output, &size);
    LARGE_INTEGER begin;
    begin.QuadPart = size.QuadPart > most ? size.QuadPart - most : 0;
    SetFilePointerEx(output, begin, nullptr, FILE_BEGIN);
    std::string text(static_cast<std::size_t>(size.QuadPart - begin.QuadPart), '\0');
    DWORD got = 0;
    ReadFile(output, text.data(), static_cast<DWORD>(text.size()), &got, nullptr);
    all += text.substr(0, got);
  }
  return all;
}

const Activity& Process::activity() const { return *state_->activity; }

void become_worker_if_asked(int argc, char** argv, WorkerMain worker_main) {
  if (argc < 2 || std::strncmp(argv[1], worker_option, std::strlen(worker_option)) != 0)
    return;
  HANDLE handles[3];
  char* text = argv[1] + std::strlen(worker_option);
  for (HANDLE& handle : handles) {
    handle = reinterpret_cast<HANDLE>(static_cast<std::uintptr_t>(std::strtoull(text, &text, 10)));
    ++text; // the comma
  }
  SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX); // nobody is there to click
  _set_error_mode(_OUT_TO_STDERR);
  void* page = MapViewOfFile(handles[2], FILE_MAP_ALL_ACCESS, 0, 0, 0);
  if (page == nullptr)
    std::exit(125);
  WindowsChannel channel(handles[0], handles[1], *std::launder(static_cast<Activity*>(page)));
  worker_main(channel);
  std::_Exit(0);
}

} // namespace conformance
