// The GPU entry points in the GPU library.
#include "cpu_backend.hpp"
#include "description.hpp"
#include "device_memory.hpp"
#include "gfpq.hpp"
#include "gpu_backend.hpp"
#include "modes.hpp"

/// As soon as the library is loaded, its CPU functions know of GPUs.
static const bool cpu_functions_know = (gfpq::CpuBackend::is_device_memory = gfpq::is_device_memory) != nullptr;
static const bool description_knows = (gfpq::gpu_architectures = GFPQ_GPU_ARCHITECTURES) != nullptr;

int HI_GFPQ_QuantAndDeQuant_GPU(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param,
                                void* cuda_stream, void*) {
  return gfpq::quantize_and_dequantize(gfpq::GpuBackend(cuda_stream), data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant_GPU(double* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param,
                                void* cuda_stream, void*) {
  return gfpq::quantize_and_dequantize(gfpq::GpuBackend(cuda_stream), data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant_GPU_PY(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param,
                                   void* cuda_stream, void*) {
  return gfpq::quantize_and_dequantize(gfpq::GpuBackend(cuda_stream), data, count, bit_width, param);
}
