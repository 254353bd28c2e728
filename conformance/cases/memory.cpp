// Memory, Thread: what is touched, and by whom.
#include <atomic>
#include <cstring>
#include <future>
#include <numeric>

#include "runner/case.hpp"
#include "runner/guarded_memory.hpp"

namespace conformance {
namespace {

CONFORMANCE_TEST(Memory, ShortLengths, "GFPQ-MEMORY-01", "GFPQ-MEMORY-04") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (std::size_t count = 0; count <= 200; ++count) {
      auto input = mixed_numbers<Float>(bits, -77, count, static_cast<unsigned>(count));
      check_apply(requirements["GFPQ-MEMORY-01"], bits, -77, input, "length " + std::to_string(count));
      input = numbers_in_range<Float>(bits, -77, count, static_cast<unsigned>(count));
      GFPQ_PARAM_ST param{};
      check_fit(requirements["GFPQ-MEMORY-01"], bits, &param, input, "length " + std::to_string(count));
      for (const std::size_t offset : {0, 1, 3}) {
        const Outcome<Float> outcome = quantize(input, static_cast<unsigned>(bits), nullptr, offset);
        requirements["GFPQ-MEMORY-04"].that(outcome.surroundings_untouched, [&] {
          return Call{"HI_GFPQ_QuantAndDeQuant", type_name<Float>, static_cast<unsigned>(bits), "null"}.describe() +
                 "\n      of " + std::to_string(count) + " numbers, " + std::to_string(offset) +
                 " behind a 64-byte border, wrote outside the tensor";
        });
      }
    }
  });
}

CONFORMANCE_TEST(Memory, LongLengths, "GFPQ-MEMORY-02") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const auto longest = mixed_numbers<Float>(bits, -77, (1u << 20) + 65);
    for (const int more : {-33, 0, 1, 17}) {
      const std::vector<Float> input(longest.begin(), longest.begin() + (1 << 20) + more);
      check_apply(requirements["GFPQ-MEMORY-02"], bits, -77, input,
                  "length 2^20" + std::string(more < 0 ? "" : "+") + std::to_string(more));
    }
    GFPQ_PARAM_ST param{};
    check_fit(requirements["GFPQ-MEMORY-02"], bits, &param, longest, "length 2^20+65");
  });
}

CONFORMANCE_TEST(Memory, Alignment, "GFPQ-MEMORY-03") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const std::size_t count : {1, 7, 16, 33, 100, 333, 5000})
      for (std::size_t offset = 0; offset < 64 / sizeof(Float); ++offset) {
        const auto input = mixed_numbers<Float>(bits, -77, count, static_cast<unsigned>(offset));
        const std::string note = std::to_string(offset) + " numbers behind a 64-byte border";
        check_apply(requirements["GFPQ-MEMORY-03"], bits, -77, input, note, offset);
        GFPQ_PARAM_ST param{};
        check_fit(requirements["GFPQ-MEMORY-03"], bits, &param, input, note, offset);
      }
  });
}

void need_host_memory() {
  if (test_run().device == Device::gpu)
    throw Skip("host memory is meant, and the device is a GPU");
}

CONFORMANCE_TEST(Memory, GuardPages, "GFPQ-MEMORY-05") {
  need_host_memory();
  constexpr std::size_t longest = 3000;
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    GuardedMemory memory(longest * sizeof(Float));
    const auto numbers = mixed_numbers<Float>(bits, -77, longest);
    const auto check = [&](std::size_t count, bool at_front, unsigned mode) {
      auto* data = static_cast<Float*>(at_front ? memory.at_front() : memory.at_back(count * sizeof(Float)));
      std::copy_n(numbers.begin(), count, data);
      GFPQ_PARAM_ST param = param_of<Float>(bits, mode, -77);
      test_run().library->quantize(Device::cpu, data, static_cast<unsigned>(count), static_cast<unsigned>(bits),
                                   &param);
      const GuardedMemory::Touched touched = memory.touched();
      requirements["GFPQ-MEMORY-05"].that(touched == GuardedMemory::Touched::none, [&] {
        return Call{"HI_GFPQ_QuantAndDeQuant", type_name<Float>, static_cast<unsigned>(bits), mode_name(mode)}
                   .describe() +
               "\n      of " + std::to_string(count) + " numbers touched memory right " +
               (touched == GuardedMemory::Touched::before ? "before" : "behind") + " the tensor";
      });
    };
    for (std::size_t count = 1; count <= longest; count += count < 130 ? 1 : 401)
      for (const bool at_front : {true, false})
        for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_APPLY_ONLY})
          check(count, at_front, mode);
  });
}

CONFORMANCE_TEST(Memory, HugeTensor, "GFPQ-MEMORY-06") {
  constexpr std::size_t count = (1u << 24) + 1027;
  const auto pattern = mixed_numbers<float>(8, -77, 65537);
  std::vector<float> input(count);
  for (std::size_t i = 0; i < count; ++i)
    input[i] = pattern[i % pattern.size()];
  check_apply(requirements["GFPQ-MEMORY-06"], 8, -77, input, "2^24+1027 numbers");
  for (float& number : input)
    number = 0.125f;
  input[count - 5] = -300; // the largest behind the 2^24th
  GFPQ_PARAM_ST param{};
  check_fit(requirements["GFPQ-MEMORY-06"], 16, &param, input, "2^24+1027 numbers, the largest 5 from the end");
}

CONFORMANCE_TEST(Memory, AroundTheParameter, "GFPQ-MEMORY-07") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
      struct {
        unsigned char before[64];
        GFPQ_PARAM_ST param;
        unsigned char behind[64];
      } room;
      std::memset(&room, 0xC3, sizeof room);
      room.param = param_of<Float>(bits, mode, -77);
      quantize(mixed_numbers<Float>(bits, -77, 100), static_cast<unsigned>(bits), &room.param);
      const auto untouched = [](const unsigned char(&bytes)[64]) {
        return std::all_of(bytes, bytes + 64, [](unsigned char byte) { return byte == 0xC3; });
      };
      requirements["GFPQ-MEMORY-07"].that(untouched(room.before) && untouched(room.behind), [&] {
        return Call{"HI_GFPQ_QuantAndDeQuant", type_name<Float>, static_cast<unsigned>(bits), mode_name(mode)}
                   .describe() +
               " wrote beside the parameter's 20 bytes";
      });
    }
  });
}

CONFORMANCE_TEST(Memory, PlaceDoesNotMatter, "GFPQ-MEMORY-08") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const auto numbers = mixed_numbers<Float>(bits, -77, 100);
    for (const Float number : numbers) // the same number everywhere: body, tail, ends
      check_apply(requirements["GFPQ-MEMORY-08"], bits, -77, std::vector<Float>(131, number), "one number, 131 times");
    for (std::size_t turn = 0; turn < 100; ++turn) {
      auto turned = numbers;
      std::rotate(turned.begin(), turned.begin() + static_cast<std::ptrdiff_t>(turn), turned.end());
      check_apply(requirements["GFPQ-MEMORY-08"], bits, -77, turned, "100 numbers, turned by " + std::to_string(turn));
    }
  });
}

/// Calls from several threads, each checking its own results against those of single calls.
CONFORMANCE_TEST(Thread, ManyAtOnce, "GFPQ-THREAD-01") {
  constexpr int threads = 8, rounds = 100;
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    std::vector<std::vector<Float>> inputs, outputs(threads);
    std::vector<int> wanted_deltas;
    std::vector<GFPQ_PARAM_ST> params(threads);
    for (int thread = 0; thread < threads; ++thread) {
      auto input = numbers_in_range<Float>(bits, -300 + 70 * thread, 500 + 311 * static_cast<std::size_t>(thread));
      wanted_deltas.push_back(oracle<Float>(bits).delta(input));
      inputs.push_back(std::move(input));
    }
    std::atomic<bool> failed{false};
    std::vector<std::future<void>> running; // they bring a thread's exception here
    for (int thread = 0; thread < threads; ++thread)
      running.push_back(std::async(std::launch::async, [&, thread] {
        const auto index = static_cast<std::size_t>(thread);
        for (int round = 0; round < rounds; ++round) {
          GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
          outputs[index] = quantize(inputs[index], static_cast<unsigned>(bits), &param).data;
          params[index] = param;
          const auto right = oracle<Float>(bits).quantize(inputs[index], wanted_deltas[index]);
          if (std::memcmp(right.data(), outputs[index].data(), right.size() * sizeof(Float)) != 0) {
            failed = true;
            return; // and keep what was wrong
          }
        }
      }));
    for (std::future<void>& thread : running)
      thread.get();
    for (std::size_t i = 0; i < threads; ++i) {
      const Call call{"HI_GFPQ_QuantAndDeQuant",
                      type_name<Float>,
                      static_cast<unsigned>(bits),
                      "INIT",
                      wanted_deltas[i],
                      "one of " + std::to_string(threads) + " threads"};
      requirements["GFPQ-THREAD-01"].param(call, params[i], param_of<Float>(bits, GFPQ_MODE_INIT, wanted_deltas[i]));
      requirements["GFPQ-THREAD-01"].tensor(call, inputs[i], outputs[i],
                                            oracle<Float>(bits).quantize(inputs[i], wanted_deltas[i]));
    }
    requirements["GFPQ-THREAD-01"].that(!failed, [] { return std::string("a call gave wrong numbers, see below"); });
  });
}

CONFORMANCE_TEST(Thread, TheSameEachTime, "GFPQ-THREAD-02") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const auto input = numbers_in_range<Float>(bits, 5, 200003);
    GFPQ_PARAM_ST first_param{};
    const auto first = quantize(input, static_cast<unsigned>(bits), &first_param).data;
    for (int round = 0; round < 5; ++round) {
      const Call call{"HI_GFPQ_QuantAndDeQuant", type_name<Float>, static_cast<unsigned>(bits), "INIT", {}, "repeated"};
      GFPQ_PARAM_ST param{};
      requirements["GFPQ-THREAD-02"].tensor(call, input, quantize(input, static_cast<unsigned>(bits), &param).data,
                                            first);
      requirements["GFPQ-THREAD-02"].param(call, param, first_param);
    }
  });
}

} // namespace
} // namespace conformance
