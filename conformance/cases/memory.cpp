// Memory, Thread: what is touched, and by whom.
#include <atomic>
#include <cstring>
#include <future>
#include <numeric>

#include "runner/case.hpp"
#include "runner/guarded_memory.hpp"

namespace conformance {
namespace {

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

CONFORMANCE_TEST(Memory, PlaceDoesNotMatter, "GFPQ-MEMORY-08") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const auto numbers = mixed_numbers<Float>(bits, -77, 100);
    for (const Float number : numbers) // the same number everywhere: body, tail, ends
      for (const std::size_t count : {131, 1003})
        check_apply(requirements["GFPQ-MEMORY-08"], bits, -77, std::vector<Float>(count, number), "one number alone");
    for (std::size_t turn = 0; turn < 100; ++turn)
      for (const std::size_t count : {100, 1003}) {
        std::vector<Float> turned(count);
        for (std::size_t i = 0; i < count; ++i)
          turned[i] = numbers[(i + turn) % numbers.size()];
        check_apply(requirements["GFPQ-MEMORY-08"], bits, -77, turned,
                    "the same 100 numbers, turned by " + std::to_string(turn));
      }
  });
}

} // namespace
} // namespace conformance
