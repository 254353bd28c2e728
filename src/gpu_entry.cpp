// The GPU entry points in the GPU library.
#include "description.hpp"
#include "gfpq.hpp"
#include "gpu_backend.hpp"
#include "modes.hpp"

const char* gfpq::gpu_architectures() { return GFPQ_GPU_ARCHITECTURES; }

int HI_GFPQ_QuantAndDeQuant_GPU(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param,
                                void* cuda_stream, void*) {
  return gfpq::fake_quantize(gfpq::GpuBackend(cuda_stream), data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant_GPU(double* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param,
                                void* cuda_stream, void*) {
  return gfpq::fake_quantize(gfpq::GpuBackend(cuda_stream), data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant_GPU_PY(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param,
                                   void* cuda_stream, void*) {
  return gfpq::fake_quantize(gfpq::GpuBackend(cuda_stream), data, count, bit_width, param);
}
