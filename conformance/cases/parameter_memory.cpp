// Memory, Param: what is read and written of a parameter, and of what lies around it.
#include <cstring>

#include "cases/everywhere.hpp"
#include "cases/read_only_page.hpp"
#include "runner/guarded_memory.hpp"

namespace conformance {
namespace {

/// Makes a call on `count` numbers of long_tensor, of which the first may decide delta, and checks what it gives.
template <class Float>
void check_call(Checks& checks, int bits, Entry entry, unsigned mode, GFPQ_PARAM_ST* param, std::size_t count,
                const std::string& note) {
  const LongTensor<Float>& numbers = long_tensor<Float>(bits);
  std::vector<Float> data(numbers.input.begin(), numbers.input.begin() + static_cast<std::ptrdiff_t>(count));
  std::vector<Float> want(numbers.want.begin(), numbers.want.begin() + static_cast<std::ptrdiff_t>(count));
  if (mode != GFPQ_MODE_APPLY_ONLY) {
    data[0] = numbers.largest;
    want[0] = numbers.largest_want;
  }
  const std::vector<Float> input = data;
  const int status = test_run().library->quantize(Device::cpu, data.data(), static_cast<unsigned>(count),
                                                  static_cast<unsigned>(bits), param, entry);
  const Call call{test_run().library->function_name<Float>(Device::cpu, entry),
                  type_name<Float>,
                  static_cast<unsigned>(bits),
                  mode_name(mode),
                  numbers.delta,
                  note};
  checks.status(call, status, GFPQ_SUCCESS);
  checks.param(call, *param, parameters_of<Float>(bits, mode).after);
  check_numbers(checks, call, input.data(), data.data(), want.data(), count);
}

constexpr std::size_t call_lengths[] = {1, 20, 1000, 70000};

CONFORMANCE_TEST(Memory, AroundTheParameter, "GFPQ-MEMORY-07") {
  need_host_memory();
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY})
      for (const std::size_t count : call_lengths) {
        struct {
          unsigned char before[64];
          GFPQ_PARAM_ST param;
          unsigned char behind[64];
        } room;
        std::memset(&room, 0xC3, sizeof room);
        room.param = parameters_of<Float>(bits, mode).before;
        Checks& checks = requirements["GFPQ-MEMORY-07"];
        check_call<Float>(checks, bits, entry, mode, &room.param, count, "a parameter among other bytes");
        const auto untouched = [](const unsigned char(&bytes)[64]) {
          return std::all_of(bytes, bytes + 64, [](unsigned char byte) { return byte == 0xC3; });
        };
        checks.that(untouched(room.before) && untouched(room.behind), [&] {
          return Call{test_run().library->function_name<Float>(Device::cpu, entry), type_name<Float>,
                      static_cast<unsigned>(bits), mode_name(mode)}
                     .describe() +
                 " wrote beside the parameter's 20 bytes";
        });
      }
  });
}

CONFORMANCE_TEST(Memory, ParameterAnywhere, "GFPQ-MEMORY-09") {
  need_host_memory();
  Checks& checks = requirements["GFPQ-MEMORY-09"];
  GuardedMemory memory(page_size());
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    const auto check = [&](void* place, unsigned mode, const std::string& where) {
      auto* const param = static_cast<GFPQ_PARAM_ST*>(place);
      *param = parameters_of<Float>(bits, mode).before;
      check_call<Float>(checks, bits, entry, mode, param, 20, "a parameter " + where);
      const GuardedMemory::Touched touched = memory.touched();
      checks.that(touched == GuardedMemory::Touched::none, [&] {
        return Call{test_run().library->function_name<Float>(Device::cpu, entry), type_name<Float>,
                    static_cast<unsigned>(bits), mode_name(mode)}
                   .describe() +
               " touched memory right " + (touched == GuardedMemory::Touched::before ? "before" : "behind") +
               " the parameter's 20 bytes";
      });
    };
    for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
      check(memory.at_front(), mode, "at the first bytes of a page");
      check(memory.at_back(sizeof(GFPQ_PARAM_ST)), mode, "at the last bytes of a page");
      for (std::size_t offset = 0; offset < 64; offset += alignof(GFPQ_PARAM_ST))
        check(static_cast<char*>(memory.at_front()) + offset, mode,
              std::to_string(offset) + " bytes behind a multiple of 64");
    }
  });
}

CONFORMANCE_TEST(Param, ReadOnly, "GFPQ-PARAM-11") {
  need_host_memory();
  CapturedOutput quiet;
  Checks& checks = requirements["GFPQ-PARAM-11"];
  ReadOnlyPage page;
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    const auto check_unwritten = [&](const std::string& what) {
      checks.that(!page.is_written(), [&] {
        return Call{test_run().library->function_name<Float>(Device::cpu, entry), type_name<Float>,
                    static_cast<unsigned>(bits)}
                   .describe() +
               " wrote to the parameter of " + what + ", which lies in read-only memory";
      });
    };
    for (const std::size_t count : call_lengths) {
      GFPQ_PARAM_ST* const param = page.hold(parameters_of<Float>(bits, GFPQ_MODE_APPLY_ONLY).before);
      check_call<Float>(checks, bits, entry, GFPQ_MODE_APPLY_ONLY, param, count, "a parameter in read-only memory");
      check_unwritten("APPLY");
    }
    const auto check_error = [&](const std::string& what, unsigned width, const GFPQ_PARAM_ST& param, bool is_null) {
      Float data[] = {1, -2, 3};
      GFPQ_PARAM_ST* const held = page.hold(param);
      const int status = test_run().library->quantize(Device::cpu, is_null ? nullptr : data, 3, width, held, entry);
      if (status != GFPQ_SUCCESS) // else it is right to write
        check_unwritten(what);
    };
    const auto width = static_cast<unsigned>(bits);
    for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
      const GFPQ_PARAM_ST param = parameters_of<Float>(bits, mode).before;
      check_error("a call with null data", width, param, true);
      check_error("a call with a bad bit width", 9, param, false);
      if (mode != GFPQ_MODE_INIT)
        check_error("a call with an unset block", width, GFPQ_PARAM_ST{mode, {}}, false);
    }
    check_error("a call with an unknown mode", width, param_of<Float>(bits, 7, -77), false);
  });
}

} // namespace
} // namespace conformance
