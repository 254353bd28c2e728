#include "library.hpp"

#include <dlfcn.h>
#include <linux/memfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace bench {
namespace {

std::string last_message_text;

void keep_message(const char* message, void*) { last_message_text = message; }

/// Sets an environment variable as long as it lives; an empty value takes the variable away.
class ScopedVariable {
public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name))
      old_ = old;
    set(value);
  }
  ~ScopedVariable() { set(old_); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

private:
  void set(const std::string& value) const {
    if (value.empty())
      unsetenv(name_);
    else
      setenv(name_, value.c_str(), 1);
  }

  const char* name_;
  std::string old_;
};

/// The path of a copy of a file in memory: no folder has to allow that files are written and programs loaded. It stays
/// open, since the loader takes a path that it knows for the library that it has.
std::string copy_in_memory(const std::string& path) {
  // glibc has a function for it since 2.27 only.
  const int copy = static_cast<int>(syscall(SYS_memfd_create, "gfpq_bench", MFD_CLOEXEC));
  if (copy < 0)
    throw LibraryError("cannot make a copy of " + path + " in memory: " + std::strerror(errno));
  const std::string name = "/proc/self/fd/" + std::to_string(copy);
  std::ofstream(name, std::ios::binary) << std::ifstream(path, std::ios::binary).rdbuf();
  if (std::filesystem::file_size(name) != std::filesystem::file_size(path))
    throw LibraryError("cannot make a copy of " + path + " in memory: too little of it");
  return name;
}

/// The library at one target, or null where it has no such target here.
///
/// A library reads GFPQ_TARGET at its first call, once for all. The loader tells libraries apart by file, so a copy is
/// another instance, with a first call of its own.
std::unique_ptr<Library> load_target(const std::string& path, const std::string& target) {
  const ScopedVariable variable("GFPQ_TARGET", target);
  auto library = std::make_unique<Library>(copy_in_memory(path));
  float number = 1;
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  last_message_text.clear();
  if (library->quantize(&number, 1, GFPQ_BIT_WIDTH_8BIT, &param) != GFPQ_SUCCESS)
    return nullptr;
  return library;
}

/// The names in a message that ends in `... has avx512, avx2, scalar`.
std::vector<std::string> names_in(const std::string& message) {
  constexpr char before[] = " has ";
  std::vector<std::string> names;
  const std::size_t at = message.rfind(before);
  if (at == std::string::npos)
    return names;
  std::string name;
  for (const char c : message.substr(at + sizeof before - 1) + ',') {
    if (c != ',' && c != ' ') {
      name += c;
    } else if (!name.empty()) {
      names.push_back(name);
      name.clear();
    }
  }
  return names;
}

} // namespace

Library::Library(const std::string& path) : path_(path) {
  if (!std::filesystem::is_regular_file(path))
    throw LibraryError(path + ": no such file");
  // A bare name would be looked for in the system's folders, and another library measured than the one meant.
  handle_ = dlopen(std::filesystem::absolute(path).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr)
    throw LibraryError(path + ": cannot be loaded: " + dlerror());
  resolve(quantize_float_, "_Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST", true);
  resolve(quantize_double_, "_Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST", true);
  resolve(get_info_, "_Z15HI_GFPQ_GetInfoP13_GFPQ_INFO_ST", true);
  resolve(set_message_sink_, "GFPQ_SetMessageSink", false);
  // Found through what the library links: its own OpenMP runtime, whichever that is, where it has one.
  resolve(set_threads_, "omp_set_num_threads", false);
  if (set_message_sink_ != nullptr)
    set_message_sink_(keep_message, nullptr);
}

template <class Function>
void Library::resolve(Function*& function, const char* symbol, bool required) {
  function = reinterpret_cast<Function*>(dlsym(handle_, symbol));
  if (function == nullptr && required)
    throw LibraryError(path_ + ": not a GFPQ library: it does not export " + symbol);
}

GFPQ_INFO_ST Library::info() const {
  GFPQ_INFO_ST info{};
  get_info_(&info);
  info.u8BuildTime[GFPQ_DATE_TIME_STR_LEN - 1] = '\0';
  return info;
}

void Library::set_threads(int count) const {
  if (set_threads_ != nullptr)
    set_threads_(count);
  else
    setenv("OMP_NUM_THREADS", std::to_string(count).c_str(), 1); // which ours reads at every call
}

const std::string& Library::last_message() { return last_message_text; }

std::vector<TargetLibrary> load_targets(const std::string& path) {
  auto original = std::make_unique<Library>(path); // before any copy, so that complaints name the user's file
  std::vector<TargetLibrary> targets;
  // Errors are expected here: they are not to be printed, not even by a library without GFPQ_SetMessageSink.
  const ScopedVariable silent("GFPQ_MESSAGES", "none");
  if (load_target(path, "no-such-target") != nullptr) {
    targets.push_back({"own", std::move(original)});
    return targets;
  }
  std::vector<std::string> names = names_in(last_message_text);
  for (const char* known : {"avx512", "avx2", "sse4", "neon", "scalar"})
    if (std::find(names.begin(), names.end(), known) == names.end())
      names.push_back(known);
  if (const char* wanted = std::getenv("GFPQ_TARGET"); wanted != nullptr && *wanted != '\0')
    names = {wanted};
  for (const std::string& name : names)
    if (auto library = load_target(path, name))
      targets.push_back({name, std::move(library)});
  if (targets.empty())
    throw LibraryError(path + ": does not run with GFPQ_TARGET=" + names.front() + ": " + last_message_text);
  return targets;
}

} // namespace bench
