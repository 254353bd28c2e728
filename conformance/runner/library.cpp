#include "runner/library.hpp"

#include <filesystem>

#include "runner/platform.hpp"

namespace conformance {
namespace {

// A function's name in libraries, as most compilers write it, and as Microsoft's does, where that is another.
struct Symbol {
  const char* name;
  const char* microsoft_name;
};
constexpr Symbol get_info_symbol{"_Z15HI_GFPQ_GetInfoP13_GFPQ_INFO_ST", "?HI_GFPQ_GetInfo@@YAHPEAU_GFPQ_INFO_ST@@@Z"};
constexpr Symbol float_symbol{"_Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST",
                              "?HI_GFPQ_QuantAndDeQuant@@YAHPEAMIIPEAU_GFPQ_PARAM_ST@@@Z"};
constexpr Symbol double_symbol{"_Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST",
                               "?HI_GFPQ_QuantAndDeQuant@@YAHPEANIIPEAU_GFPQ_PARAM_ST@@@Z"};
constexpr Symbol gpu_float_symbol{"_Z27HI_GFPQ_QuantAndDeQuant_GPUPfjjP14_GFPQ_PARAM_STPvS2_",
                                  "?HI_GFPQ_QuantAndDeQuant_GPU@@YAHPEAMIIPEAU_GFPQ_PARAM_ST@@PEAX2@Z"};
constexpr Symbol gpu_double_symbol{"_Z27HI_GFPQ_QuantAndDeQuant_GPUPdjjP14_GFPQ_PARAM_STPvS2_",
                                   "?HI_GFPQ_QuantAndDeQuant_GPU@@YAHPEANIIPEAU_GFPQ_PARAM_ST@@PEAX2@Z"};
constexpr Symbol py_symbol{"HI_GFPQ_QuantAndDeQuant_PY", nullptr};
constexpr Symbol gpu_py_symbol{"HI_GFPQ_QuantAndDeQuant_GPU_PY", nullptr};

std::string describe(const Symbol& symbol) {
  return symbol.name + (symbol.microsoft_name != nullptr ? std::string(" or ") + symbol.microsoft_name : "");
}

} // namespace

Library::Library(const std::string& path) : path_(path) {
  // A bare name would be looked for in the system's folders, and another library tested than the one meant.
  void* const library = load_library(std::filesystem::absolute(path).string());
  const auto resolve = [&](auto*& function, const Symbol& symbol) {
    void* address = find_symbol(library, symbol.name);
    if (address == nullptr && symbol.microsoft_name != nullptr)
      address = find_symbol(library, symbol.microsoft_name);
    if (address == nullptr)
      missing_.push_back(describe(symbol));
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(address);
  };
  resolve(get_info_, get_info_symbol);
  resolve(float_.cpu, float_symbol);
  resolve(double_.cpu, double_symbol);
  resolve(py_.cpu, py_symbol);
  resolve(float_.gpu, gpu_float_symbol);
  resolve(double_.gpu, gpu_double_symbol);
  resolve(py_.gpu, gpu_py_symbol);
  const auto resolve_optional = [&](auto*& function, Function of) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(find_symbol(library, name(of)));
  };
  resolve_optional(run_jobs_, Function::run_jobs);
  resolve_optional(run_jobs_gpu_, Function::run_jobs_gpu);
  resolve_optional(get_blocks_, Function::get_blocks);
  resolve_optional(set_blocks_, Function::set_blocks);
  resolve_optional(get_deltas_, Function::get_deltas);
  resolve_optional(set_deltas_, Function::set_deltas);
}

std::string Library::file_name() const { return std::filesystem::path(path_).filename().string(); }

template <class Float>
const Library::Functions<Float>& Library::functions(Device device, Entry entry) const {
  if constexpr (sizeof(Float) == sizeof(float))
    return entry == Entry::python || (!float_.has(device) && py_.has(device)) ? py_ : float_;
  else
    return double_;
}

template <class Float>
bool Library::has(Device device, Entry entry) const {
  if (entry == Entry::python)
    return sizeof(Float) == sizeof(float) && py_.has(device);
  return functions<Float>(device, entry).has(device);
}

template <class Float>
Function Library::function(Device device, Entry entry) const {
  const bool is_py = static_cast<const void*>(&functions<Float>(device, entry)) == &py_;
  return device == Device::gpu ? (is_py ? Function::quantize_gpu_py : Function::quantize_gpu)
                               : (is_py ? Function::quantize_py : Function::quantize);
}

template <class Call>
int Library::observed(Function function, unsigned count, unsigned bits, const GFPQ_PARAM_ST* param,
                      std::size_t type_size, Call call) const {
  if (observer_ == nullptr)
    return call();
  observer_->before(function, count, bits, param, type_size);
  const auto describe = [&](const std::string& what) {
    observer_->after();
    return std::string(name(function)) + " threw " + what;
  };
  int status;
  try {
    status = call();
  } catch (const std::exception& exception) {
    throw LibraryThrew(describe(std::string("an exception: ") + exception.what()));
  } catch (...) {
    throw LibraryThrew(describe("an exception"));
  }
  observer_->after();
  return status;
}

template <class Float>
int Library::quantize(Device device, Float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param,
                      Entry entry) const {
  const Functions<Float>& functions = this->functions<Float>(device, entry);
  const Function function = this->function<Float>(device, entry);
  if (!functions.has(device))
    throw MissingFunction(std::string("the library does not export ") + name(function) + " for " +
                          (sizeof(Float) == sizeof(float) ? "float" : "double"));
  return observed(function, count, bits, param, sizeof(Float), [&] {
    return device == Device::gpu ? functions.gpu(data, count, bits, param, nullptr, nullptr)
                                 : functions.cpu(data, count, bits, param);
  });
}

int Library::get_info(GFPQ_INFO_ST* info) const {
  if (get_info_ == nullptr)
    throw MissingFunction("the library does not export " + describe(get_info_symbol));
  return observed(Function::get_info, 0, 0, nullptr, 1, [&] { return get_info_(info); });
}

bool Library::has_jobs(Device device) const {
  if (device == Device::gpu)
    return run_jobs_gpu_ != nullptr;
  return run_jobs_ != nullptr && get_blocks_ != nullptr && set_blocks_ != nullptr && get_deltas_ != nullptr &&
         set_deltas_ != nullptr;
}

template <class Pointer, class... Arguments>
int Library::call_job_function(Function function, const GFPQ_JOB_ST* job, Pointer* address,
                               Arguments... arguments) const {
  if (address == nullptr)
    throw MissingFunction(std::string("the library does not export ") + name(function));
  const std::size_t numbers = job != nullptr ? job->outer * job->groups * job->inner : 0;
  return observed(function, static_cast<unsigned>(numbers), job != nullptr ? job->bit_width : 0, nullptr,
                  sizeof(double), [&] { return address(arguments...); });
}

int Library::run_jobs(const GFPQ_JOB_ST* jobs, unsigned count) const {
  return call_job_function(Function::run_jobs, count > 0 ? jobs : nullptr, run_jobs_, jobs, count);
}

int Library::run_jobs_gpu(const GFPQ_JOB_ST* jobs, unsigned count) const {
  return call_job_function(Function::run_jobs_gpu, count > 0 ? jobs : nullptr, run_jobs_gpu_, jobs, count, nullptr);
}

int Library::get_blocks(const GFPQ_GROUP_PARAM_ST* params, std::size_t count, GFPQ_PARAM_ST* blocks) const {
  return call_job_function(Function::get_blocks, nullptr, get_blocks_, params, count, blocks);
}

int Library::set_blocks(GFPQ_GROUP_PARAM_ST* params, std::size_t count, unsigned bits,
                        const GFPQ_PARAM_ST* blocks) const {
  return call_job_function(Function::set_blocks, nullptr, set_blocks_, params, count, bits, blocks);
}

int Library::get_deltas(const GFPQ_JOB_ST* jobs, unsigned count, int* deltas, std::size_t size) const {
  return call_job_function(Function::get_deltas, nullptr, get_deltas_, jobs, count, deltas, size);
}

int Library::set_deltas(const GFPQ_JOB_ST* jobs, unsigned count, const int* deltas, std::size_t size) const {
  return call_job_function(Function::set_deltas, nullptr, set_deltas_, jobs, count, deltas, size);
}

const char* name(Function function) {
  switch (function) {
  case Function::get_info:
    return "HI_GFPQ_GetInfo";
  case Function::quantize:
    return "HI_GFPQ_QuantAndDeQuant";
  case Function::quantize_py:
    return "HI_GFPQ_QuantAndDeQuant_PY";
  case Function::quantize_gpu:
    return "HI_GFPQ_QuantAndDeQuant_GPU";
  case Function::quantize_gpu_py:
    return "HI_GFPQ_QuantAndDeQuant_GPU_PY";
  case Function::run_jobs:
    return "GFPQ_RunJobs";
  case Function::run_jobs_gpu:
    return "GFPQ_RunJobs_GPU";
  case Function::get_blocks:
    return "GFPQ_GetBlocks";
  case Function::set_blocks:
    return "GFPQ_SetBlocks";
  case Function::get_deltas:
    return "GFPQ_GetDeltas";
  case Function::set_deltas:
    return "GFPQ_SetDeltas";
  }
  return "an unknown function";
}

GFPQ_INFO_ST Library::info() const {
  struct {
    GFPQ_INFO_ST info;
    char margin[256]; // for a library that writes too much
  } room = {};
  if (get_info_ == nullptr || get_info(&room.info) != GFPQ_SUCCESS)
    return {};
  room.info.u8BuildTime[sizeof room.info.u8BuildTime - 1] = '\0';
  return room.info;
}

std::string version_of(const GFPQ_INFO_ST& info) {
  return std::to_string(info.u32LibVerMajor) + "." + std::to_string(info.u32LibVerMinor) + "." +
         std::to_string(info.u32LibVerPatch);
}

#define GFPQ_INSTANTIATE(Float)                                                                                        \
  template bool Library::has<Float>(Device, Entry) const;                                                              \
  template Function Library::function<Float>(Device, Entry) const;                                                     \
  template int Library::quantize(Device, Float*, unsigned, unsigned, GFPQ_PARAM_ST*, Entry) const;
GFPQ_INSTANTIATE(float)
GFPQ_INSTANTIATE(double)

} // namespace conformance
