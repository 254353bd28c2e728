// Every kind of call on small tensors that end where their memory ends: for tools that watch memory, such as valgrind.
#include <memory>

#include "tensors.hpp"

namespace {

template <class Float>
void check_lengths(unsigned bits) {
  GFPQ_PARAM_ST stored{GFPQ_MODE_INIT, {}};
  std::vector<Float> whole = faults::tensor<Float>(faults::period);
  ASSERT_EQ(HI_GFPQ_QuantAndDeQuant(whole.data(), unsigned(whole.size()), bits, &stored), GFPQ_SUCCESS);
  for (unsigned count = 0; count <= 70; ++count)
    for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
      GFPQ_PARAM_ST param = stored;
      param.mode = mode;
      const std::vector<Float> input = faults::tensor<Float>(count);
      const auto numbers = std::make_unique<Float[]>(count);
      std::copy(input.begin(), input.end(), numbers.get());
      ASSERT_EQ(HI_GFPQ_QuantAndDeQuant(numbers.get(), count, bits, &param), GFPQ_SUCCESS);
      if (mode != GFPQ_MODE_INIT || count >= faults::period) {
        EXPECT_EQ(faults::count_wrong(numbers.get(), count), 0u) << count << " numbers, mode " << mode;
      }
    }
}

TEST(Calls, OfEveryLengthAreRight) {
  for (const unsigned bits : {8u, 16u}) {
    check_lengths<float>(bits);
    check_lengths<double>(bits);
  }
}

TEST(Calls, EveryErrorHasItsStatus) {
  GFPQ_SetMessageSink([](const char*, void*) {}, nullptr);
  const auto number = std::make_unique<float>(1.25f);
  const auto param = std::make_unique<GFPQ_PARAM_ST>();
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant(static_cast<float*>(nullptr), 1, 8, param.get()), GFPQ_ERR_BAD_PARAMETERS);
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant(number.get(), 0xFFFFFFFF, 9, param.get()), GFPQ_ERR_BAD_FORMAT);
  for (const unsigned mode : {1u, 2u, 3u, 0xFFFFFFFFu}) {
    param->mode = mode;
    EXPECT_EQ(HI_GFPQ_QuantAndDeQuant(number.get(), 0xFFFFFFFF, 16, param.get()), GFPQ_ERR_BAD_PARAMETERS);
  }
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU_PY(number.get(), 1, 8, param.get(), nullptr, nullptr), GFPQ_ERR_NOT_SUPPORT);
  EXPECT_EQ(HI_GFPQ_GetInfo(nullptr), GFPQ_ERR_BAD_PARAMETERS);
  EXPECT_EQ(*number, 1.25f);
  const auto info = std::make_unique<GFPQ_INFO_ST>();
  EXPECT_EQ(HI_GFPQ_GetInfo(info.get()), GFPQ_SUCCESS);
}

} // namespace
