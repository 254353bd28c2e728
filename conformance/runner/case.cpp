#include "runner/case.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>

#include "runner/gpu_memory.hpp"
#include "runner/own_block.hpp"
#include "runner/specification.hpp"

namespace conformance {

TestRun& test_run() {
  static TestRun run;
  return run;
}

int repetitions(int usual, int fewer, std::size_t numbers, const std::string& of) {
  TestRun& run = test_run();
  if (run.thorough || !run.pace.is_slow(numbers))
    return usual;
  const std::string what = of + ": " + std::to_string(fewer) + " instead of " + std::to_string(usual);
  if (std::find(run.left_out.begin(), run.left_out.end(), what) == run.left_out.end())
    run.left_out.push_back(what);
  return fewer;
}

std::vector<TestCase>& test_cases() {
  static std::vector<TestCase> cases;
  return cases;
}

const TestCase& test_case(const std::string& full_name) {
  for (const TestCase& test : test_cases())
    if (test.full_name() == full_name)
      return test;
  throw std::runtime_error("there is no case " + full_name);
}

Requirements::Requirements(const std::vector<std::string>& ids) {
  for (const std::string& id : ids)
    checks_.emplace_back(requirement(id).id);
}

Checks& Requirements::operator[](const std::string& id) {
  for (Checks& checks : checks_)
    if (checks.requirement() == id)
      return checks;
  throw std::logic_error("the test does not name " + id);
}

const char* mode_name(unsigned mode) {
  constexpr const char* names[] = {"INIT", "UPDATE", "APPLY"};
  return mode <= GFPQ_MODE_APPLY_ONLY ? names[mode] : "unknown mode";
}

// -- Calls ------------------------------------------------------------------------------------------------------------

namespace {
thread_local Entry current_entry = Entry::cpp;
}

template <class Float>
Outcome<Float> quantize(const std::vector<Float>& input, unsigned bits, GFPQ_PARAM_ST* param, std::size_t offset) {
  constexpr std::size_t margin = 64;
  constexpr auto alignment = std::align_val_t{64};
  const std::size_t front = margin + offset, total = front + input.size() + margin;
  const auto deleter = [&](Float* memory) { ::operator delete(memory, alignment); };
  const std::unique_ptr<Float[], decltype(deleter)> memory(
      static_cast<Float*>(::operator new(total * sizeof(Float), alignment)), deleter);
  // The margins hold large numbers: one that is read spoils the maximum, one that is written is seen.
  const Float canary = std::numeric_limits<Float>::max();
  std::fill_n(memory.get(), front, canary);
  std::copy(input.begin(), input.end(), memory.get() + front);
  std::fill_n(memory.get() + front + input.size(), margin, canary);

  const Library& library = *test_run().library;
  const auto count = static_cast<unsigned>(input.size());
  Outcome<Float> outcome{};
  if (test_run().device == Device::gpu) {
    GpuMemory device(total * sizeof(Float));
    device.upload(memory.get());
    outcome.status = library.quantize(Device::gpu, static_cast<Float*>(device.address(front * sizeof(Float))), count,
                                      bits, param, current_entry);
    device.download(memory.get());
  } else {
    outcome.status = library.quantize(Device::cpu, memory.get() + front, count, bits, param, current_entry);
  }
  outcome.data.assign(memory.get() + front, memory.get() + front + input.size());
  const auto is_canary = [&](Float number) { return bits_of(number) == bits_of(canary); };
  outcome.surroundings_untouched = std::all_of(memory.get(), memory.get() + front, is_canary) &&
                                   std::all_of(memory.get() + front + input.size(), memory.get() + total, is_canary);
  return outcome;
}

CallsThrough::CallsThrough(Entry wanted) : former_(current_entry) { current_entry = wanted; }

CallsThrough::~CallsThrough() { current_entry = former_; }

template <class Float>
bool is_offered(int bits) {
  const std::vector<Kind>& offered = test_run().offered;
  return (current_entry == Entry::cpp || test_run().library->has<Float>(test_run().device, current_entry)) &&
         std::find(offered.begin(), offered.end(), Kind{bits, sizeof(Float) == 8}) != offered.end();
}

template <class Float>
GFPQ_PARAM_ST param_of(int bits, unsigned mode, int delta) {
  GFPQ_PARAM_ST param = oracle<Float>(bits).param(mode, delta);
  if (test_run().has_own_blocks)
    if (const auto own = own_block<Float>(bits, delta))
      std::memcpy(param.buf, own->buf, sizeof param.buf);
  return param;
}

int delta_held(const GFPQ_PARAM_ST& param) {
  const std::optional<int> own = test_run().has_own_blocks ? delta_of_own_block(param) : std::nullopt;
  return own ? *own : delta_of(param);
}

void need_specified_blocks() {
  if (test_run().has_own_blocks)
    throw Skip("the library's blocks have a layout of their own");
}

namespace {

template <class Float>
Call describe_call(int bits, const GFPQ_PARAM_ST* param, int delta, const std::string& note) {
  return {test_run().library->function_name<Float>(test_run().device, current_entry),
          type_name<Float>,
          static_cast<unsigned>(bits),
          param != nullptr ? mode_name(param->mode) : "null",
          delta,
          note};
}

} // namespace

template <class Float>
void check_apply(Checks& checks, int bits, int delta, const std::vector<Float>& input, const std::string& note,
                 std::size_t offset) {
  if (!is_offered<Float>(bits))
    return;
  GFPQ_PARAM_ST param = param_of<Float>(bits, GFPQ_MODE_APPLY_ONLY, delta);
  const Call call = describe_call<Float>(bits, &param, delta, note);
  const Outcome<Float> outcome = quantize(input, static_cast<unsigned>(bits), &param, offset);
  checks.status(call, outcome.status, GFPQ_SUCCESS);
  if (outcome.status == GFPQ_SUCCESS) // else the numbers tell nothing new
    checks.tensor(call, input, outcome.data, oracle<Float>(bits).quantize(input, delta));
}

template <class Float>
void check_fit(Checks& checks, int bits, GFPQ_PARAM_ST* param, const std::vector<Float>& input, const std::string& note,
               std::size_t offset) {
  if (!is_offered<Float>(bits))
    return;
  const Oracle<Float>& right = oracle<Float>(bits);
  int delta = right.delta(input);
  if (param != nullptr && param->mode == GFPQ_MODE_UPDATE)
    delta = std::max(delta, delta_held(*param));
  const Call call = describe_call<Float>(bits, param, delta, note);
  const GFPQ_PARAM_ST want = param_of<Float>(bits, param != nullptr ? param->mode : 0u, delta);
  const Outcome<Float> outcome = quantize(input, static_cast<unsigned>(bits), param, offset);
  checks.status(call, outcome.status, GFPQ_SUCCESS);
  if (param != nullptr) {
    checks.param(call, *param, want);
    *param = want; // what follows starts from what is right
  }
  if (outcome.status == GFPQ_SUCCESS)
    checks.tensor(call, input, outcome.data, right.quantize(input, delta));
}

// -- Data -------------------------------------------------------------------------------------------------------------

std::vector<int> deltas(int bits, int step) {
  const int limit = oracle<float>(bits).delta_limit();
  std::vector<int> all;
  for (int delta = -limit; delta < limit; delta += step)
    all.push_back(delta);
  all.push_back(limit);
  return all;
}

template <class Float>
Float at_safe_distance(int bits, Float number) {
  if (sizeof(Float) == 4 || !std::isfinite(number))
    return number;
  constexpr int safe_distance = 64;
  const Oracle<Float>& right = oracle<Float>(bits);
  while (right.distance_to_border(std::fabs(number)) < safe_distance)
    number = away_from_zero(number, safe_distance);
  return number;
}

template <class Float>
std::vector<Float> below_border(Float above) {
  if (sizeof(Float) == 4)
    return {away_from_zero(above, -1)};
  return {away_from_zero(above, -17), away_from_zero(above, -64), away_from_zero(above, -4096)};
}

template <class Float>
std::vector<Float> above_border(Float above) {
  if (sizeof(Float) == 4)
    return {above};
  return {away_from_zero(above, 17), away_from_zero(above, 64), away_from_zero(above, 4096)};
}

template <class Float>
std::vector<Float> mixed_numbers(int bits, int delta, std::size_t count, unsigned seed) {
  const Oracle<Float>& right = oracle<Float>(bits);
  std::mt19937_64 random(seed);
  const auto below = [&](int limit) { return static_cast<int>(random() % static_cast<unsigned>(limit)); };
  std::vector<Float> numbers(count);
  for (Float& number : numbers) {
    const int kind = below(64);
    Float magnitude;
    if (kind < 40) { // across the ladder of this delta, and some octaves beyond both ends
      const double exponent = delta + (right.max_code() + 200) * (static_cast<double>(random() >> 11) * 0x1p-53) - 100;
      magnitude = static_cast<Float>(std::exp2(exponent / right.steps()));
    } else if (kind < 52) { // around a threshold
      const int exponent = delta + 1 + below(right.max_code());
      magnitude = away_from_zero(right.above_threshold(exponent), below(7) - 3);
    } else if (kind < 56) { // around the zero zones' ends
      magnitude = away_from_zero(below(2) ? right.positive_zero(delta) : -right.negative_zero(delta), below(7) - 3);
    } else if (kind < 60) { // any number
      magnitude = std::fabs(from_pattern<Float>(static_cast<BitsOf<Float>>(random())));
      if (!std::isfinite(magnitude))
        magnitude = 1;
    } else {
      const Float special[] = {0, std::numeric_limits<Float>::denorm_min(),
                               std::numeric_limits<Float>::denorm_min() * 12345, right.value(delta)};
      magnitude = special[kind - 60];
    }
    number = at_safe_distance(bits, below(2) ? magnitude : -magnitude);
  }
  return numbers;
}

template <class Float>
std::vector<Float> numbers_in_range(int bits, int delta, std::size_t count, unsigned seed) {
  const Oracle<Float>& right = oracle<Float>(bits);
  const Float largest = right.value(delta + right.max_code());
  auto numbers = mixed_numbers<Float>(bits, delta, count, seed);
  for (Float& number : numbers)
    if (std::fabs(number) > largest)
      number = at_safe_distance(bits, number > 0 ? right.value(delta) : -right.value(delta));
  return numbers;
}

template <class Float>
std::vector<Float> with_nan(std::vector<Float> numbers, unsigned seed) {
  using Bits = BitsOf<Float>;
  constexpr int mantissa_bits = sizeof(Float) == 4 ? 23 : 52;
  const auto infinity = bits_of(std::numeric_limits<Float>::infinity());
  std::mt19937_64 random(seed);
  for (Float& number : numbers) {
    const std::uint64_t draw = random();
    if (draw % 16 != 0)
      continue;
    const Bits quiet = static_cast<Bits>(draw >> 4 & 1) << (mantissa_bits - 1);
    const Bits payload = draw >> 5 & 1 ? 1 : static_cast<Bits>(draw >> 10) & ((Bits(1) << (mantissa_bits - 1)) - 1);
    const Bits sign = static_cast<Bits>(draw >> 6 & 1) << (8 * sizeof(Bits) - 1);
    number = from_pattern<Float>(sign | infinity | quiet | (payload | (quiet == 0 ? 1 : 0)));
  }
  return numbers;
}

#define GFPQ_INSTANTIATE(Float)                                                                                        \
  template Outcome<Float> quantize(const std::vector<Float>&, unsigned, GFPQ_PARAM_ST*, std::size_t);                  \
  template void check_apply(Checks&, int, int, const std::vector<Float>&, const std::string&, std::size_t);            \
  template void check_fit(Checks&, int, GFPQ_PARAM_ST*, const std::vector<Float>&, const std::string&, std::size_t);   \
  template std::vector<Float> mixed_numbers<Float>(int, int, std::size_t, unsigned);                                   \
  template std::vector<Float> numbers_in_range<Float>(int, int, std::size_t, unsigned);                                \
  template bool is_offered<Float>(int);                                                                                \
  template GFPQ_PARAM_ST param_of<Float>(int, unsigned, int);                                                          \
  template std::vector<Float> with_nan(std::vector<Float>, unsigned);                                                  \
  template Float at_safe_distance(int, Float);                                                                         \
  template std::vector<Float> below_border(Float);                                                                     \
  template std::vector<Float> above_border(Float);
GFPQ_INSTANTIATE(float)
GFPQ_INSTANTIATE(double)

} // namespace conformance
