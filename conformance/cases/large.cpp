// Memory: tensors so long that their numbers, or their bytes, do not fit into 24, 31 or 32 bits.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "cases/everywhere.hpp"
#include "cases/system.hpp"
#include "runner/environment.hpp"

namespace conformance {
namespace {

/// Calls on `count` numbers, of which most share memory, that end at a page that may not be touched.
template <class Float>
class LargeTensor {
public:
  LargeTensor(Checks& checks, int bits, Entry entry, std::size_t count)
      : checks_(checks), bits_(bits), entry_(entry), count_(count), memory_(count * sizeof(Float)),
        data_(reinterpret_cast<Float*>(memory_.begin())) {}

  /// A place whose number is in all chunks but the first and the last.
  static constexpr std::size_t between = RepeatedMemory::chunk / sizeof(Float) + 5;

  /// Delta comes from the number at `place`, in the first or the last chunk, or between.
  void check(unsigned mode, std::size_t place) {
    const LongTensor<Float>& numbers = long_tensor<Float>(bits_);
    for (const auto& [begin, length] : pieces())
      std::copy_n(numbers.input.begin(), length, data_ + begin);
    const bool fits = mode != GFPQ_MODE_APPLY_ONLY;
    if (fits)
      data_[place] = numbers.largest;
    auto [param, want_param] = parameters_of<Float>(bits_, mode);
    const int status =
        test_run().library->quantize(Device::cpu, data_, static_cast<unsigned>(count_), static_cast<unsigned>(bits_),
                                     mode == without_parameter ? nullptr : &param, entry_);
    const Call call{test_run().library->function_name<Float>(Device::cpu, entry_),
                    type_name<Float>,
                    static_cast<unsigned>(bits_),
                    name_of_mode(mode),
                    numbers.delta,
                    std::to_string(count_) + " numbers, the largest is number " + std::to_string(place)};
    checks_.status(call, status, GFPQ_SUCCESS);
    if (mode != without_parameter)
      checks_.param(call, param, want_param);
    for (const auto& [begin, length] : pieces()) {
      std::vector<Float> input(numbers.input.begin(), numbers.input.begin() + static_cast<std::ptrdiff_t>(length));
      std::vector<Float> want(numbers.want.begin(), numbers.want.begin() + static_cast<std::ptrdiff_t>(length));
      if (fits && place >= begin && place < begin + length) {
        input[place - begin] = numbers.largest;
        want[place - begin] = numbers.largest_want;
      }
      check_numbers(checks_, call, input.data(), data_ + begin, want.data(), length);
    }
  }

private:
  static constexpr std::size_t in_chunk = RepeatedMemory::chunk / sizeof(Float);

  /// The first number and the length of each piece of memory.
  std::vector<std::pair<std::size_t, std::size_t>> pieces() const {
    const std::size_t last = (count_ - 1) / in_chunk * in_chunk;
    return {{0, in_chunk}, {in_chunk, in_chunk}, {last, count_ - last}};
  }

  Checks& checks_;
  int bits_;
  Entry entry_;
  std::size_t count_;
  RepeatedMemory memory_;
  Float* data_;
};

/// All modes, the largest number at the end, at the front and between.
template <class Float>
void check_count(Checks& checks, int bits, Entry entry, std::size_t count) {
  LargeTensor<Float> tensor(checks, bits, entry, count);
  for (const unsigned mode : all_modes)
    tensor.check(mode, count - 1 - mode);
  tensor.check(GFPQ_MODE_INIT, 3);
  tensor.check(GFPQ_MODE_UPDATE, tensor.between);
}

CONFORMANCE_TEST(Memory, BeyondTwoToThe24th, "GFPQ-MEMORY-06") {
  need_host_memory();
  for_each_kind([&](auto kind, int bits) {
    check_count<decltype(kind)>(requirements["GFPQ-MEMORY-06"], bits, Entry::cpp, (1u << 24) + 1027);
  });
}

/// A long tensor whose first page alone is memory: a call that goes on behind that page ends its process.
const ReservedMemory* tensor_without_end;

bool end_process(const void* touched) {
  if (!tensor_without_end->contains(touched))
    return false;
  environment_guard()->abandon_call();
  std::_Exit(0);
}

/// Makes a call on `count` numbers in a process of its own. \return what it returned, empty where it went on.
template <class Float>
std::string call_on_reserved_memory(unsigned count, int bits, unsigned mode, Entry entry) {
  constexpr unsigned seconds = 60;
  return run_in_child(
      [&] {
        const ReservedMemory memory(count * sizeof(Float));
        tensor_without_end = &memory;
        const FaultHandler handler(end_process);
        auto* const data = reinterpret_cast<Float*>(memory.begin());
        std::copy_n(long_tensor<Float>(bits).input.begin(), page_size() / sizeof(Float), data);
        GFPQ_PARAM_ST param = parameters_of<Float>(bits, mode).before;
        return "returned " +
               show_status(test_run().library->quantize(Device::cpu, data, count, static_cast<unsigned>(bits),
                                                        mode == without_parameter ? nullptr : &param, entry));
      },
      seconds);
}

CONFORMANCE_TEST(Memory, LongTensorsAreNotTakenForShorterOnes, "GFPQ-MEMORY-13") {
  need_host_memory();
  // A few numbers more than 2^31 and 2^32 bytes, and than multiples of these; and what is -1 with 32 bits.
  constexpr unsigned counts[] = {(1u << 28) + 9, (1u << 29) + 9, (1u << 30) + 9, (1u << 31) + 9, 0xFFFFFFFF};
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    long_tensor<Float>(bits); // is made before any fork
    for (std::size_t i = 0; i < std::size(counts); ++i)
      for (const unsigned mode : {unsigned(GFPQ_MODE_APPLY_ONLY), fitting_modes[i % std::size(fitting_modes)]}) {
        const std::string returned = call_on_reserved_memory<Float>(counts[i], bits, mode, entry);
        requirements["GFPQ-MEMORY-13"].that(returned.empty(), [&] {
          const Call call{test_run().library->function_name<Float>(Device::cpu, entry),
                          type_name<Float>,
                          static_cast<unsigned>(bits),
                          name_of_mode(mode),
                          std::nullopt,
                          std::to_string(counts[i]) + " numbers"};
          return call.describe() + "\n      " + returned + " before it touched any behind its first page";
        });
      }
  });
}

void need_time() {
  need_host_memory();
  if (!test_run().thorough)
    throw Skip("takes minutes: run with --thorough");
}

CONFORMANCE_TEST(Memory, BeyondTwoToThe31stBytes, "GFPQ-MEMORY-12") {
  need_time();
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    check_count<Float>(requirements["GFPQ-MEMORY-12"], bits, entry, (std::size_t(1) << 31) / sizeof(Float) + 1027);
    check_count<Float>(requirements["GFPQ-MEMORY-12"], bits, entry, (std::size_t(1) << 32) / sizeof(Float) + 1027);
  });
}

CONFORMANCE_TEST(Memory, BeyondTwoToThe31stNumbers, "GFPQ-MEMORY-12") {
  need_time();
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    // One width of each type at each length: the lengths are what may go wrong.
    const bool is_first = offered_widths<Float>().front() == bits;
    const std::size_t count = is_first ? (std::size_t(1) << 31) + 1027 : 0xFFFFFFFF;
    LargeTensor<Float> tensor(requirements["GFPQ-MEMORY-12"], bits, Entry::cpp, count);
    tensor.check(GFPQ_MODE_APPLY_ONLY, 0);
    tensor.check(is_first ? GFPQ_MODE_INIT : GFPQ_MODE_UPDATE, count - 1);
    tensor.check(is_first ? GFPQ_MODE_UPDATE : GFPQ_MODE_INIT, 3);
    tensor.check(GFPQ_MODE_INIT, tensor.between);
  });
}

} // namespace
} // namespace conformance
