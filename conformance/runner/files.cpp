#include "runner/files.hpp"

#if defined(_WIN32)
#include <io.h>
#else
#include <unistd.h>
#endif

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>

namespace conformance {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& path) {
  throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
}

bool flush_to_disk(std::FILE* file) {
#if defined(_WIN32)
  return _commit(_fileno(file)) == 0;
#else
  return fsync(fileno(file)) == 0 || errno == EINVAL || errno == EROFS; // a pipe has no disk
#endif
}

void write_bytes(const std::string& path, const std::string& bytes) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "wb"));
  if (file == nullptr)
    fail(path);
  if (std::fwrite(bytes.data(), 1, bytes.size(), file.get()) != bytes.size() || std::fflush(file.get()) != 0 ||
      !flush_to_disk(file.get()) || std::fclose(file.release()) != 0)
    fail(path);
}

/// Where a path leads to: a link's target is replaced, not the link.
fs::path target_of(const std::string& path) {
  std::error_code ignored;
  const fs::path target = fs::weakly_canonical(path, ignored);
  return target.empty() ? fs::path(path) : target;
}

bool is_special(const std::string& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  return fs::exists(status) && !fs::is_regular_file(status);
}

} // namespace

void write_whole(const std::string& path, const std::string& bytes) {
  if (is_special(path))
    return write_bytes(path, bytes);
  const std::string partial = target_of(path).string() + ".partial";
  try {
    write_bytes(partial, bytes);
  } catch (const std::runtime_error&) {
    std::remove(partial.c_str());
    throw;
  }
  move_whole(partial, path);
}

void move_whole(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, target_of(to), error);
  if (error) {
    std::remove(from.c_str());
    throw std::runtime_error("cannot write " + to + ": " + error.message());
  }
}

void require_writable(const std::string& path) {
  if (is_special(path))
    return;
  const std::string partial = target_of(path).string() + ".partial";
  write_bytes(partial, "");
  std::remove(partial.c_str());
}

} // namespace conformance
