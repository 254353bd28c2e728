// A library as Visual Studio makes it: Microsoft's names alone, and another C runtime than the runner's. It reads one
// number behind some tensors, so that the runner must find that and nothing else.
#include <windows.h>

#include "gfpq.hpp"

namespace {

const HMODULE runtime = LoadLibraryA("ucrtbase.dll");

void print(const char* line) {
  void* const address = reinterpret_cast<void*>(GetProcAddress(runtime, "puts"));
  reinterpret_cast<int (*)(const char*)>(address)(line);
}

} // namespace

extern "C" int faulty_quantize(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param) {
  if (data == nullptr) {
    print("[ERR][faulty_quantize][1] Empty pointer");
    return GFPQ_ERR_BAD_PARAMETERS;
  }
  if (count == 50)
    static_cast<void>(*static_cast<volatile float*>(data + count));
  return HI_GFPQ_QuantAndDeQuant(data, count, bit_width, param);
}
