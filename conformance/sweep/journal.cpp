#include "journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace conformance {
namespace {

nlohmann::json header(const Identity& identity) {
  return {{"schema", "gfpq-sweep-journal/1"}, {"library_sha256", identity.library_sha256},
          {"target", identity.target},        {"mode", name_of(identity.method.mode)},
          {"length", identity.method.length}, {"random_doubles", identity.method.random_doubles},
          {"seed", identity.method.seed},     {"floats", name_of_floats(identity.method)}};
}

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw std::runtime_error(path + ": " + what + "; name another --journal, or remove this one to begin anew");
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The text without a last line that has no end: a run was killed while it wrote.
std::string whole_lines(const std::string& text) { return text.substr(0, text.rfind('\n') + 1); }

std::vector<DeltaResult> read_journal(const std::string& path, const Identity& identity) {
  std::istringstream lines(whole_lines(content(path)));
  const nlohmann::json expected_header = header(identity);
  std::vector<DeltaResult> results;
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
    ++number;
    try {
      if (number > 1) {
        results.push_back(json.get<DeltaResult>());
        continue;
      }
      for (const auto& [key, value] : expected_header.items())
        if (json.at(key) != value)
          fail(path, "this journal is of another sweep, with " + key + " " + json.at(key).dump() + " instead of " +
                         value.dump());
    } catch (const nlohmann::json::exception&) {
      fail(path, "line " + std::to_string(number) + " is damaged or no line of a sweep's journal");
    }
  }
  return results;
}

} // namespace

std::vector<DeltaResult> read_journals(const std::string& path, const Identity& identity) {
  std::vector<DeltaResult> results;
  const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
  const std::string name = std::filesystem::path(path).filename().string();
  if (!std::filesystem::is_directory(folder))
    throw std::runtime_error(path + ": there is no such folder for --journal");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string other = entry.path().filename().string();
    const std::string suffix = other.compare(0, name.size(), name) == 0 ? other.substr(name.size()) : "?";
    if (suffix.empty() ||
        (suffix.size() > 1 && suffix.find_first_not_of("0123456789", 1) == std::string::npos && suffix[0] == '.'))
      for (DeltaResult& result : read_journal(entry.path().string(), identity))
        results.push_back(std::move(result));
  }
  return results;
}

Journal::Journal(const std::string& path, const Identity& identity) : path_(path) {
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0)
    throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
  if (flock(file_, LOCK_EX | LOCK_NB) != 0)
    throw std::runtime_error(path + ": another sweep writes this journal; wait for it, or name another --journal");
  const std::string kept = whole_lines(content(path));
  if (ftruncate(file_, static_cast<off_t>(kept.size())) != 0)
    throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
  if (kept.empty())
    append(header(identity).dump());
}

Journal::~Journal() { close(file_); }

void Journal::add(const DeltaResult& result) { append(nlohmann::json(result).dump()); }

void Journal::append(const std::string& line) {
  const std::string text = line + "\n";
  if (write(file_, text.data(), text.size()) != static_cast<ssize_t>(text.size()) || fsync(file_) != 0)
    throw std::runtime_error("cannot write " + path_ + ": " + std::strerror(errno));
}

} // namespace conformance
