// The guide's sample: quantizes ten numbers without parameter and in the three modes, then times ten runs of 50 MiB.
//
//     sample [bit width, 8 or 16] [numbers of a timed run; 13107200 if left out]
//
// Compiled with SAMPLE_GPU it does the same in device memory, with the library's GPU interface.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "gfpq.hpp"
#ifdef SAMPLE_GPU
#include <cuda_runtime_api.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;

/// Quantizes and dequantizes `data`. \return the call's time in seconds; negative where it failed, which has been told.
double quantize(std::vector<float>& data, unsigned int bit_width, GFPQ_PARAM_ST* param);

#ifndef SAMPLE_GPU

const char function_name[] = "HI_GFPQ_QuantAndDeQuant";

double quantize(std::vector<float>& data, unsigned int bit_width, GFPQ_PARAM_ST* param) {
  const auto count = static_cast<unsigned int>(data.size());
  const auto start = Clock::now();
  const int status = HI_GFPQ_QuantAndDeQuant(data.data(), count, bit_width, param);
  const std::chrono::duration<double> elapsed = Clock::now() - start;
  return status == GFPQ_SUCCESS ? elapsed.count() : -1;
}

#else

const char function_name[] = "HI_GFPQ_QuantAndDeQuant_GPU";

bool succeeds(cudaError_t error, const char* call) {
  if (error != cudaSuccess)
    std::printf("%s failed(0x%x: %s)\n", call, static_cast<unsigned int>(error), cudaGetErrorString(error));
  return error == cudaSuccess;
}

double quantize(std::vector<float>& data, unsigned int bit_width, GFPQ_PARAM_ST* param) {
  const auto count = static_cast<unsigned int>(data.size());
  const std::size_t bytes = data.size() * sizeof(float);
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess) { // the library says best why there is none
    static_cast<void>(HI_GFPQ_QuantAndDeQuant_GPU(data.data(), count, bit_width, param));
    return -1;
  }

  void* on_device = nullptr;
  if (!succeeds(cudaMalloc(&on_device, bytes), "cudaMalloc"))
    return -1;
  double seconds = -1;
  if (succeeds(cudaMemcpy(on_device, data.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy")) {
    const auto start = Clock::now();
    const int status = HI_GFPQ_QuantAndDeQuant_GPU(static_cast<float*>(on_device), count, bit_width, param);
    const cudaError_t finished = cudaDeviceSynchronize(); // with APPLY_ONLY the call returns before the GPU is done
    const std::chrono::duration<double> elapsed = Clock::now() - start;
    if (status == GFPQ_SUCCESS && succeeds(finished, "cudaDeviceSynchronize") &&
        succeeds(cudaMemcpy(data.data(), on_device, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy"))
      seconds = elapsed.count();
  }
  cudaFree(on_device);
  return seconds;
}

#endif

void print(int line, const char* what, const std::vector<float>& data) {
  std::printf("[quant_and_dequant][%d] %s :", line, what);
  for (const float number : data)
    std::printf(" %f", static_cast<double>(number));
  std::printf("\n");
}

/// Makes one call on the numbers 0 to 9. \return whether it succeeded.
bool quant_and_dequant(unsigned int bit_width, GFPQ_PARAM_ST* param) {
  std::vector<float> data;
  for (int i = 0; i < 10; ++i)
    data.push_back(static_cast<float>(i));
  print(__LINE__, "Data_ori", data);
  if (quantize(data, bit_width, param) < 0)
    return false;
  print(__LINE__, "Data_dequant", data);
  return true;
}

/// Times one call on the guide's data. \return whether it succeeded.
bool measure(unsigned int bit_width, unsigned int count) {
  std::vector<float> data(count);
  for (float& number : data)
    number = static_cast<float>(std::rand() % (1 << 20) - (1 << 19)) / static_cast<float>(1 << 18);
  GFPQ_PARAM_ST param = {GFPQ_MODE_INIT, {}};

  const double seconds = quantize(data, bit_width, &param);
  if (seconds < 0)
    return false;
  const double bytes = static_cast<double>(count) * sizeof(float);
  std::printf("%s bit_width[%2u] cnt[%9u] memory[%6.0f]KB time[%.0f]us rate[%f]GB/s\n", function_name, bit_width, count,
              bytes / 1024, seconds * 1e6, bytes / seconds / (1 << 30));
  return true;
}

} // namespace

int main(int argc, char** argv) {
  const auto bit_width = static_cast<unsigned int>(argc > 1 ? std::atoi(argv[1]) : GFPQ_BIT_WIDTH_8BIT);
  const auto count = static_cast<unsigned int>(argc > 2 ? std::atoi(argv[2]) : 13107200);

  GFPQ_INFO_ST info;
  if (HI_GFPQ_GetInfo(&info) != GFPQ_SUCCESS)
    return EXIT_FAILURE;
  std::printf("GFPQ version[%u.%u.%u] Compiler revision[%u] Build at[%s]\n", info.u32LibVerMajor, info.u32LibVerMinor,
              info.u32LibVerPatch, info.u32ComRevision, info.u8BuildTime);
  std::printf("Quant and dequant bit_width[%u]\n", bit_width);

  // In training: INIT on a tensor's first batch, UPDATE while its range may still grow, APPLY_ONLY from then on.
  GFPQ_PARAM_ST param = {GFPQ_MODE_INIT, {}};
  bool good = quant_and_dequant(bit_width, nullptr) && quant_and_dequant(bit_width, &param);
  param.mode = GFPQ_MODE_UPDATE;
  good = good && quant_and_dequant(bit_width, &param);
  param.mode = GFPQ_MODE_APPLY_ONLY;
  good = good && quant_and_dequant(bit_width, &param);

  for (int run = 0; run < 10 && good; ++run)
    good = measure(bit_width, count);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
