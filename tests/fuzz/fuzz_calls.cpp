// Calls with any arguments at all, against what gfpq.hpp promises. It knows the library by that header alone, and what
// is right by the golden tables.
#include <fuzzer/FuzzedDataProvider.h>

#include <optional>

#include "gfpq.hpp"
#include "guarded_tensor.hpp"
#include "oracle/oracle.hpp"

namespace {

using conformance::BitsOf;
using conformance::Oracle;

/// What the library told during a call. Takes no memory, since libFuzzer looks for leaks where a call keeps some.
struct {
  int count;
  char last[1024];
} messages;

void keep_message(const char* message, void*) {
  ++messages.count;
  std::snprintf(messages.last, sizeof messages.last, "%s", message);
}

GFPQ_PARAM_ST consume_param(FuzzedDataProvider& input) {
  GFPQ_PARAM_ST param{};
  switch (input.ConsumeIntegralInRange(0, 2)) {
  case 0: // any bytes
    input.ConsumeData(param.buf, sizeof param.buf);
    break;
  case 1: // a good block of either width
    param = input.ConsumeBool() ? conformance::oracle<float>(8).param(0, input.ConsumeIntegralInRange(-511, 511))
                                : conformance::oracle<float>(16).param(0, input.ConsumeIntegralInRange(-4095, 4095));
    break;
  default: // one with a bit that fell over
    param = conformance::oracle<float>(8).param(0, input.ConsumeIntegralInRange(-511, 511));
    param.buf[input.ConsumeIntegralInRange(0, 15)] ^=
        static_cast<unsigned char>(1 << input.ConsumeIntegralInRange(0, 7));
  }
  param.mode = input.ConsumeBool() ? input.ConsumeIntegralInRange(0u, 3u) : input.ConsumeIntegral<unsigned>();
  return param;
}

/// The delta that a block holds for a width.
template <class Float>
std::optional<int> stored_delta(const Oracle<Float>& right, const GFPQ_PARAM_ST& param) {
  int delta;
  std::memcpy(&delta, param.buf + 4, sizeof delta); // little-endian, as the machines that fuzz
  if (delta < -right.delta_limit() || delta > right.delta_limit() ||
      std::memcmp(param.buf, right.param(0, delta).buf, sizeof param.buf) != 0)
    return {};
  return delta;
}

/// What a call should do.
struct Wanted {
  int status = GFPQ_SUCCESS;
  const char* message = nullptr;
  int delta = 0;
};

template <class Float>
Wanted wanted(const std::vector<BitsOf<Float>>* numbers, unsigned width, const GFPQ_PARAM_ST* param) {
  if (numbers == nullptr)
    return {GFPQ_ERR_BAD_PARAMETERS, "Empty pointer"};
  if (width != 8 && width != 16)
    return {GFPQ_ERR_BAD_FORMAT, "Invalid bit width["};
  const unsigned mode = param != nullptr ? param->mode : unsigned(GFPQ_MODE_INIT);
  if (mode > GFPQ_MODE_APPLY_ONLY)
    return {GFPQ_ERR_BAD_PARAMETERS, "Invalid mode["};
  const Oracle<Float>& right = conformance::oracle<Float>(int(width));
  std::optional<int> stored;
  if (mode != GFPQ_MODE_INIT && !(stored = stored_delta(right, *param)))
    return {GFPQ_ERR_BAD_PARAMETERS, "Get quantization param failed("};
  if (mode == GFPQ_MODE_APPLY_ONLY)
    return {GFPQ_SUCCESS, nullptr, *stored};
  std::vector<Float> data;
  for (const auto bits : *numbers)
    data.push_back(conformance::from_pattern<Float>(bits));
  const int fitted = right.delta(data);
  return {GFPQ_SUCCESS, nullptr, stored && *stored > fitted ? *stored : fitted};
}

template <class Float, class Function>
void check_call(FuzzedDataProvider& input, Function function, bool is_gpu) {
  using Bits = BitsOf<Float>;
  const unsigned width = input.ConsumeBool() ? input.PickValueInArray({8u, 16u}) : input.ConsumeIntegral<unsigned>();
  const bool has_data = input.ConsumeIntegralInRange(0, 15) != 0, has_param = input.ConsumeIntegralInRange(0, 7) != 0;
  const GFPQ_PARAM_ST before = consume_param(input);
  const auto offset = input.ConsumeIntegralInRange<std::size_t>(0, 64 / sizeof(Float) - 1);
  const auto any_count = input.ConsumeIntegral<unsigned>();
  const auto bytes = input.ConsumeRemainingBytes<unsigned char>();
  std::vector<Bits> numbers(bytes.size() / sizeof(Bits));
  if (!numbers.empty())
    std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(Bits));

  GFPQ_PARAM_ST param = before;
  GFPQ_PARAM_ST* const param_given = has_param ? &param : nullptr;
  const Wanted want = is_gpu ? Wanted{GFPQ_ERR_NOT_SUPPORT, "Not Support GPU mode"}
                             : wanted<Float>(has_data ? &numbers : nullptr, width, param_given);
  // A call that is refused may name more numbers than there are.
  const unsigned count = want.status == GFPQ_SUCCESS ? unsigned(numbers.size()) : any_count;

  fuzz::GuardedTensor<Bits> tensor(numbers, offset);
  messages.count = 0;
  const int status = function(has_data ? reinterpret_cast<Float*>(tensor.bits()) : nullptr, count, width, param_given);

  const std::string call = "count " + std::to_string(count) + ", width " + std::to_string(width) + ", mode " +
                           (has_param ? std::to_string(before.mode) : "null") + ", status " + std::to_string(status);
  fuzz::require(status == want.status, call + ", want status " + std::to_string(want.status));
  fuzz::require(param.mode == before.mode, call + ": the mode has changed");
  std::vector<Bits> results = numbers;
  const unsigned char* want_block = before.buf;
  if (status == GFPQ_SUCCESS) {
    const Oracle<Float>& right = conformance::oracle<Float>(int(width));
    for (Bits& number : results)
      number = conformance::bits_of(right.quantize(conformance::from_pattern<Float>(number), want.delta));
    const GFPQ_PARAM_ST right_param = right.param(0, want.delta);
    if (has_param && before.mode != GFPQ_MODE_APPLY_ONLY)
      want_block = right_param.buf;
    fuzz::require(messages.count == 0, call + ": a message of a call that succeeded");
    fuzz::require(std::memcmp(param.buf, want_block, sizeof param.buf) == 0, call + ": the block");
  } else {
    fuzz::require(messages.count == 1 && std::strncmp(messages.last, "[ERR][", 6) == 0 &&
                      std::strstr(messages.last, want.message) != nullptr &&
                      std::strchr(messages.last, '\n') == nullptr,
                  call + ": the message");
    fuzz::require(std::memcmp(param.buf, before.buf, sizeof param.buf) == 0, call + ": a refused call wrote the block");
  }
  tensor.expect(results, call);
}

void check_info() {
  struct {
    GFPQ_INFO_ST info;
    unsigned char behind[8];
  } room;
  std::memset(&room, 0xC3, sizeof room);
  fuzz::require(HI_GFPQ_GetInfo(&room.info) == GFPQ_SUCCESS && room.behind[0] == 0xC3, "HI_GFPQ_GetInfo");
  fuzz::require(HI_GFPQ_GetInfo(nullptr) == GFPQ_ERR_BAD_PARAMETERS, "HI_GFPQ_GetInfo of null");
}

template <class Float>
using Function = int (*)(Float*, unsigned, unsigned, GFPQ_PARAM_ST*);

template <class Float>
int call_gpu(Float* data, unsigned count, unsigned width, GFPQ_PARAM_ST* param) {
  return HI_GFPQ_QuantAndDeQuant_GPU(data, count, width, param);
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GFPQ_SetMessageSink(keep_message, nullptr);
  conformance::oracle<float>(8); // reads the tables, once and before the clock
  conformance::oracle<double>(8);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
  FuzzedDataProvider input(bytes, size);
  switch (input.ConsumeIntegral<unsigned char>()) {
  case 0:
    check_info();
    break;
  case 1:
    check_call<float>(input, call_gpu<float>, true);
    break;
  case 2:
    check_call<double>(input, call_gpu<double>, true);
    break;
  case 3:
    check_call<float>(
        input,
        [](float* data, unsigned count, unsigned width, GFPQ_PARAM_ST* param) {
          return HI_GFPQ_QuantAndDeQuant_GPU_PY(data, count, width, param, nullptr, nullptr);
        },
        true);
    break;
  case 4:
    check_call<float>(input, HI_GFPQ_QuantAndDeQuant_PY, false);
    break;
  default:
    if (input.ConsumeBool())
      check_call<float>(input, Function<float>(HI_GFPQ_QuantAndDeQuant), false);
    else
      check_call<double>(input, Function<double>(HI_GFPQ_QuantAndDeQuant), false);
  }
  return 0;
}
