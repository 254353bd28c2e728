#include "errors.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace {

std::mutex sink_mutex; // held through a sink's call, so that a replaced sink is no longer in use
GFPQ_MESSAGE_SINK current_sink = nullptr;
void* current_user = nullptr;

void print(std::FILE* stream, const char* message) {
  std::fprintf(stream, "%s\n", message);
  std::fflush(stream);
}

/// Sends a message where the environment says. What can't be done is said on standard error, and nothing is lost.
void print_by_environment(const char* message) {
  constexpr char file_prefix[] = "file:";
  const char* where = std::getenv("GFPQ_MESSAGES");
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
  const std::lock_guard<std::mutex> lock(sink_mutex);
  current_sink = sink;
  current_user = user;
}

namespace gfpq {

int report(const Error& error, const char* function, int line, ...) {
  char message[1024]; // longer ones are cut; an error path takes no memory
  const int prefix = std::snprintf(message, sizeof message, "[ERR][%s][%d] ", function, line);
  std::va_list arguments;
  va_start(arguments, line);
  std::vsnprintf(message + prefix, sizeof message - prefix, error.text, arguments);
  va_end(arguments);

  const std::lock_guard<std::mutex> lock(sink_mutex);
  if (current_sink != nullptr)
    current_sink(message, current_user);
  else
    print_by_environment(message);
  return error.status;
}

} // namespace gfpq
