// A GPU library for machines without GPU: quantizes host memory and remembers the stream. Tests how Python calls it.
#include "gfpq_jobs.hpp"

namespace {
void* stream_of_last_call = nullptr;
unsigned int jobs_run = 0;
unsigned int calls_of_jobs = 0;
} // namespace

extern "C" GFPQ_API void* fake_gpu_last_stream() { return stream_of_last_call; }
extern "C" GFPQ_API unsigned int fake_gpu_jobs_run() { return jobs_run; }
extern "C" GFPQ_API unsigned int fake_gpu_calls_of_jobs() { return calls_of_jobs; }

// As on a GPU, what is wrong with a parameter is in its status alone.
extern "C" GFPQ_API int GFPQ_RunJobs_GPU(const GFPQ_JOB_ST* jobs, unsigned int count, void* cuda_stream) {
  stream_of_last_call = cuda_stream;
  jobs_run += count;
  ++calls_of_jobs;
  const int status = GFPQ_RunJobs(jobs, count);
  for (unsigned int i = 0; i != count; ++i) {
    for (size_t group = 0; group != jobs[i].groups; ++group) {
      if (status != GFPQ_SUCCESS && jobs[i].params[group].status == status) {
        return GFPQ_SUCCESS;
      }
    }
  }
  return status;
}

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
