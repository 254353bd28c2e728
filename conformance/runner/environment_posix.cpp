#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>

#include "runner/captured_output.hpp"
#include "runner/environment.hpp"
#include "runner/floating_point.hpp"
#include "runner/platform.hpp"

namespace conformance {

// -- At each call -----------------------------------------------------------------------------------------------------

struct ThreadEnvironment::State {
  FloatingPointControl control;
  sigset_t mask;
  locale_t locale;
#ifdef __linux__
  cpu_set_t cpus;
#endif
};

ThreadEnvironment::State& ThreadEnvironment::state() {
  static_assert(sizeof(State) <= sizeof storage_);
  return *std::launder(reinterpret_cast<State*>(storage_.data()));
}

ThreadEnvironment::ThreadEnvironment() { new (storage_.data()) State; }

namespace {

// A caller has blocked a signal, and has a locale of its own: a library that sets either to what a new process has is
// seen to change it.
void block_a_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGWINCH);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

const std::string& callers_locale() {
  static const std::string locale = [] {
    setlocale(LC_CTYPE, "C.UTF-8"); // older systems do not have it
    return setlocale(LC_ALL, nullptr);
  }();
  return locale;
}

} // namespace

void ThreadEnvironment::save() {
  block_a_signal();
  callers_locale();
  state().control = floating_point_control();
  pthread_sigmask(SIG_BLOCK, nullptr, &state().mask);
  state().locale = uselocale(static_cast<locale_t>(nullptr));
#ifdef __linux__
  if (sched_getaffinity(0, sizeof state().cpus, &state().cpus) != 0) // more CPUs than it holds
    CPU_ZERO(&state().cpus);
#endif
}

void ThreadEnvironment::restore(const TellChange& tell) {
  const FloatingPointControl control = floating_point_control();
  if (!(control == state().control)) {
    set_floating_point_control(state().control);
    tell(Surrounding::floating_point, "left " + describe_change(state().control, control));
  }
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  std::string changed;
  for (int number = 1; number < NSIG; ++number)
    if (sigismember(&mask, number) != sigismember(&state().mask, number))
      changed += " " + signal_name(number);
  if (!changed.empty()) {
    pthread_sigmask(SIG_SETMASK, &state().mask, nullptr);
    tell(Surrounding::signals, "left the signal mask changed:" + changed);
  }
  if (uselocale(static_cast<locale_t>(nullptr)) != state().locale) {
    uselocale(state().locale);
    tell(Surrounding::locale, "left the thread's locale changed");
  }
  const std::string locale = setlocale(LC_ALL, nullptr);
  if (locale != callers_locale()) {
    tell(Surrounding::locale, "left the locale " + locale + " instead of " + callers_locale());
    setlocale(LC_ALL, callers_locale().c_str());
  }
#ifdef __linux__
  cpu_set_t cpus;
  if (CPU_COUNT(&state().cpus) > 0 && sched_getaffinity(0, sizeof cpus, &cpus) == 0 &&
      !CPU_EQUAL(&cpus, &state().cpus)) {
    sched_setaffinity(0, sizeof state().cpus, &state().cpus);
    tell(Surrounding::cpus, "left the thread " + std::to_string(CPU_COUNT(&cpus)) + " CPUs, other than the " +
                                std::to_string(CPU_COUNT(&state().cpus)) + " that it might run on before");
  }
#endif
}

// -- At each case's end -----------------------------------------------------------------------------------------------

namespace {

struct File {
  dev_t device = 0;
  ino_t number = 0;
  bool is_open = false;
};

File file_of(int descriptor) {
  struct stat status;
  if (fstat(descriptor, &status) != 0)
    return {};
  return {status.st_dev, status.st_ino, true};
}

struct sigaction action_of(int number) {
  struct sigaction action = {};
  sigaction(number, nullptr, &action);
  return action;
}

std::string current_folder() {
  char path[PATH_MAX];
  return getcwd(path, sizeof path) != nullptr ? path : "";
}

} // namespace

struct ProcessEnvironment::State {
  pid_t process = getpid();
  std::map<int, struct sigaction> actions;
  int output_copies[2] = {-1, -1}; // of standard output and standard error, out of the way
  File outputs[2];
  std::map<int, File> files; // that are open
  std::string folder = current_folder();
  mode_t mask;
};

ProcessEnvironment::ProcessEnvironment() : state_(new State) {
  for (int number = 1; number < NSIG; ++number)
    state_->actions[number] = action_of(number);
  for (const int index : {0, 1}) {
    state_->output_copies[index] = fcntl(STDOUT_FILENO + index, F_DUPFD_CLOEXEC, 210);
    state_->outputs[index] = file_of(STDOUT_FILENO + index);
  }
  for (int descriptor = 0; descriptor < 256; ++descriptor)
    if (const File file = file_of(descriptor); file.is_open)
      state_->files[descriptor] = file;
  state_->mask = umask(0);
  umask(state_->mask);
}

ProcessEnvironment::~ProcessEnvironment() {
  for (const int copy : state_->output_copies)
    close(copy);
}

bool ProcessEnvironment::is_same_process() const { return getpid() == state_->process; }

void ProcessEnvironment::adopt() { state_->process = getpid(); }

void ProcessEnvironment::restore_output(const TellChange& tell) {
  for (const int index : {0, 1}) {
    const File now = file_of(STDOUT_FILENO + index), was = state_->outputs[index];
    if (now.is_open && now.device == was.device && now.number == was.number)
      continue;
    dup2(state_->output_copies[index], STDOUT_FILENO + index);
    tell(Surrounding::descriptors, std::string("left standard ") + (index == 0 ? "output" : "error") +
                                       (now.is_open ? " on another file" : " closed"));
  }
}

void ProcessEnvironment::restore(const TellChange& tell) {
  restore_output(tell);
  for (auto file = state_->files.begin(); file != state_->files.end();) {
    const File now = file_of(file->first);
    if (now.is_open && now.device == file->second.device && now.number == file->second.number) {
      ++file;
      continue;
    }
    tell(Surrounding::descriptors,
         "left descriptor " + std::to_string(file->first) +
             (now.is_open ? ", which it does not own, on another file" : " closed, which it does not own"));
    file = state_->files.erase(file); // told once
  }
  constexpr int restorer = 0x04000000; // set by the C library where an action was ever set
  for (const auto& [number, was] : state_->actions) {
    const struct sigaction now = action_of(number);
    if (now.sa_handler == was.sa_handler && ((now.sa_flags ^ was.sa_flags) & ~restorer) == 0)
      continue;
    sigaction(number, &was, nullptr);
    tell(Surrounding::signals, "left another handler for " + signal_name(number));
  }
  itimerval timer = {};
  getitimer(ITIMER_REAL, &timer);
  if (timer.it_value.tv_sec != 0 || timer.it_value.tv_usec != 0) {
    const itimerval none = {};
    setitimer(ITIMER_REAL, &none, nullptr);
    tell(Surrounding::signals, "left an alarm to come");
  }
  const std::string folder = current_folder();
  if (folder != state_->folder) {
    if (chdir(state_->folder.c_str()) != 0)
      tell(Surrounding::folder, "left a folder that there is no way back from");
    tell(Surrounding::folder, "left the current folder " + folder);
  }
  const mode_t mask = umask(state_->mask);
  if (mask != state_->mask)
    tell(Surrounding::folder, "left another umask");
  int status;
  const pid_t child = waitpid(-1, &status, WNOHANG);
  if (child >= 0) {
    while (waitpid(-1, &status, WNOHANG) > 0)
      continue;
    tell(Surrounding::children, child == 0 ? "left a child process running" : "left a dead child process");
  }
}

// -- Output -----------------------------------------------------------------------------------------------------------

struct CapturedOutput::State {
  off_t begin;
};

CapturedOutput::CapturedOutput() {
  std::fflush(stdout);
  state_.reset(new State{lseek(STDOUT_FILENO, 0, SEEK_END)});
}

std::string CapturedOutput::take() {
  std::fflush(stdout);
  if (environment_guard() != nullptr)
    environment_guard()->check_output();
  const off_t end = lseek(STDOUT_FILENO, 0, SEEK_END);
  std::string text(end > state_->begin ? static_cast<std::size_t>(end - state_->begin) : 0, '\0');
  const ssize_t got = pread(STDOUT_FILENO, text.data(), text.size(), state_->begin);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  if (end > state_->begin && ftruncate(STDOUT_FILENO, state_->begin) != 0)
    throw std::runtime_error("the library's output cannot be cut off");
  state_.reset();
  return text;
}

CapturedOutput::~CapturedOutput() {
  if (state_ != nullptr)
    take();
}

} // namespace conformance
