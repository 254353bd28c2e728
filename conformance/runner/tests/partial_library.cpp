// A right library with a part of the interface alone, as ports have: PARTIAL_PY_ALONE exports the function with a C
// name and no other, PARTIAL_FLOAT_ALONE no function for double, PARTIAL_8_BIT_ALONE takes one width,
// PARTIAL_OTHER_WORDS prints other messages, PARTIAL_SILENT none, PARTIAL_SWAPPED_WORDS has another block.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "gfpq.hpp"

namespace {

void* original(const char* symbol) {
  static void* const library = dlopen(ORIGINAL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  void* function = library != nullptr ? dlsym(library, symbol) : nullptr;
  if (function == nullptr)
    std::abort();
  return function;
}

#if defined(PARTIAL_SWAPPED_WORDS)
void swap_words(GFPQ_PARAM_ST* param) {
  if (param != nullptr)
    for (int byte = 0; byte < 4; ++byte)
      std::swap(param->buf[8 + byte], param->buf[12 + byte]);
}
#endif

/// A call of the original, whose messages go nowhere where this one has others.
template <class Float>
int forward(const char* symbol, Float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) {
#if defined(PARTIAL_8_BIT_ALONE)
  if (data != nullptr && bits == GFPQ_BIT_WIDTH_16BIT)
    return GFPQ_ERR_NOT_SUPPORT;
#endif
#if defined(PARTIAL_OTHER_WORDS) || defined(PARTIAL_SILENT)
  static const auto set_sink = reinterpret_cast<void (*)(GFPQ_MESSAGE_SINK, void*)>(original("GFPQ_SetMessageSink"));
#if defined(PARTIAL_SILENT)
  set_sink([](const char*, void*) {}, nullptr);
#else
  set_sink([](const char*, void*) { std::puts("gfpq: something is wrong"); }, nullptr);
#endif
#endif
#if defined(PARTIAL_SWAPPED_WORDS)
  swap_words(param);
#endif
  const auto call = reinterpret_cast<int (*)(Float*, unsigned, unsigned, GFPQ_PARAM_ST*)>(original(symbol));
  const int status = call(data, count, bits, param);
#if defined(PARTIAL_SWAPPED_WORDS)
  swap_words(param);
#endif
  return status;
}

} // namespace

int HI_GFPQ_QuantAndDeQuant_PY(float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) {
  return forward("HI_GFPQ_QuantAndDeQuant_PY", data, count, bits, param);
}

#if !defined(PARTIAL_PY_ALONE)
int HI_GFPQ_QuantAndDeQuant(float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) {
  return forward("_Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST", data, count, bits, param);
}

#if !defined(PARTIAL_FLOAT_ALONE)
int HI_GFPQ_QuantAndDeQuant(double* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) {
  return forward("_Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST", data, count, bits, param);
}
#endif

int HI_GFPQ_GetInfo(GFPQ_INFO_ST* info) {
#if defined(PARTIAL_OTHER_WORDS)
  if (info == nullptr)
    return std::puts("gfpq: no room for the information"), GFPQ_ERR_BAD_PARAMETERS;
#elif defined(PARTIAL_SILENT)
  if (info == nullptr)
    return GFPQ_ERR_BAD_PARAMETERS;
#endif
  return reinterpret_cast<int (*)(GFPQ_INFO_ST*)>(original("_Z15HI_GFPQ_GetInfoP13_GFPQ_INFO_ST"))(info);
}
#endif
