// A program that loads the DLL, makes a call that takes threads, and lets go of the DLL: nothing of it may go on
// running.
#include <windows.h>

#include <cstdio>
#include <vector>

#include "gfpq.hpp"

int main(int, char** argv) {
  std::vector<float> data(10'000'000, 3);
  for (int time = 0; time < 3; ++time) {
    HMODULE library = LoadLibraryA(argv[1]);
    if (library == nullptr) {
      std::printf("%s cannot be loaded\n", argv[1]);
      return 1;
    }
    void* const address = reinterpret_cast<void*>(GetProcAddress(library, "HI_GFPQ_QuantAndDeQuant_PY"));
    const auto quantize = reinterpret_cast<decltype(&HI_GFPQ_QuantAndDeQuant_PY)>(address);
    if (quantize(data.data(), static_cast<unsigned int>(data.size()), GFPQ_BIT_WIDTH_8BIT, nullptr) != GFPQ_SUCCESS)
      return 1;
    FreeLibrary(library);
    if (GetModuleHandleA("gfpq.dll") != nullptr) {
      std::printf("gfpq.dll stays\n");
      return 1;
    }
    Sleep(300); // what still ran would crash now
  }
  return 0;
}
