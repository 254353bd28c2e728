// Device memory in a CPU call of the GPU library, by a pretended driver.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <string>

#include "gfpq.hpp"

namespace gfpq {
namespace {

/// By both ways through the library, which must agree.
int fake_quantize(float* data, std::string* message = nullptr) {
  GFPQ_SetMessageSink(
      [](const char* text, void* user) {
        if (user != nullptr)
          *static_cast<std::string*>(user) = text;
      },
      message);
  float number = 9;
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant(&number, 1, 8, &param), GFPQ_SUCCESS);
  param.mode = GFPQ_MODE_APPLY_ONLY;
  const int status = HI_GFPQ_QuantAndDeQuant(data, 2, 8, &param);
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant(data, 2, 8, nullptr), status);
  GFPQ_SetMessageSink(nullptr, nullptr);
  return status;
}

/// One test, since a driver once loaded stays.
TEST(DeviceMemory, ACpuCallRefusesItOnceThereIsADriver) {
  if (void* const real = dlopen("libcuda.so.1", RTLD_LAZY)) {
    dlclose(real);
    GTEST_SKIP() << "this machine has NVIDIA's driver; gpu.GpuPointers asks that";
  }
  float numbers[] = {9, 3};
  EXPECT_EQ(fake_quantize(numbers), GFPQ_SUCCESS);

  void* const driver = dlopen(PRETENDED_DRIVER, RTLD_LAZY | RTLD_LOCAL);
  ASSERT_NE(driver, nullptr) << dlerror();
  const auto memory = reinterpret_cast<float* (*)(bool)>(dlsym(driver, "pretended_memory"));
  ASSERT_NE(memory, nullptr);

  float* const on_device = memory(false);
  std::string message;
  EXPECT_EQ(fake_quantize(on_device, &message), GFPQ_ERR_BAD_PARAMETERS);
  EXPECT_NE(message.find("in a GPU's memory"), std::string::npos) << message;
  EXPECT_EQ(on_device[0], 1.1f);
  EXPECT_EQ(on_device[1], 2.2f);

  float* const managed = memory(true);
  EXPECT_EQ(fake_quantize(managed), GFPQ_SUCCESS);
  EXPECT_FLOAT_EQ(managed[1], 2.953652f);
  EXPECT_EQ(fake_quantize(numbers), GFPQ_SUCCESS);
}

} // namespace
} // namespace gfpq
