// The guide's sample: quantizes ten numbers without parameter and in the three modes, then times ten runs of 50 MiB.
//
//     sample [bit width, 8 or 16]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "gfpq.hpp"

namespace {

void print(int line, const char* what, const std::vector<float>& data) {
  std::printf("[quant_and_dequant][%d] %s :", line, what);
  for (const float number : data)
    std::printf(" %f", static_cast<double>(number));
  std::printf("\n");
}

/// Runs one call on the numbers 0 to 9. \return false where it fails; the library has said why.
bool quant_and_dequant(unsigned int bit_width, GFPQ_PARAM_ST* param) {
  std::vector<float> data;
  for (int i = 0; i < 10; ++i)
    data.push_back(static_cast<float>(i));
  print(__LINE__, "Data_ori", data);
  if (HI_GFPQ_QuantAndDeQuant(data.data(), static_cast<unsigned int>(data.size()), bit_width, param) != GFPQ_SUCCESS)
    return false;
  print(__LINE__, "Data_dequant", data);
  return true;
}

/// Times one call on the guide's data.
bool measure(unsigned int bit_width) {
  constexpr unsigned int count = 13107200;
  std::vector<float> data(count);
  for (float& number : data)
    number = static_cast<float>(std::rand() % (1 << 20) - (1 << 19)) / static_cast<float>(1 << 18);
  GFPQ_PARAM_ST param = {GFPQ_MODE_INIT, {}};

  const auto start = std::chrono::steady_clock::now();
  if (HI_GFPQ_QuantAndDeQuant(data.data(), count, bit_width, &param) != GFPQ_SUCCESS)
    return false;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  const double bytes = static_cast<double>(count) * sizeof(float);
  std::printf("HI_GFPQ_QuantAndDeQuant bit_width[%2u] cnt[%9u] memory[%6.0f]KB time[%.0f]us rate[%f]GB/s\n", bit_width,
              count, bytes / 1024, seconds.count() * 1e6, bytes / seconds.count() / (1 << 30));
  return true;
}

} // namespace

int main(int argc, char** argv) {
  const auto bit_width = static_cast<unsigned int>(argc > 1 ? std::atoi(argv[1]) : GFPQ_BIT_WIDTH_8BIT);

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
    good = measure(bit_width);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
