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

template <class Function, class... Arguments>
int call(Function* function, const Symbol& symbol, Arguments... arguments) {
  if (function == nullptr)
    throw MissingFunction("the library does not export " + describe(symbol));
  return function(arguments...);
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
  resolve(quantize_float_, float_symbol);
  resolve(quantize_double_, double_symbol);
  resolve(quantize_py_, py_symbol);
  resolve(quantize_gpu_float_, gpu_float_symbol);
  resolve(quantize_gpu_double_, gpu_double_symbol);
  resolve(quantize_gpu_py_, gpu_py_symbol);
}

std::string Library::file_name() const { return std::filesystem::path(path_).filename().string(); }

int Library::quantize(Device device, float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) const {
  if (device == Device::gpu)
    return call(quantize_gpu_float_, gpu_float_symbol, data, count, bits, param, nullptr, nullptr);
  return call(quantize_float_, float_symbol, data, count, bits, param);
}

int Library::quantize(Device device, double* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) const {
  if (device == Device::gpu)
    return call(quantize_gpu_double_, gpu_double_symbol, data, count, bits, param, nullptr, nullptr);
  return call(quantize_double_, double_symbol, data, count, bits, param);
}

int Library::quantize_py(Device device, float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) const {
  if (device == Device::gpu)
    return call(quantize_gpu_py_, gpu_py_symbol, data, count, bits, param, nullptr, nullptr);
  return call(quantize_py_, py_symbol, data, count, bits, param);
}

int Library::get_info(GFPQ_INFO_ST* info) const { return call(get_info_, get_info_symbol, info); }

GFPQ_INFO_ST Library::info() const {
  struct {
    GFPQ_INFO_ST info;
    char margin[256]; // for a library that writes too much
  } room = {};
  if (get_info_ == nullptr || get_info_(&room.info) != GFPQ_SUCCESS)
    return {};
  room.info.u8BuildTime[sizeof room.info.u8BuildTime - 1] = '\0';
  return room.info;
}

std::string version_of(const Library& library) {
  const GFPQ_INFO_ST info = library.info();
  return std::to_string(info.u32LibVerMajor) + "." + std::to_string(info.u32LibVerMinor) + "." +
         std::to_string(info.u32LibVerPatch);
}

} // namespace conformance
