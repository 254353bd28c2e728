#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "cases/system.hpp"
#include "runner/case.hpp"
#include "runner/environment.hpp"
#include "runner/process.hpp"

namespace conformance {

void set_read_only(void* pages, std::size_t bytes) { mprotect(pages, bytes, PROT_READ); }

void run_on_stack_of(std::size_t bytes, const std::function<void()>& work) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  const auto call = [](void* function) -> void* {
    (*static_cast<const std::function<void()>*>(function))();
    return nullptr;
  };
  void* const argument = const_cast<std::function<void()>*>(&work);
  const std::size_t least = static_cast<std::size_t>(std::max(sysconf(_SC_THREAD_STACK_MIN), 0L)); // 128 KiB on Arm
  const bool started = pthread_attr_setstacksize(&attributes, std::max(bytes, least)) == 0 &&
                       pthread_create(&thread, &attributes, call, argument) == 0;
  pthread_attr_destroy(&attributes);
  if (!started)
    throw Skip("no thread with a stack of " + std::to_string(bytes) + " bytes can be started");
  pthread_join(thread, nullptr);
}

namespace {

struct sigaction former_action;
std::atomic<bool> interrupts{false};
std::atomic<int> handlers{0}; // that run now: in threads that the library keeps, or that are about to end

void interrupt_in(suseconds_t microseconds) {
  const itimerval once{{0, 0}, {0, microseconds}};
  setitimer(ITIMER_REAL, &once, nullptr);
}

constexpr suseconds_t pause_between = 50;

void sleep_a_moment(int) {
  ++handlers;
  if (interrupts) {
    const int error = errno;
    const timespec moment{0, 1};
    pselect(0, nullptr, nullptr, nullptr, &moment, nullptr);
    interrupt_in(pause_between); // from here on, so that the threads go on between two
    errno = error;
  }
  --handlers;
}

pid_t thread_id() { return static_cast<pid_t>(syscall(SYS_gettid)); } // glibc 2.30 has a function

void mask_alarm(int how) {
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  pthread_sigmask(how, &alarm, nullptr);
}

} // namespace

Interruptions::Interruptions() {
  struct sigaction action {};
  action.sa_handler = sleep_a_moment;
  action.sa_flags = SA_ONSTACK; // threads of Go have small stacks. What waits is told that it was interrupted
  sigaction(SIGALRM, &action, &former_action);
  mask_alarm(SIG_BLOCK); // for this thread, which waits for the others
  interrupts = true;
  interrupt_in(pause_between);
}

Interruptions::~Interruptions() {
  interrupts = false;
  while (handlers > 0)
    std::this_thread::yield();
  interrupt_in(0);          // after the last that may have set the timer
  signal(SIGALRM, SIG_IGN); // what is still pending is dropped
  mask_alarm(SIG_UNBLOCK);
  sigaction(SIGALRM, &former_action, nullptr);
}

void Interruptions::allow() { mask_alarm(SIG_UNBLOCK); }

namespace {

std::atomic<pid_t> interrupted_thread{0};

void hold_all_but_one(int) {
  ++handlers;
  if (thread_id() != interrupted_thread) {
    const int error = errno;
    const timespec milliseconds{0, 5'000'000};
    nanosleep(&milliseconds, nullptr);
    errno = error;
  }
  --handlers;
}

void interrupt(pid_t thread) { syscall(SYS_tgkill, getpid(), thread, SIGALRM); }

bool is_asleep(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string text; // "NUMBER (NAME) STATE ...", and a name may hold anything
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.compare(name_end + 1, 2, " S") == 0;
}

/// Interrupts the threads of this process but these, and the first, which is the runner's. \return whether there are
/// any
bool interrupt_all_but(const std::vector<pid_t>& spared) {
  bool any = false;
  std::error_code ignored; // a system without these files has no such threads
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    const pid_t thread = static_cast<pid_t>(std::stol(entry.path().filename().string()));
    if (thread == getpid() || std::find(spared.begin(), spared.end(), thread) != spared.end())
      continue;
    interrupt(thread);
    any = true;
  }
  return any;
}

void sleep_microseconds(int microseconds) { std::this_thread::sleep_for(std::chrono::microseconds(microseconds)); }

} // namespace

InterruptedWaits::InterruptedWaits() {
  struct sigaction action {};
  action.sa_handler = hold_all_but_one;
  action.sa_flags = SA_ONSTACK; // and no SA_RESTART: what waits is told that it was interrupted
  sigaction(SIGALRM, &action, &former_action);
  interrupted_thread = thread_id();
  mask_alarm(SIG_BLOCK); // which the watcher inherits
  watcher_ = std::thread([this] {
    const std::vector<pid_t> spared{thread_id(), interrupted_thread};
    for (; !ended_; sleep_microseconds(20)) {
      if (!interrupt_all_but(spared))
        continue;
      constexpr int most_looks = 100, enough = 50; // for threads that block the signal, and are not held
      for (int look = 0; look < most_looks; ++look, sleep_microseconds(20))
        if (is_asleep(interrupted_thread) && (handlers > 0 || look > enough)) {
          interrupt(interrupted_thread);
          ++count_;
          break;
        }
      while (handlers > 0) // all of them go on before they are held again
        sleep_microseconds(100);
    }
  });
  mask_alarm(SIG_UNBLOCK);
}

InterruptedWaits::~InterruptedWaits() {
  ended_ = true;
  watcher_.join();
  signal(SIGALRM, SIG_IGN); // what is still pending is dropped
  sigaction(SIGALRM, &former_action, nullptr);
}

std::string changed_handlers(const std::function<void()>& calls) {
  struct Handling {
    int signal;
    const char* name;
    struct sigaction former, set;
  };
  Handling all[] = {{SIGPIPE, "PIPE", {}, {}}, {SIGCHLD, "CHLD", {}, {}}, {SIGUSR1, "USR1", {}, {}},
                    {SIGUSR2, "USR2", {}, {}}, {SIGURG, "URG", {}, {}},   {SIGALRM, "ALRM", {}, {}},
                    {SIGFPE, "FPE", {}, {}},   {SIGTERM, "TERM", {}, {}}};
  for (Handling& one : all) {
    struct sigaction action {};
    action.sa_sigaction = [](int, siginfo_t*, void*) {};
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER | SA_ONSTACK;
    sigaddset(&action.sa_mask, SIGWINCH);
    sigaction(one.signal, &action, &one.former);
    sigaction(one.signal, nullptr, &one.set);
  }
  const itimerval hour{{0, 0}, {3600, 0}};
  setitimer(ITIMER_REAL, &hour, nullptr);
  calls();
  std::string changed;
  const itimerval none{};
  itimerval left{};
  setitimer(ITIMER_REAL, &none, &left);
  for (const Handling& one : all) {
    struct sigaction now {};
    sigaction(one.signal, &one.former, &now);
    if (now.sa_sigaction != one.set.sa_sigaction || now.sa_flags != one.set.sa_flags ||
        sigismember(&now.sa_mask, SIGWINCH) != 1)
      changed += std::string(" ") + one.name;
  }
  if (left.it_value.tv_sec == 0)
    changed += ", and no alarm to come, where there was one";
  return changed;
}

std::string run_in_child(const std::function<std::string()>& work, unsigned seconds) {
  constexpr int exit_skipped = 77;
  int ends[2];
  if (pipe(ends) != 0)
    throw std::runtime_error("no pipe can be made");
  const pid_t parent = getpid(), child = fork();
  if (child < 0)
    throw std::runtime_error("no process can be forked");
  if (child == 0) {
    end_with_parent(parent);
    environment_guard()->adopt_process();
    std::string text;
    int outcome = 0;
    try {
      text = work();
    } catch (const Skip& reason) {
      text = reason.what();
      outcome = exit_skipped;
    } catch (const std::exception& error) { // nothing may leave this function twice
      text = error.what();
    }
    const bool written = write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(written ? outcome : 1);
  }
  close(ends[1]);
  std::string text;
  pollfd readable{ends[0], POLLIN, 0};
  bool in_time = true;
  for (ssize_t size = 1; size > 0;) {
    in_time = poll(&readable, 1, static_cast<int>(seconds * 1000)) > 0;
    if (!in_time) {
      kill(child, SIGKILL);
      break;
    }
    char buffer[4096];
    size = read(ends[0], buffer, sizeof buffer);
    text.append(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
  }
  close(ends[0]);
  int status;
  waitpid(child, &status, 0);
  if (!in_time)
    return "the child did not end within " + std::to_string(seconds) + " seconds";
  if (WIFSIGNALED(status))
    return "the child ended by signal " + std::to_string(WTERMSIG(status)) + " " + text;
  if (WEXITSTATUS(status) == exit_skipped)
    throw Skip(text);
  if (WEXITSTATUS(status) != 0)
    return "the child ended with status " + std::to_string(WEXITSTATUS(status)) + " " + text;
  return text;
}

bool is_sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return true;
#endif
#endif
  return false;
}

void refuse_threads_and_memory() {
  if (is_sanitized())
    throw Skip("a sanitizer ends the process where it gets no memory");
  constexpr std::size_t little = 1 << 20; // less than a thread's stack
  const std::optional<Resources> held = resources_in_use();
  if (!held)
    throw Skip("this system does not tell what a process holds");
  const rlimit limit{held->address_bytes + little, held->address_bytes + little};
  if (setrlimit(RLIMIT_AS, &limit) != 0)
    throw Skip("this system does not limit a process");
  const auto sleep_for_ever = [](void*) -> void* {
    for (;;)
      pause();
  };
  constexpr int most = 1000;
  pthread_t thread;
  for (int started = 0; started < most; ++started) // those that fit into what former threads have left
    if (pthread_create(&thread, nullptr, sleep_for_ever, nullptr) != 0)
      return;
  throw Skip("this system does not refuse threads");
}

void break_standard_output(BrokenOutput how) {
  if (how == BrokenOutput::closed) {
    close(STDOUT_FILENO);
    return;
  }
  const int full = open("/dev/full", O_WRONLY);
  if (full < 0)
    throw Skip("this system has no /dev/full");
  dup2(full, STDOUT_FILENO);
  close(full);
}

namespace {

/// What malloc has given out, by the GNU C library's own count, which older versions do not have.
std::size_t heap_in_use() {
  struct Info { // mallinfo2
    std::size_t arena, free_chunks, fast_chunks, mapped_blocks, mapped_bytes, unused, fast_bytes, used_bytes,
        free_bytes, top;
  };
  using Function = Info();
  static auto* const count = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, "mallinfo2"));
  if (count == nullptr)
    return 0;
  const Info info = count();
  return info.used_bytes + info.mapped_bytes;
}

} // namespace

std::optional<Resources> resources_in_use() {
  if (is_sanitized())
    return std::nullopt;
#ifdef __GLIBC__
  malloc_trim(0); // so that what is allocated from now on is seen as resident
#endif
  std::ifstream pages("/proc/self/statm");
  std::size_t address, resident;
  if (!(pages >> address >> resident))
    return std::nullopt;
  const auto entries = [](const char* folder) {
    using Iterator = std::filesystem::directory_iterator;
    return static_cast<std::size_t>(std::distance(Iterator(folder), Iterator()));
  };
  return Resources{heap_in_use(), resident * page_size(), address * page_size(), entries("/proc/self/fd"),
                   entries("/proc/self/task")};
}

RepeatedMemory::RepeatedMemory(std::size_t bytes) : bytes_(bytes), mapped_(bytes + page_size()) {
#ifdef __linux__
  void* const all = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED)
    throw Skip("this system does not give " + std::to_string(bytes >> 20) + " MiB of address space");
  begin_ = static_cast<char*>(all);
  const int file = static_cast<int>(syscall(SYS_memfd_create, "tensor", 0)); // glibc 2.27 has a function
  bool whole = file >= 0 && ftruncate(file, 3 * chunk) == 0;
  for (std::size_t at = 0; whole && at < bytes; at += chunk) {
    const std::size_t length = std::min(chunk, bytes - at);
    const std::size_t which = at == 0 ? 0 : at + length < bytes ? 1 : 2;
    whole = mmap(begin_ + at, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
                 static_cast<off_t>(which * chunk)) != MAP_FAILED;
  }
  if (file >= 0)
    close(file);
  if (!whole) {
    munmap(begin_, mapped_);
    throw Skip("this system does not map one piece of memory so often");
  }
#else
  throw Skip("memory that is mapped again and again is written for Linux alone");
#endif
}

RepeatedMemory::~RepeatedMemory() { munmap(begin_, mapped_); }

ReservedMemory::ReservedMemory(std::size_t bytes) : bytes_(bytes) {
  void* const all = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED)
    throw Skip("this system does not give " + std::to_string(bytes >> 20) + " MiB of address space");
  begin_ = static_cast<char*>(all);
  set_accessible(begin_, page_size(), true);
}

ReservedMemory::~ReservedMemory() { munmap(begin_, bytes_); }

} // namespace conformance
