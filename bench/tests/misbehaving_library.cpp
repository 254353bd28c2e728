// Libraries that are wrong in ways that a benchmark must notice: a fast wrong result is no result.
//   FAULT 0: does nothing, and calls it a success.   1: right but for the last number of larger tensors.
//   2: right, but forgets the parameter block.       3: refuses double.
#include <cstring>

#include "bench/block.hpp"
#include "gfpq.hpp"
#include "kernels/ladder.hpp"

namespace {

template <class Float>
unsigned long long magnitude(Float number) {
  typename gfpq::Format<Float>::Bits bits;
  std::memcpy(&bits, &number, sizeof bits);
  return bits & ~gfpq::Format<Float>::sign;
}

template <class Width, class Float>
int fake_quantize(Float* data, unsigned count, GFPQ_PARAM_ST* param) {
  using Bits = typename gfpq::Format<Float>::Bits;
  constexpr auto& rule = gfpq::ladder<Float, Width>;
  unsigned long long maximum = 0;
  for (unsigned i = 0; i < count; ++i)
    maximum = magnitude(data[i]) > maximum ? magnitude(data[i]) : maximum;
  int delta = rule.delta(static_cast<Bits>(maximum));
  if (param->mode == GFPQ_MODE_APPLY_ONLY)
    delta = bench::delta_of(*param);
  else if (FAULT != 2)
    bench::set_delta(*param, delta);
  for (unsigned i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, data + i, sizeof bits);
    bits = rule.fake_quantize(bits, delta);
    if (FAULT == 1 && count > 64 && i == count - 1)
      bits ^= 1;
    std::memcpy(data + i, &bits, sizeof bits);
  }
  return GFPQ_SUCCESS;
}

template <class Float>
int call(Float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) {
  if (FAULT == 0)
    return GFPQ_SUCCESS;
  if (FAULT == 3 && sizeof(Float) == sizeof(double))
    return GFPQ_ERR_NOT_SUPPORT;
  int status = GFPQ_ERR_BAD_FORMAT;
  const auto run = [&](auto width) { status = fake_quantize<decltype(width)>(data, count, param); };
  static_cast<void>(gfpq::with_width(bits, run));
  return status;
}

} // namespace

int HI_GFPQ_QuantAndDeQuant(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param) {
  return call(data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant(double* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param) {
  return call(data, count, bit_width, param);
}

int HI_GFPQ_GetInfo(GFPQ_INFO_ST* info) {
  *info = GFPQ_INFO_ST{};
  return GFPQ_SUCCESS;
}
