#include "errors.hpp"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>

#ifndef _WIN32
#include <pthread.h>
#endif

#include "environment.hpp"

namespace {

struct Sink {
  GFPQ_MESSAGE_SINK function = nullptr;
  void* user = nullptr;
};

std::mutex sink_mutex; // held through a sink's call, so that a replaced sink is no longer in use
// Its holder. Not a flag of each thread: thread-local data of a library that dlopen loaded are allocated in the first
// call, and where memory is refused that ends the process.
std::atomic<std::thread::id> sink_holder{std::thread::id()};
Sink sinks[2];
std::atomic<int> current_sink{0}; // which of them: changed at once, so that a fork finds one whole

/// Holds the mutex as long as it lives.
class SinkLock {
public:
  SinkLock() : lock_(sink_mutex) { sink_holder = std::this_thread::get_id(); }
  ~SinkLock() { sink_holder = std::thread::id(); }

private:
  const std::lock_guard<std::mutex> lock_;
};

#ifndef _WIN32
/// A forked child has no other thread that could ever give the mutex back. (To wait for it before the fork would hang
/// where a sink waits for a lock that the forking thread holds, such as Python's.)
void free_mutex_in_child() {
  if (sink_holder != std::this_thread::get_id())
    new (&sink_mutex) std::mutex;
}
[[maybe_unused]] const int is_registered = pthread_atfork(nullptr, nullptr, free_mutex_in_child);
#endif

void print(std::FILE* stream, const char* message) {
  std::fprintf(stream, "%s\n", message);
  std::fflush(stream);
}

/// Sends a message where the environment says. What can't be done is said on standard error, and nothing is lost.
void print_by_environment(const char* message) {
  constexpr char file_prefix[] = "file:";
  const char* where = gfpq::environment("GFPQ_MESSAGES");
  if (where == nullptr || *where == '\0' || std::strcmp(where, "stdout") == 0)
    return print(stdout, message);
  if (std::strcmp(where, "stderr") == 0)
    return print(stderr, message);
  if (std::strcmp(where, "none") == 0)
    return;
  if (std::strncmp(where, file_prefix, std::strlen(file_prefix)) == 0) {
    if (std::FILE* file = std::fopen(where + std::strlen(file_prefix), "a")) {
      print(file, message);
      std::fclose(file);
      return;
    }
    std::fprintf(stderr, "GFPQ_MESSAGES=%s: cannot open that file for writing\n", where);
  } else {
    std::fprintf(stderr, "GFPQ_MESSAGES=%s: use stdout, stderr, none or file:PATH\n", where);
  }
  print(stderr, message);
}

} // namespace

void GFPQ_SetMessageSink(GFPQ_MESSAGE_SINK sink, void* user) {
  const SinkLock lock;
  const int other = 1 - current_sink;
  sinks[other] = {sink, user};
  current_sink = other;
}

namespace gfpq {

WidthNames::WidthNames() {
  for (int i = 0; i < width_count; ++i) {
    const std::size_t length = std::strlen(text);
    const char* const before = i == 0 ? "" : i == width_count - 1 ? " or " : ", ";
    std::snprintf(text + length, sizeof text - length, "%s%d", before, width_bits[i]);
  }
}

int report(const Error& error, const char* function, int line, ...) {
  char message[1024]; // longer ones are cut; an error path allocates no memory
  const int prefix = std::snprintf(message, sizeof message, "[ERR][%s][%d] ", function, line);
  std::va_list arguments;
  va_start(arguments, line);
  std::vsnprintf(message + prefix, sizeof message - prefix, error.text, arguments);
  va_end(arguments);

  const SinkLock lock;
  const Sink& sink = sinks[current_sink];
  if (sink.function != nullptr)
    sink.function(message, sink.user);
  else
    print_by_environment(message);
  return error.status;
}

} // namespace gfpq
