// A process of the runner's own that loads the library under test, so that whatever the library does to its process,
// the runner goes on. process_posix.cpp and process_windows.cpp.
#ifndef GFPQ_CONFORMANCE_RUNNER_PROCESS_HPP
#define GFPQ_CONFORMANCE_RUNNER_PROCESS_HPP

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace conformance {

/// What a worker is doing, in a page that it shares with the runner: what a worker that hangs or has died was at. It
/// serves explanations and time limits alone; no verdict rests on it, since the library can write there too.
struct Activity {
  enum Stage : std::uint32_t { starting, loading, asking_info, probing, in_case };
  std::atomic<std::uint32_t> stage{starting};
  std::atomic<std::uint32_t> threads_inside{0};                                     ///< threads that are in a call now
  std::atomic<std::uint64_t> calls{0};                                              ///< calls begun
  std::atomic<std::uint32_t> function{0}, type_size{0}, bits{0}, mode{0}, count{0}; ///< of the last one
  std::atomic<std::uint32_t> returned_in_child{0};  ///< calls that came back in a process that the library forked
  std::atomic<std::uint32_t> closed_descriptors{0}; ///< the worker's way to the runner was closed under it
};

/// The last call in words: `HI_GFPQ_QuantAndDeQuant(float, 8 bit, INIT), 100 numbers`.
std::string describe_call(const Activity& activity);

/// A worker's end of the two pipes, in the worker.
class Channel {
public:
  virtual ~Channel() = default;
  /// The next line, without its end. Returns false where the runner is gone.
  virtual bool read_line(std::string& line) = 0;
  virtual void write(const std::string& bytes) = 0;
  /// Whether the way to the runner is still open.
  virtual bool is_open() const = 0;
  virtual Activity& activity() = 0;
};

/// What the worker does with its life. Never returns to what main has on the stack.
using WorkerMain = void (*)(Channel&);

/// The runner's end.
class Process {
public:
  /// Starts a worker. Its standard output and standard error go to files of their own.
  explicit Process(WorkerMain worker_main);
  /// Ends the worker and all that it has started.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(const std::string& line);

  enum class Event { data, silence, closed, ended };
  /// Waits for bytes from the worker, appends them to `received`, and says what happened. `ended` comes once all bytes
  /// of a dead worker have been read; `closed` where it lives on with its end of the pipe closed.
  Event wait(std::chrono::milliseconds limit, std::string& received);

  /// Ends the worker, where it still runs. \return how it ended by itself, such as `exit status 0` or `SIGSEGV`; empty
  /// where it had to be ended
  std::string end();

  /// The end of what the worker, which is the library, has printed.
  std::string printed() const;

  const Activity& activity() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

/// For a process that `parent` has just forked: it ends when that one does, however that ends. (POSIX; where the system
/// cannot, a process that hangs stays)
void end_with_parent(int parent);

/// Whether a worker has what the runner has in memory already.
#if defined(_WIN32)
inline constexpr bool workers_inherit_memory = false;
#else
inline constexpr bool workers_inherit_memory = true;
#endif

/// Where this program is a worker that another has started (Windows), runs it and never returns.
void become_worker_if_asked(int argc, char** argv, WorkerMain worker_main);

} // namespace conformance

#endif
