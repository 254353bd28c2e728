// Memory, Delta: tensors of many lengths, whole, and nothing beside them touched.
#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "cases/everywhere.hpp"
#include "runner/gpu_memory.hpp"

namespace conformance {
namespace {

template <class Float>
typename GuardedCalls<Float>::Judges judges(Requirements& requirements, const char* results) {
  return {requirements[results], requirements["GFPQ-MEMORY-04"], requirements["GFPQ-MEMORY-05"]};
}

/// A call that applies delta, and one that finds it; the second's mode, and of longer tensors the page beside them,
/// alternate.
template <class Float>
void check_length(GuardedCalls<Float>& calls, std::size_t count) {
  const bool at_front = count % 5 == 0;
  calls.check(count, GFPQ_MODE_APPLY_ONLY, at_front);
  calls.check(count, fitting_modes[count % std::size(fitting_modes)], at_front);
  if (count % 7 == 0 || count <= 1200)
    calls.check(count, fitting_modes[count % std::size(fitting_modes)], !at_front);
}

CONFORMANCE_TEST(Memory, ShortLengths, "GFPQ-MEMORY-01", "GFPQ-MEMORY-04", "GFPQ-MEMORY-05") {
  need_host_memory();
  for_each_kind([&](auto kind, int bits) {
    GuardedCalls<decltype(kind)> calls(bits, Entry::cpp, 1200, judges<decltype(kind)>(requirements, "GFPQ-MEMORY-01"));
    for (std::size_t count = 0; count <= 1200; ++count)
      check_length(calls, count);
  });
}

/// Around the powers of two and around the multiples of 4096, where libraries end a chunk or a thread's part.
std::set<std::size_t> lengths_around_chunks() {
  std::set<std::size_t> lengths;
  for (std::size_t power = 1024; power <= 1u << 20; power *= 2)
    for (const std::size_t length : {power - 3, power - 1, power, power + 1, power + 2})
      lengths.insert(length);
  for (std::size_t chunks = 1; chunks <= 64; ++chunks)
    for (const std::size_t length : {4096 * chunks - 1, 4096 * chunks, 4096 * chunks + 1})
      lengths.insert(length);
  return lengths;
}

CONFORMANCE_TEST(Memory, LengthsAroundChunks, "GFPQ-MEMORY-02", "GFPQ-MEMORY-04", "GFPQ-MEMORY-05") {
  need_host_memory();
  for_each_kind([&](auto kind, int bits) {
    GuardedCalls<decltype(kind)> calls(bits, Entry::cpp, (1u << 20) + 2,
                                       judges<decltype(kind)>(requirements, "GFPQ-MEMORY-02"));
    for (const std::size_t count : lengths_around_chunks())
      check_length(calls, count);
  });
}

CONFORMANCE_TEST(Memory, EveryRemainder, "GFPQ-MEMORY-02", "GFPQ-MEMORY-04", "GFPQ-MEMORY-05") {
  need_host_memory();
  const std::size_t kinds = test_run().offered.size();
  const int tried = repetitions(static_cast<int>(kinds), 1, 8193, "kinds of tensors at each length");
  std::size_t turn = 0;
  for_each_kind([&](auto kind, int bits) {
    GuardedCalls<decltype(kind)> calls(bits, Entry::cpp, 16384, judges<decltype(kind)>(requirements, "GFPQ-MEMORY-02"));
    for (std::size_t count = 8193; count <= 8192 + 4096; ++count)
      if ((count + turn) % kinds < static_cast<std::size_t>(tried))
        check_length(calls, count);
    ++turn;
  });
}

CONFORMANCE_TEST(Memory, SampledLengths, "GFPQ-MEMORY-02", "GFPQ-MEMORY-04", "GFPQ-MEMORY-05") {
  need_host_memory();
  const int samples = test_run().thorough ? 3000 : 150;
  for_each_kind([&](auto kind, int bits) {
    GuardedCalls<decltype(kind)> calls(bits, Entry::cpp, 100000,
                                       judges<decltype(kind)>(requirements, "GFPQ-MEMORY-02"));
    std::mt19937_64 random(7);
    for (int i = 0; i < samples; ++i) {
      const std::size_t count = 1201 + random() % (100000 - 1201);
      for (const unsigned mode : all_modes)
        for (const bool at_front : {false, true})
          calls.check(count, mode, at_front);
    }
  });
}

/// The delta that the largest number asks for, wherever it stands among smaller ones.
template <class Float>
class MaximumAnywhere {
public:
  MaximumAnywhere(Checks& checks, int bits, std::size_t count)
      : checks_(checks), bits_(bits), small_(Float(0.25)), large_(Float(77.7)), input_(count, small_) {
    const Oracle<Float>& right = oracle<Float>(bits);
    delta_ = right.delta({large_});
    small_want_ = right.quantize(small_, delta_);
    large_want_ = right.quantize(large_, delta_);
    want_.assign(count, small_want_);
  }

  void check(std::size_t place, unsigned mode) {
    const Float sign = place % 2 == 0 ? Float(1) : Float(-1);
    input_[place] = sign * large_;
    want_[place] = sign * large_want_;
    GFPQ_PARAM_ST param = param_of<Float>(bits_, mode == without_parameter ? 0u : mode, delta_ - 100);
    const GFPQ_PARAM_ST want_param = param_of<Float>(bits_, param.mode, delta_);
    const Call call{"HI_GFPQ_QuantAndDeQuant",
                    type_name<Float>,
                    static_cast<unsigned>(bits_),
                    name_of_mode(mode),
                    delta_,
                    "the largest is number " + std::to_string(place) + " of " + std::to_string(input_.size())};
    const Outcome<Float> outcome =
        quantize(input_, static_cast<unsigned>(bits_), mode == without_parameter ? nullptr : &param);
    checks_.status(call, outcome.status, GFPQ_SUCCESS);
    if (mode != without_parameter)
      checks_.param(call, param, want_param);
    check_numbers(checks_, call, input_.data(), outcome.data.data(), want_.data(), want_.size());
    input_[place] = small_;
    want_[place] = small_want_;
  }

  void check_in_modes(std::size_t place) {
    constexpr int all = std::size(fitting_modes);
    const int modes = repetitions(all, 1, input_.size(), "modes for each place");
    // Another mode for each kind.
    const std::size_t first = place + static_cast<std::size_t>(bits_) / 8 + sizeof(Float) / 2;
    for (int i = 0; i < modes; ++i)
      check(place, fitting_modes[(first + static_cast<std::size_t>(i)) % all]);
  }

private:
  Checks& checks_;
  int bits_, delta_ = 0;
  Float small_, large_, small_want_ = 0, large_want_ = 0;
  std::vector<Float> input_, want_;
};

CONFORMANCE_TEST(Delta, MaximumAnywhere, "GFPQ-DELTA-08") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    Checks& checks = requirements["GFPQ-DELTA-08"];
    for (const std::size_t count : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 1100}) {
      MaximumAnywhere<Float> maximum(checks, bits, count);
      for (std::size_t place = 0; place < count; ++place)
        maximum.check_in_modes(place);
    }
  });
}

/// Both ends of a tensor, and both sides of where chunks of 4096 begin.
std::set<std::size_t> places_around_chunks(std::size_t count) {
  std::set<std::size_t> places;
  for (std::size_t i = 0; i < 100; ++i) {
    places.insert(i);
    places.insert(count - 1 - i);
    places.insert(4096 + i); // any place behind a border
  }
  for (std::size_t chunk = 4096; chunk + 1 < count; chunk += 4096)
    for (const std::size_t place : {chunk - 1, chunk, chunk + 1})
      places.insert(place);
  return places;
}

CONFORMANCE_TEST(Delta, MaximumAnywhereInLongTensors, "GFPQ-DELTA-08") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    Checks& checks = requirements["GFPQ-DELTA-08"];
    MaximumAnywhere<Float> medium(checks, bits, 40009);
    for (const std::size_t place : places_around_chunks(40009))
      medium.check_in_modes(place);
    std::mt19937_64 random(3);
    for (const std::size_t count : {std::size_t(300007), std::size_t(1u << 21) + 5}) {
      MaximumAnywhere<Float> large(checks, bits, count);
      std::vector<std::size_t> places = {0, 1, count / 2, count - 17, count - 2, count - 1, 65536, 3 * 65536};
      for (int i = 0; i < (test_run().thorough ? 500 : 4); ++i)
        places.push_back(random() % count);
      for (std::size_t i = 0; i < places.size(); ++i)
        large.check(places[i], fitting_modes[i % std::size(fitting_modes)]);
    }
  });
}

/// Calls with the first numbers of a tensor, for the block alone: what becomes of the tensor is not looked at.
template <class Float>
int status_of_call(std::vector<Float>& data, std::size_t count, int bits, GFPQ_PARAM_ST& param) {
  const Library& library = *test_run().library;
  const auto numbers = static_cast<unsigned>(count), width = static_cast<unsigned>(bits);
  if (test_run().device == Device::cpu)
    return library.quantize(Device::cpu, data.data(), numbers, width, &param);
  GpuMemory device(count * sizeof(Float));
  device.upload(data.data());
  return library.quantize(Device::gpu, static_cast<Float*>(device.address()), numbers, width, &param);
}

/// One number among zeros: of the parts that threads take, all but one have none.
CONFORMANCE_TEST_WITH(Delta, OneNumberAmongZeros, (std::vector<int>{1, 8, 40}), "GFPQ-DELTA-08") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    constexpr std::size_t count = 4500011;
    std::vector<Float> data(count);
    const Float number = at_safe_distance(bits, static_cast<Float>(-3e-12)); // smaller than what zeros stand for
    const int delta = oracle<Float>(bits).delta(std::vector<Float>{number});
    std::size_t turn = 0;
    for (const std::size_t place : {count / 3, count - 1}) {
      const unsigned mode = turn++ % 2 == 0 ? GFPQ_MODE_INIT : GFPQ_MODE_UPDATE;
      std::fill(data.begin(), data.end(), Float(0));
      data[place] = number;
      GFPQ_PARAM_ST param = param_of<Float>(bits, mode, -oracle<Float>(bits).delta_limit());
      const int status = status_of_call(data, count, bits, param);
      const Call call{"HI_GFPQ_QuantAndDeQuant",
                      type_name<Float>,
                      static_cast<unsigned>(bits),
                      name_of_mode(mode),
                      delta,
                      "one number, number " + std::to_string(place) + ", among zeros"};
      requirements["GFPQ-DELTA-08"].status(call, status, GFPQ_SUCCESS);
      requirements["GFPQ-DELTA-08"].param(call, param, param_of<Float>(bits, mode, delta));
    }
  });
}

/// Calls with long tensors that find delta, which alone is looked at: quick, so that many can be tried.
template <class Float>
class FoundDelta {
public:
  FoundDelta(Checks& checks, int bits, std::size_t longest) : checks_(checks), bits_(bits), data_(longest, Float(1)) {}

  /// Ones, with other numbers in a few places, all larger.
  void check(std::size_t count, const std::vector<std::pair<std::size_t, Float>>& numbers) {
    std::vector<Float> all;
    std::string where;
    for (const auto& [place, number] : numbers) {
      data_[place] = number;
      all.push_back(number);
      where += ", " + show(number) + " is number " + std::to_string(place);
    }
    const int delta = oracle<Float>(bits_).delta(all);
    const unsigned mode = turn_++ % 2 == 0 ? GFPQ_MODE_INIT : GFPQ_MODE_UPDATE;
    GFPQ_PARAM_ST param = param_of<Float>(bits_, mode, -oracle<Float>(bits_).delta_limit());
    const int status = status_of_call(data_, count, bits_, param);
    const Call call{"HI_GFPQ_QuantAndDeQuant",
                    type_name<Float>,
                    static_cast<unsigned>(bits_),
                    name_of_mode(mode),
                    delta,
                    std::to_string(count) + " numbers" + where};
    checks_.status(call, status, GFPQ_SUCCESS);
    checks_.param(call, param, param_of<Float>(bits_, mode, delta));
    for (const auto& [place, number] : numbers)
      data_[place] = 1;
  }

private:
  Checks& checks_;
  int bits_;
  std::size_t turn_ = 0;
  std::vector<Float> data_;
};

/// Tensors of whole blocks, whatever number of blocks and of numbers in one a library likes.
CONFORMANCE_TEST(Delta, LastOfWholeBlocks, "GFPQ-DELTA-08") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    constexpr std::size_t longest = 1u << 20;
    FoundDelta<Float> found(requirements["GFPQ-DELTA-08"], bits, longest);
    for (std::size_t blocks = bits == 8 ? 1 : 3; blocks < 64; blocks += 4)
      for (std::size_t count = blocks << 10; count <= longest; count *= 2)
        found.check(count, {{count - 1, Float(1000)}});
    for (std::size_t block = 1000; block <= 100'000; block *= 10)
      for (const std::size_t blocks : {1, 2, 5, 10})
        found.check(block * blocks, {{block * blocks - 1, Float(1000)}});
  });
}

/// A number of each octave, and behind it one that is larger still.
CONFORMANCE_TEST(Delta, LargerBehindLarge, "GFPQ-DELTA-08") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    constexpr std::size_t count = 70001;
    FoundDelta<Float> found(requirements["GFPQ-DELTA-08"], bits, count);
    for (int exponent = 1; exponent < 60; ++exponent)
      for (const int octaves : {1, 5})
        found.check(count,
                    {{0, std::ldexp(Float(1.1), exponent)}, {count - 1, std::ldexp(Float(1.3), exponent + octaves)}});
  });
}

/// Numbers that ask for one delta, and one among them that is larger by the least that asks for the next.
CONFORMANCE_TEST(Delta, LargerByALittle, "GFPQ-DELTA-03") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const Oracle<Float>& right = oracle<Float>(bits);
    for (int delta = -right.delta_limit() / 2; delta < right.delta_limit(); delta += right.delta_limit() / 40)
      for (const std::size_t count : {7, 64, 300}) {
        const Float next = right.smallest_maximum(delta + 1);
        std::vector<Float> input(count, away_from_zero(next, -64));
        input[count - 1 - count / 3] = away_from_zero(next, 64);
        GFPQ_PARAM_ST param = param_of<Float>(bits, GFPQ_MODE_INIT, 0);
        const Outcome<Float> outcome = quantize(input, static_cast<unsigned>(bits), &param);
        const Call call{"HI_GFPQ_QuantAndDeQuant",
                        type_name<Float>,
                        static_cast<unsigned>(bits),
                        mode_name(GFPQ_MODE_INIT),
                        delta + 1,
                        std::to_string(count) + " numbers around what asks for this delta"};
        requirements["GFPQ-DELTA-03"].status(call, outcome.status, GFPQ_SUCCESS);
        requirements["GFPQ-DELTA-03"].param(call, param, param_of<Float>(bits, GFPQ_MODE_INIT, delta + 1));
      }
  });
}

} // namespace
} // namespace conformance
