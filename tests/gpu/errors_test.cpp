// What the GPU library returns where it cannot work. Most of it needs no GPU.
#include <cstring>

#include "gpu_errors.hpp"
#include "gpu_fixture.hpp"

namespace gfpq {
namespace {

/// What a caller gets who asks CUDA for errors. Where there is no driver, that is always an error.
cudaError_t error_seen_by_caller() {
  cudaGetLastError();
  return cudaGetLastError();
}

TEST(GpuErrors, WithoutAGpuEveryCallReturnsAnError) {
  if (gpu_problem().empty())
    GTEST_SKIP() << "this machine has a GPU";
  for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
    float valid = 9;
    GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
    ASSERT_EQ(HI_GFPQ_QuantAndDeQuant(&valid, 1, 8, &param), GFPQ_SUCCESS); // the CPU functions are in here too
    param.mode = mode;
    const GFPQ_PARAM_ST before = param;
    const cudaError_t error_before = error_seen_by_caller();
    Messages messages;
    float single[] = {1.1f, 2.2f};
    EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(single, 2, 8, &param), GFPQ_ERR_GENERIC);
    double numbers[] = {1.1, 2.2};
    EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(numbers, 2, 8, &param), GFPQ_ERR_GENERIC);
    EXPECT_NE(messages.text.find("this machine has no NVIDIA GPU"), std::string::npos) << messages.text;
    EXPECT_EQ(single[0], 1.1f);
    EXPECT_EQ(numbers[1], 2.2);
    EXPECT_EQ(std::memcmp(&param, &before, sizeof param), 0);
    EXPECT_EQ(cudaGetLastError(), error_before) << "the caller sees our error";
  }
}

TEST(GpuErrors, ArgumentsAreCheckedBeforeTheGpu) {
  Messages messages;
  float number = 1;
  GFPQ_PARAM_ST param{3, {}};
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(static_cast<float*>(nullptr), 1, 8, nullptr), GFPQ_ERR_BAD_PARAMETERS);
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(&number, 1, 9, nullptr), GFPQ_ERR_BAD_FORMAT);
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(&number, 1, 8, &param), GFPQ_ERR_BAD_PARAMETERS);
  param.mode = GFPQ_MODE_APPLY_ONLY;
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(&number, 1, 8, &param), GFPQ_ERR_BAD_PARAMETERS);
}

/// A GPU would end its context at such an address. No GPU is asked.
TEST(GpuErrors, AddressesBetweenNumbersAreRefused) {
  alignas(double) unsigned char memory[64] = {};
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  const auto expect_refusal = [&param](auto* data) {
    Messages messages;
    EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(data, 2, 8, &param), GFPQ_ERR_BAD_PARAMETERS);
    EXPECT_NE(messages.text.find("not a multiple of"), std::string::npos) << messages.text;
  };
  for (const std::size_t offset : {1, 2, 3, 6})
    expect_refusal(reinterpret_cast<float*>(memory + offset));
  for (const std::size_t offset : {1, 4, 12})
    expect_refusal(reinterpret_cast<double*>(memory + offset));
}

TEST(GpuErrors, NoCodeForTheGpuIsReportedInTheVendorsWords) {
  const cudaError_t error_before = error_seen_by_caller();
  Messages messages;
  EXPECT_EQ(fail_by_cuda(cudaErrorNoKernelImageForDevice), GFPQ_ERR_GENERIC);
  EXPECT_NE(messages.text.find("Quantization by GPU(CUDA) failed(0xd1: "), std::string::npos) << messages.text;
  EXPECT_NE(messages.text.find("Please check GPU(CUDA) version. The library is built with '-gencode arch=compute_"),
            std::string::npos)
      << messages.text;
  EXPECT_NE(messages.text.find("this GPU is sm_"), std::string::npos) << messages.text;
  EXPECT_EQ(cudaGetLastError(), error_before);
}

TEST(GpuErrors, OtherErrorsAreReportedInOneLine) {
  Messages messages;
  EXPECT_EQ(fail_by_cuda(cudaErrorMemoryAllocation), GFPQ_ERR_OUT_OF_MEMORY);
  EXPECT_EQ(fail_by_cuda(cudaErrorIllegalAddress), GFPQ_ERR_GENERIC);
  EXPECT_EQ(messages.text.find("Please check"), std::string::npos) << messages.text;
}

using GpuPointers = GpuTest;

template <class Float>
void expect_refused(Float* data, Float first, int status, const char* message) {
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  Messages messages;
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(data, 2, 8, &param), status);
  EXPECT_NE(messages.text.find(message), std::string::npos) << messages.text;
  EXPECT_EQ(data[0], first);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(GpuPointers, HostMemoryIsRefused) {
  float numbers[] = {1.1f, 2.2f};
  expect_refused(numbers, 1.1f, GFPQ_ERR_BAD_PARAMETERS, "host memory");
  double* pinned = nullptr;
  require(cudaMallocHost(reinterpret_cast<void**>(&pinned), 2 * sizeof(double)));
  pinned[0] = pinned[1] = 1.1;
  expect_refused(pinned, 1.1, GFPQ_ERR_BAD_PARAMETERS, "host memory");
  require(cudaFreeHost(pinned));
}

TEST_F(GpuPointers, DeviceMemoryInACpuCallIsRefused) {
  const std::vector<float> numbers = {1.1f, 2.2f};
  const DeviceVector<float> data(numbers);
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  Messages messages;
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant(data.data(), 2, 8, &param), GFPQ_ERR_BAD_PARAMETERS);
  EXPECT_NE(messages.text.find("in a GPU's memory"), std::string::npos) << messages.text;
  EXPECT_EQ(data.download(), numbers);
}

TEST_F(GpuPointers, MemoryOfAnotherDeviceIsRefused) {
  int devices = 0;
  require(cudaGetDeviceCount(&devices));
  if (devices < 2)
    GTEST_SKIP() << "this machine has one GPU";
  const std::vector<float> numbers = {1.1f, 2.2f};
  const DeviceVector<float> data(numbers);
  require(cudaSetDevice(1));
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  Messages messages;
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(data.data(), 2, 8, &param), GFPQ_ERR_BAD_PARAMETERS);
  EXPECT_NE(messages.text.find("CUDA device 0"), std::string::npos) << messages.text;
  require(cudaSetDevice(0));
  EXPECT_EQ(data.download(), numbers);
}

TEST_F(GpuPointers, ManagedMemoryIsAccepted) {
  float* numbers = nullptr;
  require(cudaMallocManaged(reinterpret_cast<void**>(&numbers), 2 * sizeof(float)));
  numbers[0] = 9, numbers[1] = 3;
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(numbers, 2, 8, &param), GFPQ_SUCCESS);
  EXPECT_FLOAT_EQ(numbers[1], 2.953652f);
  require(cudaFree(numbers));
}

} // namespace
} // namespace gfpq
