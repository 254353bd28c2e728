// A program as Visual Studio's compiler makes it, whose ABI Clang can speak: it asks the DLL for Microsoft's names. It
// has no C++ runtime, and returns the number of the first check that fails.
#include "gfpq.hpp"

extern "C" {
int _fltused = 0; // what the compiler asks the runtime for where there are floating-point numbers
__declspec(dllimport) void ExitProcess(unsigned int status);
void start();
}

namespace {

template <class Float>
bool quantizes() {
  Float data[] = {3, 9};
  GFPQ_PARAM_ST param = {GFPQ_MODE_INIT, {}};
  const int status = HI_GFPQ_QuantAndDeQuant(data, 2, GFPQ_BIT_WIDTH_8BIT, &param);
  return status == GFPQ_SUCCESS && data[0] > Float(2.9536) && data[0] < Float(2.9537) && param.buf[4] == 0xb3;
}

template <class Float>
bool refuses_gpu() {
  Float data = 3;
  return HI_GFPQ_QuantAndDeQuant_GPU(&data, 1, GFPQ_BIT_WIDTH_8BIT, nullptr) == GFPQ_ERR_NOT_SUPPORT && data == 3;
}

} // namespace

void start() {
  GFPQ_INFO_ST info;
  const bool checks[] = {HI_GFPQ_GetInfo(&info) == GFPQ_SUCCESS && info.u32LibVerMajor == 1, quantizes<float>(),
                         quantizes<double>(), refuses_gpu<float>(), refuses_gpu<double>()};
  unsigned int failed = 0;
  for (unsigned int i = 0; i < sizeof checks && failed == 0; ++i)
    failed = checks[i] ? 0 : i + 1;
  ExitProcess(failed);
}
