// The GPU entry points in the CPU library.
#include "errors.hpp"
#include "gfpq.hpp"

int HI_GFPQ_QuantAndDeQuant_GPU(float*, unsigned int, unsigned int, GFPQ_PARAM_ST*, void*, void*) {
  return GFPQ_FAIL(gfpq::errors::no_gpu_in_library);
}

int HI_GFPQ_QuantAndDeQuant_GPU(double*, unsigned int, unsigned int, GFPQ_PARAM_ST*, void*, void*) {
  return GFPQ_FAIL(gfpq::errors::no_gpu_in_library);
}

int HI_GFPQ_QuantAndDeQuant_GPU_PY(float*, unsigned int, unsigned int, GFPQ_PARAM_ST*, void*, void*) {
  return GFPQ_FAIL(gfpq::errors::no_gpu_in_library);
}
