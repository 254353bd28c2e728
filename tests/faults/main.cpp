// gfpq_faults [--library FILE] [GoogleTest's flags]
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <type_traits>

#include "gfpq.hpp"
#include "library.hpp"

namespace {

std::string file = GFPQ_LIBRARY;

template <class Float>
using Quantize = int(Float*, unsigned, unsigned, GFPQ_PARAM_ST*);
template <class Float>
using QuantizeGpu = int(Float*, unsigned, unsigned, GFPQ_PARAM_ST*, void*, void*);

struct {
  Quantize<float>*of_float, *of_py;
  Quantize<double>* of_double;
  QuantizeGpu<float>* of_gpu_py;
  int (*get_info)(GFPQ_INFO_ST*);
  void (*set_sink)(GFPQ_MESSAGE_SINK, void*);
} functions;

void load() {
  // A bare name would be looked for in the system's folders.
  void* const library = dlopen(std::filesystem::absolute(file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    throw std::runtime_error(dlerror());
  const auto resolve = [&](auto*& function, const char* name, bool is_needed = true) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (function == nullptr && is_needed)
      throw std::runtime_error(file + " does not export " + name + ", which these tests need");
  };
  resolve(functions.of_float, "_Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST");
  resolve(functions.of_double, "_Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST");
  resolve(functions.of_py, "HI_GFPQ_QuantAndDeQuant_PY");
  resolve(functions.of_gpu_py, "HI_GFPQ_QuantAndDeQuant_GPU_PY");
  resolve(functions.get_info, "_Z15HI_GFPQ_GetInfoP13_GFPQ_INFO_ST");
  resolve(functions.set_sink, "GFPQ_SetMessageSink", false);
}

} // namespace

const std::string& faults::library_file() { return file; }

bool faults::has_message_sink() { return functions.set_sink != nullptr; }

// What the tests call.
int HI_GFPQ_QuantAndDeQuant(float* data, unsigned count, unsigned bit_width, GFPQ_PARAM_ST* param) {
  return functions.of_float(data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant(double* data, unsigned count, unsigned bit_width, GFPQ_PARAM_ST* param) {
  return functions.of_double(data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant_PY(float* data, unsigned count, unsigned bit_width, GFPQ_PARAM_ST* param) {
  return functions.of_py(data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant_GPU_PY(float* data, unsigned count, unsigned bit_width, GFPQ_PARAM_ST* param, void* stream,
                                   void* handle) {
  return functions.of_gpu_py(data, count, bit_width, param, stream, handle);
}

int HI_GFPQ_GetInfo(GFPQ_INFO_ST* info) { return functions.get_info(info); }

void GFPQ_SetMessageSink(GFPQ_MESSAGE_SINK sink, void* user) {
  if (functions.set_sink != nullptr)
    functions.set_sink(sink, user);
}

int main(int argc, char** argv) {
  constexpr int usage = 2;
  testing::InitGoogleTest(&argc, argv); // takes its own flags away
  CLI::App app{"What goes wrong around a call must not make it wrong. GoogleTest's own flags: --help-gtest"};
  app.add_option("--library", file, "the library to test (a file)")->capture_default_str();
  try {
    app.parse(argc, argv);
    load();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : usage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gfpq_faults: %s\n", error.what());
    return usage;
  }
  return RUN_ALL_TESTS();
}
