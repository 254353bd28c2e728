// What the CPU library has in the place of the GPU library's files.
#include "description.hpp"
#include "device_memory.hpp"
#include "errors.hpp"
#include "gfpq.hpp"
#include "gfpq_jobs.hpp"

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

int GFPQ_RunJobs_GPU(const GFPQ_JOB_ST*, unsigned int, void*) { return GFPQ_FAIL(gfpq::errors::no_gpu_in_library); }

int GFPQ_GetDeltas_GPU(const GFPQ_JOB_ST*, unsigned int, int*, size_t, void*) {
  return GFPQ_FAIL(gfpq::errors::no_gpu_in_library);
}

int GFPQ_SetDeltas_GPU(const GFPQ_JOB_ST*, unsigned int, const int*, size_t, void*) {
  return GFPQ_FAIL(gfpq::errors::no_gpu_in_library);
}
