#include "library.hpp"

#include <dlfcn.h>

#include <filesystem>

namespace conformance {
namespace {

template <class Function, class... Arguments>
int call(Function* function, const char* name, Arguments... arguments) {
  if (function == nullptr)
    throw MissingFunction(std::string("the library does not export ") + name);
  return function(arguments...);
}

constexpr char get_info_symbol[] = "_Z15HI_GFPQ_GetInfoP13_GFPQ_INFO_ST";
constexpr char float_symbol[] = "_Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST";
constexpr char double_symbol[] = "_Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST";
constexpr char gpu_float_symbol[] = "_Z27HI_GFPQ_QuantAndDeQuant_GPUPfjjP14_GFPQ_PARAM_STPvS2_";
constexpr char gpu_double_symbol[] = "_Z27HI_GFPQ_QuantAndDeQuant_GPUPdjjP14_GFPQ_PARAM_STPvS2_";
constexpr char py_symbol[] = "HI_GFPQ_QuantAndDeQuant_PY";
constexpr char gpu_py_symbol[] = "HI_GFPQ_QuantAndDeQuant_GPU_PY";

} // namespace

Library::Library(const std::string& path) : path_(path) {
  // A bare name would be looked for in the system's folders, and another library tested than the one meant.
  const std::string absolute = std::filesystem::absolute(path).string();
  handle_ = dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr)
    throw std::runtime_error(dlerror());
  resolve(get_info_, get_info_symbol);
  resolve(quantize_float_, float_symbol);
  resolve(quantize_double_, double_symbol);
  resolve(quantize_py_, py_symbol);
  resolve(quantize_gpu_float_, gpu_float_symbol);
  resolve(quantize_gpu_double_, gpu_double_symbol);
  resolve(quantize_gpu_py_, gpu_py_symbol);
}

template <class Function>
void Library::resolve(Function*& function, const char* symbol) {
  function = reinterpret_cast<Function*>(dlsym(handle_, symbol));
  if (function == nullptr)
    missing_.push_back(symbol);
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
