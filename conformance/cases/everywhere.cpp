#include "cases/everywhere.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "runner/guarded_memory.hpp"

namespace conformance {

void need_host_memory() {
  if (test_run().device == Device::gpu)
    throw Skip("host memory is meant, and the device is a GPU");
}

template <class Float>
void check_apply_everywhere(Checks& checks, int bits, int delta, const std::vector<Float>& numbers,
                            const std::string& note) {
  if (!is_offered<Float>(bits))
    return;
  constexpr std::size_t group_sizes[] = {1, 3, 2, 5, 7, 4, 6};
  const Oracle<Float>& right = oracle<Float>(bits);
  const std::vector<Float> wanted = right.quantize(numbers, delta);
  const Float filler = right.value(delta + right.max_code() / 2);
  std::vector<Float> input, want;
  const auto add_filler = [&](std::size_t count, Float number) {
    input.insert(input.end(), count, number);
    want.insert(want.end(), count, number);
  };
  const auto check = [&](const std::string& where, std::size_t offset) {
    GFPQ_PARAM_ST param = param_of<Float>(bits, GFPQ_MODE_APPLY_ONLY, delta);
    const Outcome<Float> outcome = quantize(input, static_cast<unsigned>(bits), &param, offset);
    const Call call{
        "HI_GFPQ_QuantAndDeQuant", type_name<Float>, static_cast<unsigned>(bits), "APPLY", delta, note + where};
    checks.status(call, outcome.status, GFPQ_SUCCESS);
    if (outcome.status == GFPQ_SUCCESS) // else the numbers tell nothing new
      checks.tensor(call, input, outcome.data, want);
    input.clear();
    want.clear();
  };

  constexpr int quarters = 4;
  const auto in_short =
      static_cast<std::size_t>(repetitions(quarters, 2, 7, "quarters of the numbers in short tensors"));
  const auto in_long =
      static_cast<std::size_t>(repetitions(quarters, 1, 100, "quarters of the numbers in long tensors"));
  std::size_t turn = 0;
  for (std::size_t begin = 0; begin < numbers.size(); ++turn) {
    const std::size_t size = std::min(group_sizes[turn % std::size(group_sizes)], numbers.size() - begin);
    const std::size_t place = static_cast<unsigned>(delta) + turn; // where calls are slow, another part at each delta
    const auto add_group = [&, first = static_cast<std::ptrdiff_t>(begin),
                            last = static_cast<std::ptrdiff_t>(begin + size)] {
      input.insert(input.end(), numbers.begin() + first, numbers.begin() + last);
      want.insert(want.end(), wanted.begin() + first, wanted.begin() + last);
    };
    if (place % quarters < in_short) {
      add_group();
      check(", in a short tensor", turn % 4);
    }
    begin += size;
    if (place % quarters >= in_long)
      continue;
    // Every eighth one is long, and all are where there are few numbers: libraries turn to larger steps somewhere.
    const bool is_long = turn % 8 == 7 || numbers.size() <= 16;
    add_group();
    add_filler(45 + turn % 19, filler);
    add_group();
    add_filler(37 + turn % 13 + (is_long ? 1000 : 0), -filler);
    add_group();
    check(", at both ends and in the middle of a tensor", turn % 16);
  }
  input = numbers;
  want = wanted;
  check("", 0);
}

template <class Float>
void check_maximum_everywhere(Checks& checks, int bits, Float maximum, const std::string& note) {
  if (!is_offered<Float>(bits))
    return;
  const Oracle<Float>& right = oracle<Float>(bits);
  const auto check = [&](const std::vector<Float>& input, unsigned mode, const std::string& where) {
    GFPQ_PARAM_ST param = param_of<Float>(bits, mode == without_parameter ? 0u : mode, -right.delta_limit());
    check_fit(checks, bits, mode == without_parameter ? nullptr : &param, input, note + where);
  };
  const auto turn = static_cast<std::size_t>(bits_of(maximum) % 31);
  check({maximum}, GFPQ_MODE_INIT, ", alone");
  std::vector<Float> tensor(70 + turn, Float(0));
  for (std::size_t i = 0; i < tensor.size(); i += 3)
    tensor[i] = at_safe_distance(bits, -maximum / 8);
  const std::size_t places[] = {0, tensor.size() / 2 + turn % 16, tensor.size() - 1};
  const char* const where[] = {", at the front", ", in the middle", ", at the end"};
  constexpr int all = std::size(places);
  const int tried = repetitions(all, 1, tensor.size(), "places for each maximum");
  for (int place = 0; place < tried; ++place) {
    const std::size_t i = (turn + static_cast<std::size_t>(place)) % all;
    std::vector<Float> input = tensor;
    input[places[i]] = maximum;
    check(input, fitting_modes[(i + turn) % std::size(fitting_modes)], where[i]);
  }
}

template <class Float>
const LongTensor<Float>& long_tensor(int bits, int variant) {
  static std::map<std::pair<int, int>, std::unique_ptr<LongTensor<Float>>> made;
  std::unique_ptr<LongTensor<Float>>& tensor = made[{bits, variant}];
  if (tensor != nullptr)
    return *tensor;
  const Oracle<Float>& right = oracle<Float>(bits);
  auto made_now = std::make_unique<LongTensor<Float>>();
  const int octaves = 5 * variant;
  made_now->delta = -right.delta_limit() / 6 + octaves * right.steps();
  made_now->input = numbers_in_range<Float>(bits, made_now->delta, (1u << 20) + 5000, static_cast<unsigned>(variant));
  made_now->want = right.quantize(made_now->input, made_now->delta);
  made_now->largest = -away_from_zero(right.smallest_maximum(made_now->delta), 64);
  made_now->largest_want = right.quantize(made_now->largest, made_now->delta);
  tensor = std::move(made_now);
  return *tensor;
}

template <class Float>
Parameters parameters_of(int bits, unsigned mode, int variant) {
  const unsigned written = mode == without_parameter ? 0u : mode;
  const int delta = long_tensor<Float>(bits, variant).delta;
  // INIT over a wider range, UPDATE from a narrower one.
  const int stored = mode == GFPQ_MODE_INIT ? delta + 50 : mode == GFPQ_MODE_UPDATE ? delta - 50 : delta;
  return {param_of<Float>(bits, written, stored), param_of<Float>(bits, written, delta)};
}

template <class Float>
void check_numbers(Checks& checks, const Call& call, const Float* input, const Float* got, const Float* want,
                   std::size_t count) {
  if (count == 0 || std::memcmp(got, want, count * sizeof(Float)) == 0) {
    checks.that(true, [] { return std::string(); });
    return;
  }
  checks.tensor(call, std::vector<Float>(input, input + count), std::vector<Float>(got, got + count),
                std::vector<Float>(want, want + count));
}

template <class Float>
struct GuardedCalls<Float>::Members {
  static constexpr std::size_t margin = 128; // bytes
  int bits;
  Entry entry;
  Judges judges;
  GuardedMemory memory;
  std::vector<Float> input, want;

  Members(int bits_, Entry entry_, std::size_t longest, Judges judges_)
      : bits(bits_), entry(entry_), judges(judges_), memory(longest * sizeof(Float) + margin), input(longest),
        want(longest) {}
};

template <class Float>
GuardedCalls<Float>::GuardedCalls(int bits, Entry entry, std::size_t longest, Judges judges)
    : members_(new Members(bits, entry, longest, judges)) {}

template <class Float>
GuardedCalls<Float>::~GuardedCalls() {
  delete members_;
}

template <class Float>
void GuardedCalls<Float>::check(std::size_t count, unsigned mode, bool at_front) {
  constexpr unsigned char canary = 0xC3;
  Members& m = *members_;
  const LongTensor<Float>& numbers = long_tensor<Float>(m.bits);
  const std::size_t begin = count % 1021;
  std::copy_n(numbers.input.begin() + static_cast<std::ptrdiff_t>(begin), count, m.input.begin());
  std::copy_n(numbers.want.begin() + static_cast<std::ptrdiff_t>(begin), count, m.want.begin());
  if (count > 0 && mode != GFPQ_MODE_APPLY_ONLY) {
    const std::size_t place = at_front ? 0 : count - 1;
    m.input[place] = numbers.largest;
    m.want[place] = numbers.largest_want;
  }
  auto* const data = static_cast<Float*>(at_front ? m.memory.at_front() : m.memory.at_back(count * sizeof(Float)));
  std::copy_n(m.input.begin(), count, data);
  auto* const beside = reinterpret_cast<unsigned char*>(at_front ? data + count : data) - (at_front ? 0 : m.margin);
  std::memset(beside, canary, m.margin);

  auto [param, want_param] = parameters_of<Float>(m.bits, mode);
  const int status =
      test_run().library->quantize(Device::cpu, data, static_cast<unsigned>(count), static_cast<unsigned>(m.bits),
                                   mode == without_parameter ? nullptr : &param, m.entry);
  const GuardedMemory::Touched touched = m.memory.touched();

  const Call call{test_run().library->template function_name<Float>(Device::cpu, m.entry),
                  type_name<Float>,
                  static_cast<unsigned>(m.bits),
                  name_of_mode(mode),
                  numbers.delta,
                  "a tensor of " + std::to_string(count) + " numbers"};
  m.judges.touches.that(touched == GuardedMemory::Touched::none, [&] {
    return call.describe() + ", touched memory right " +
           (touched == GuardedMemory::Touched::before ? "before" : "behind") + " it";
  });
  m.judges.surroundings.that(std::all_of(beside, beside + m.margin, [](unsigned char byte) { return byte == canary; }),
                             [&] { return call.describe() + ", wrote " + (at_front ? "behind" : "before") + " it"; });
  m.judges.results.status(call, status, GFPQ_SUCCESS);
  if (count == 0)
    return; // other cases ask what becomes of the block
  if (mode != without_parameter)
    m.judges.results.param(call, param, want_param);
  check_numbers(m.judges.results, call, m.input.data(), data, m.want.data(), count);
}

#define GFPQ_INSTANTIATE(Float)                                                                                        \
  template void check_apply_everywhere(Checks&, int, int, const std::vector<Float>&, const std::string&);              \
  template void check_maximum_everywhere(Checks&, int, Float, const std::string&);                                     \
  template const LongTensor<Float>& long_tensor<Float>(int, int);                                                      \
  template Parameters parameters_of<Float>(int, unsigned, int);                                                        \
  template void check_numbers(Checks&, const Call&, const Float*, const Float*, const Float*, std::size_t);            \
  template class GuardedCalls<Float>;
GFPQ_INSTANTIATE(float)
GFPQ_INSTANTIATE(double)

} // namespace conformance
