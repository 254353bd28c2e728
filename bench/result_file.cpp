#include "result_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace bench {
namespace {

const std::string closing_list = "\n]\n}\n";

/// 0 or an error number.
int write_at(int file, const std::string& text, off_t position) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = pwrite(file, text.data() + done, text.size() - done, position + static_cast<off_t>(done));
    if (written < 0 && errno != EINTR)
      return errno;
    if (written > 0)
      done += static_cast<std::size_t>(written);
  }
  return 0;
}

[[noreturn]] void fail(int error, const std::string& path) {
  throw std::system_error(error, std::generic_category(), "cannot write " + path);
}

} // namespace

std::string partial_path(const std::string& path) { return path + ".partial"; }

ResultFile::ResultFile(const std::string& path, const Json& context) : path_(path), partial_(partial_path(path)) {
  if (std::filesystem::exists(path) && !std::filesystem::is_regular_file(path))
    throw std::invalid_argument("--benchmark_out: " + path + " is not a file, and would be replaced by one");
  file_ = open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file_ < 0)
    fail(errno, partial_);
  try {
    append("{\n\"context\": " + context.dump(1) + ",\n\"benchmarks\": [", closing_list);
  } catch (...) {
    close(file_);
    std::remove(partial_.c_str());
    throw;
  }
}

ResultFile::~ResultFile() {
  if (file_ >= 0)
    close(file_);
}

void ResultFile::add(const Json& row) {
  append(separator_ + row.dump(), closing_list);
  separator_ = ",\n";
}

void ResultFile::append(const std::string& text, const std::string& end) {
  if (const int error = write_at(file_, text + end, end_); error != 0) {
    if (ftruncate(file_, end_) == 0)
      write_at(file_, closing_list, end_); // there was room for it before
    fail(error, partial_);
  }
  end_ += static_cast<off_t>(text.size());
}

void ResultFile::finish(const Json& run) {
  append("\n],\n\"run\": " + run.dump(), "\n}\n");
  const int closed = close(std::exchange(file_, -1)); // some file systems find out only now that they are full
  if (closed != 0 || std::rename(partial_.c_str(), path_.c_str()) != 0)
    fail(errno, path_);
}

} // namespace bench
