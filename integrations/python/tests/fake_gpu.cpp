// A GPU library for machines without GPU: quantizes host memory and remembers the stream. Tests how Python calls it.
#include "gfpq.hpp"

namespace {
void* stream_of_last_call = nullptr;
}

extern "C" GFPQ_API void* fake_gpu_last_stream() { return stream_of_last_call; }

int HI_GFPQ_QuantAndDeQuant_GPU(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param,
                                void* cuda_stream, void*) {
  stream_of_last_call = cuda_stream;
  return HI_GFPQ_QuantAndDeQuant(data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant_GPU(double* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param,
                                void* cuda_stream, void*) {
  stream_of_last_call = cuda_stream;
  return HI_GFPQ_QuantAndDeQuant(data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant_GPU_PY(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param,
                                   void* cuda_stream, void* cublas_handle) {
  return HI_GFPQ_QuantAndDeQuant_GPU(data, count, bit_width, param, cuda_stream, cublas_handle);
}

int HI_GFPQ_QuantAndDeQuant_PY(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param) {
  return HI_GFPQ_QuantAndDeQuant(data, count, bit_width, param);
}
