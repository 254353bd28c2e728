// In the place of NVIDIA's driver, as far as the library's CPU functions ask it: some memory that it calls a GPU's.
#include <cstddef>

namespace {

float device_numbers[2] = {1.1f, 2.2f}, managed_numbers[2] = {9, 3};
constexpr int memory_type = 2, is_managed = 8; // of CUpointer_attribute
constexpr unsigned type_host = 1, type_device = 2;

} // namespace

extern "C" __attribute__((visibility("default"))) float* pretended_memory(bool managed) {
  return managed ? managed_numbers : device_numbers;
}

extern "C" __attribute__((visibility("default"))) int cuPointerGetAttributes(unsigned count, const int* attributes,
                                                                             void** values, const void* pointer) {
  const bool managed = pointer == managed_numbers, on_device = managed || pointer == device_numbers;
  for (unsigned i = 0; i < count; ++i) {
    if (attributes[i] == memory_type)
      *static_cast<unsigned*>(values[i]) = on_device ? type_device : type_host;
    else if (attributes[i] == is_managed)
      *static_cast<unsigned*>(values[i]) = managed;
    else
      return 1;
  }
  return 0;
}
