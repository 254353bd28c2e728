// The kernels of every instruction set that this machine has against the scalar rule, on tensors that the input spells:
// a byte says what kind of number comes next, so that a change of one byte moves a number across a threshold.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <iterator>

#include "guarded_tensor.hpp"
#include "kernels/cpu/kernels.hpp"
#include "tests/unit/numbers.hpp"

namespace {

using namespace gfpq;

constexpr std::size_t longest = 4096;

/// One number, or the last one many times.
template <class Float, class Width>
void append_numbers(FuzzedDataProvider& input, int delta, std::vector<BitsOf<Float>>& numbers) {
  using F = Format<Float>;
  using Bits = BitsOf<Float>;
  constexpr Bits specials[] = {0,
                               1,
                               Bits(1) << F::fraction_bits,
                               F::infinity,
                               F::infinity + 1,
                               ~F::sign,
                               F::infinity | Bits(1) << (F::fraction_bits - 1),
                               F::infinity - 1,
                               F::one_millionth};
  const auto kind = input.ConsumeIntegral<unsigned char>();
  const Bits sign = kind & 0x80 ? F::sign : Bits(0);
  const auto exponent = [&] {
    return delta + input.ConsumeIntegralInRange(-2 * Width::steps, Width::max_code + Width::steps);
  };
  const auto near = [&](Bits bits) { return bits + Bits(input.ConsumeIntegralInRange(-20, 20)); };
  switch (kind & 0x7f) {
  case 0:
    return numbers.push_back(input.ConsumeIntegral<Bits>());
  case 1:
    return numbers.push_back(near(threshold_bits<Float, Width>(exponent())) ^ sign);
  case 2:
    return numbers.push_back(near(ladder<Float, Width>.value(exponent())) ^ sign);
  case 3:
    return numbers.push_back(near(ladder<Float, Width>.zero_limit(delta + input.ConsumeBool())) ^ sign);
  case 4:
    return numbers.push_back(input.PickValueInArray(specials) ^ sign);
  case 5: // within an octave of the ladder
    return numbers.push_back((ladder<Float, Width>.value(exponent()) + (input.ConsumeIntegral<Bits>() >> 9)) ^ sign);
  default:
    const Bits last = numbers.empty() ? sign : numbers.back();
    numbers.insert(numbers.end(), std::min(std::size_t(kind & 0x7f), longest - numbers.size()), last);
  }
}

template <class Float, class Width>
void check(FuzzedDataProvider& input) {
  using F = Format<Float>;
  using Bits = BitsOf<Float>;
  const int delta = input.ConsumeIntegralInRange(-Width::delta_limit, Width::delta_limit);
  const auto offset = input.ConsumeIntegralInRange<std::size_t>(0, 64 / sizeof(Float) - 1);
  std::vector<Bits> numbers;
  while (input.remaining_bytes() > 0 && numbers.size() < longest)
    append_numbers<Float, Width>(input, delta, numbers);

  Bits maximum = 0;
  std::vector<Bits> quantized = numbers;
  for (Bits& number : quantized) {
    if (const Bits magnitude = number & ~F::sign; magnitude <= F::infinity)
      maximum = std::max(maximum, magnitude);
    number = ladder<Float, Width>.fake_quantize(number, delta);
  }
  for (const Target* target : supported_targets()) {
    const Kernels<Float>& kernels = target->kernels<Float>();
    const std::string what = std::string(target->name) + (sizeof(Float) == 4 ? ", float, " : ", double, ") +
                             std::to_string(Width::bits) + " bit, delta " + std::to_string(delta);
    fuzz::GuardedTensor<Bits> tensor(numbers, offset);
    auto* const data = reinterpret_cast<Float*>(tensor.bits());
    fuzz::require(kernels.max_abs(data, numbers.size()) == maximum, what + ": the maximum");
    kernels.template fake_quantize<Width>(data, numbers.size(), delta);
    tensor.expect(quantized, what);
  }
}

#define GFPQ_CHECK_FLOAT(bits, ...) check<float, Width##bits>,
#define GFPQ_CHECK_DOUBLE(bits, ...) check<double, Width##bits>,
constexpr void (*checks[])(FuzzedDataProvider& input) = {GFPQ_FOR_EACH_WIDTH(GFPQ_CHECK_FLOAT)
                                                             GFPQ_FOR_EACH_WIDTH(GFPQ_CHECK_DOUBLE)};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
  FuzzedDataProvider input(bytes, size);
  checks[input.ConsumeIntegralInRange<std::size_t>(0, std::size(checks) - 1)](input);
  return 0;
}
