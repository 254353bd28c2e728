#include "runner/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>

#include "runner/platform.hpp"

namespace conformance {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

class PosixChannel : public Channel {
public:
  PosixChannel(int from_runner, int to_runner, Activity& activity)
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
      const ssize_t size = read(from_runner_, bytes, sizeof bytes);
      if (size > 0)
        buffer_.append(bytes, static_cast<std::size_t>(size));
      else if (size == 0 || errno != EINTR)
        return false;
    }
  }

  void write(const std::string& bytes) override {
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t size = ::write(to_runner_, bytes.data() + done, bytes.size() - done);
      if (size > 0)
        done += static_cast<std::size_t>(size);
      else if (size < 0 && errno != EINTR)
        return; // the runner sees that the record is not whole
    }
  }

  bool is_open() const override { return fcntl(from_runner_, F_GETFD) >= 0 && fcntl(to_runner_, F_GETFD) >= 0; }

  Activity& activity() override { return activity_; }

private:
  int from_runner_, to_runner_;
  Activity& activity_;
  std::string buffer_;
};

/// The worker's side of a fork.
[[noreturn]] void live_as_worker(WorkerMain worker_main, int runner, int from_runner, int to_runner,
                                 const int (&outputs)[2], Activity& activity) {
  end_with_parent(runner);
  setsid(); // a group of its own, which is ended as a whole
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(SIGPIPE, SIG_DFL);
  // Away from where a library would close what it takes for its own.
  constexpr int high = 200;
  const int in = fcntl(from_runner, F_DUPFD_CLOEXEC, high), out = fcntl(to_runner, F_DUPFD_CLOEXEC, high);
  const int null = open("/dev/null", O_RDONLY);
  if (in < 0 || out < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(outputs[0], STDOUT_FILENO) < 0 ||
      dup2(outputs[1], STDERR_FILENO) < 0)
    _exit(125);
  for (const int former : {from_runner, to_runner, outputs[0], outputs[1], null})
    if (former > STDERR_FILENO)
      close(former);
  PosixChannel channel(in, out, activity);
  worker_main(channel);
  _exit(0);
}

} // namespace

void end_with_parent([[maybe_unused]] int parent) {
#if defined(__linux__)
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) // it has ended already
    _exit(1);
#endif
}

struct Process::State {
  pid_t pid = -1;
  int to_worker = -1, from_worker = -1;
  int outputs[2] = {-1, -1}; // files of its standard output and standard error
  Activity* activity = nullptr;
  bool has_ended = false;
  int status = 0;

  bool reap(int options) {
    while (!has_ended) {
      const pid_t found = waitpid(pid, &status, options);
      if (found == pid)
        has_ended = true;
      else if (found == 0 || errno != EINTR)
        break;
    }
    return has_ended;
  }
};

Process::Process(WorkerMain worker_main) : state_(new State) {
  signal(SIGPIPE, SIG_IGN); // a worker may be dead when it is spoken to
  void* page = mmap(nullptr, sizeof(Activity), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED)
    fail("no memory to share with a worker");
  state_->activity = new (page) Activity;
  for (int& output : state_->outputs) {
    std::FILE* file = std::tmpfile();
    if (file == nullptr)
      fail("no temporary file can be made for the library's output");
    output = fcntl(fileno(file), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    std::fclose(file);
    fcntl(output, F_SETFL, O_APPEND); // what a capture cuts off leaves no hole
  }
  int down[2], up[2];
  if (pipe(down) != 0 || pipe(up) != 0)
    fail("no pipe to a worker");
  for (const int descriptor : {down[0], down[1], up[0], up[1]})
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  std::fflush(nullptr); // else a library that calls exit prints it once more
  const pid_t runner = getpid();
  state_->pid = fork();
  if (state_->pid < 0)
    fail("no process for a worker");
  if (state_->pid == 0) {
    close(down[1]);
    close(up[0]);
    live_as_worker(worker_main, runner, down[0], up[1], state_->outputs, *state_->activity);
  }
  close(down[0]);
  close(up[1]);
  state_->to_worker = down[1];
  state_->from_worker = up[0];
}

Process::~Process() {
  end();
  for (const int descriptor : {state_->to_worker, state_->from_worker, state_->outputs[0], state_->outputs[1]})
    close(descriptor);
  munmap(state_->activity, sizeof(Activity));
}

void Process::send(const std::string& line) {
  const std::string bytes = line + "\n";
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t size = write(state_->to_worker, bytes.data() + done, bytes.size() - done);
    if (size > 0)
      done += static_cast<std::size_t>(size);
    else if (size < 0 && errno != EINTR)
      return; // it is dead, as `wait` will tell
  }
}

Process::Event Process::wait(std::chrono::milliseconds limit, std::string& received) {
  // A child of the library's may hold the pipe open after the worker's death: a death is asked for as well.
  const bool ended_before = state_->reap(WNOHANG);
  pollfd descriptor = {state_->from_worker, POLLIN, 0};
  const int ready = poll(&descriptor, 1, ended_before ? 0 : static_cast<int>(limit.count()));
  if (ready > 0) {
    char bytes[65536];
    const ssize_t size = read(state_->from_worker, bytes, sizeof bytes);
    if (size > 0) {
      received.append(bytes, static_cast<std::size_t>(size));
      return Event::data;
    }
    if (size == 0)
      return state_->reap(WNOHANG) ? Event::ended : Event::closed;
  }
  return ended_before ? Event::ended : Event::silence;
}

std::string Process::end() {
  std::string how;
  if (state_->reap(WNOHANG))
    how = WIFSIGNALED(state_->status) ? "SIG" + signal_name(WTERMSIG(state_->status))
                                      : "exit status " + std::to_string(WEXITSTATUS(state_->status));
  kill(-state_->pid, SIGKILL);
  state_->reap(0);
  return how;
}

std::string Process::printed() const {
  constexpr off_t most = 4096;
  std::string all;
  for (const int output : state_->outputs) {
    const off_t size = lseek(output, 0, SEEK_END);
    std::string text(static_cast<std::size_t>(std::min(size, most)), '\0');
    const ssize_t got = pread(output, text.data(), text.size(), size - static_cast<off_t>(text.size()));
    all += text.substr(0, got > 0 ? static_cast<std::size_t>(got) : 0);
  }
  return all;
}

const Activity& Process::activity() const { return *state_->activity; }

void become_worker_if_asked(int, char**, WorkerMain) {}

} // namespace conformance
