// Kernels and variables by their names in PTX.
#include <cstdlib>
#include <map>
#include <regex>

#include "ptx_device.hpp"

namespace gfpq {
namespace ptx {
namespace {

/// nvcc names what is internal to a file by the file and by numbers that differ between compilations: without these.
/// An example is the identifier `_INTERNAL_0d75702a_9_launch_cu_79b757f5`, which its length, 39, precedes.
std::string stable_name(const std::string& name) {
  static const std::regex begin(R"((\d+)_(?:INTERNAL|GLOBAL__N_)_[0-9a-f]{8}_)");
  static const std::regex hashes(R"(_[0-9a-f]{8}_(\d+_\w+_cu)_[0-9a-f]{8}(?:_\d+)?$)");
  std::string rest = name, stable;
  for (std::smatch match; std::regex_search(rest, match, begin);) {
    const std::size_t identifier = match.position(1) + match.length(1);
    const std::size_t length = std::stoul(match.str(1));
    stable += rest.substr(0, match.position(1)) + std::regex_replace(rest.substr(identifier, length), hashes, "_$1");
    rest = rest.substr(std::min(identifier + length, rest.size()));
  }
  return stable + rest;
}

std::map<std::string, const Kernel*>& kernels() {
  static auto& all = *new std::map<std::string, const Kernel*>;
  return all;
}

std::map<std::string, std::uint64_t>& variables() {
  static auto& all = *new std::map<std::string, std::uint64_t>;
  return all;
}

template <class T>
void add(std::map<std::string, T>& all, const std::string& name, T value) {
  if (!all.emplace(stable_name(name), value).second)
    fault("two of the name " + name);
}

} // namespace

Kernel::Kernel(const char* kernel_name, void (*kernel_function)(Thread&), unsigned threads, unsigned shared,
               std::vector<Parameter> kernel_parameters)
    : name(kernel_name), function(kernel_function), most_threads(threads), shared_bytes(shared),
      parameters(std::move(kernel_parameters)) {
  add<const Kernel*>(kernels(), name, this);
}

const Kernel* Kernel::find(const std::string& name) {
  const auto found = kernels().find(stable_name(name));
  return found == kernels().end() ? nullptr : found->second;
}

std::vector<const Kernel*> Kernel::all() {
  std::vector<const Kernel*> result;
  for (const auto& [name, kernel] : kernels())
    result.push_back(kernel);
  return result;
}

Variable::Variable(const char* name, unsigned alignment, unsigned size, const unsigned char* initial)
    : address_(DeviceMemory::instance().allocate(size, alignment)) {
  std::memcpy(DeviceMemory::instance().at(address_), initial, size);
  add(variables(), name, address_);
}

std::uint64_t Variable::find(const std::string& name) {
  const auto found = variables().find(stable_name(name));
  return found == variables().end() ? 0 : found->second;
}

} // namespace ptx
} // namespace gfpq
