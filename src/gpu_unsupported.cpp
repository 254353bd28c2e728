// What the CPU library has in the place of the GPU library's files.
#include "description.hpp"
#include "device_memory.hpp"
#include "errors.hpp"
#include "gfpq.hpp"

bool gfpq::is_device_memory(const void*) { return false; }
const char* gfpq::gpu_architectures() { return nullptr; }

int HI_GFPQ_QuantAndDeQuant_GPU(float*, unsigned int, unsigned int, GFPQ_PARAM_ST*, void*, void*) {
  return GFPQ_FAIL(gfpq::errors::no_gpu_in_library);
}

int HI_GFPQ_QuantAndDeQuant_GPU(double*, unsigned int, unsigned int, GFPQ_PARAM_ST*, void*, void*) {
  return GFPQ_FAIL(gfpq::errors::no_gpu_in_library);
}

int HI_GFPQ_QuantAndDeQuant_GPU_PY(float*, unsigned int, unsigned int, GFPQ_PARAM_ST*, void*, void*) {
  return GFPQ_FAIL(gfpq::errors::no_gpu_in_library);
}
