// Param, Mode: parameters that a call must refuse, by any of their bits.
#include "cases/refusals.hpp"

#include <limits>

namespace conformance {
namespace {

constexpr unsigned reading_modes[] = {GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY};
constexpr std::size_t counts[] = {5, 0, 3000}; ///< with no number at all a bad parameter is no better

/// A call of either reading mode on the block of `param`.
template <class Float>
void check_block_refused(Checks& checks, int bits, GFPQ_PARAM_ST param, const std::string& note, std::size_t count) {
  for (const unsigned mode : reading_modes) {
    param.mode = mode;
    check_refused<Float>({checks, checks}, static_cast<unsigned>(bits), &param, GFPQ_ERR_BAD_PARAMETERS, note, count);
  }
}

CONFORMANCE_TEST(Param, DamagedBlock, "GFPQ-PARAM-08") {
  need_specified_blocks();
  CapturedOutput quiet;
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const int limit = oracle<Float>(bits).delta_limit();
    for (const int delta : {-77, 0, 1, limit, -limit})
      for (int bit = 0; bit < 8 * GFPQ_PARAM_LEN; ++bit) {
        GFPQ_PARAM_ST param = oracle<Float>(bits).param(0, delta);
        param.buf[bit / 8] = static_cast<unsigned char>(param.buf[bit / 8] ^ 1 << bit % 8);
        if (is_well_formed(param)) // the check words do not tell all deltas apart
          continue;
        const std::string note = "bit " + std::to_string(bit % 8) + " of byte " + std::to_string(bit / 8) + " is wrong";
        check_block_refused<Float>(requirements["GFPQ-PARAM-08"], bits, param, note,
                                   counts[static_cast<std::size_t>(bit) % std::size(counts)]);
      }
    // Words of two blocks, and the words in another order.
    const GFPQ_PARAM_ST one = oracle<Float>(bits).param(0, -77), other = oracle<Float>(bits).param(0, 130);
    for (unsigned words = 1; words < 15; ++words) {
      GFPQ_PARAM_ST param = one;
      for (unsigned byte = 0; byte < GFPQ_PARAM_LEN; ++byte)
        if ((words >> byte / 4 & 1) != 0)
          param.buf[byte] = other.buf[byte];
      check_block_refused<Float>(requirements["GFPQ-PARAM-08"], bits, param, "the words are of two blocks", 5);
    }
    for (unsigned turn = 1; turn < GFPQ_PARAM_LEN; ++turn) {
      GFPQ_PARAM_ST param = one;
      for (unsigned byte = 0; byte < GFPQ_PARAM_LEN; ++byte)
        param.buf[byte] = one.buf[(byte + turn) % GFPQ_PARAM_LEN];
      check_block_refused<Float>(requirements["GFPQ-PARAM-08"], bits, param,
                                 "the bytes are moved by " + std::to_string(turn), 5);
    }
  });
}

/// INIT writes the block whole, whatever stood there: what it writes itself, but for a bit.
CONFORMANCE_TEST(Param, InitRepairs, "GFPQ-PARAM-03") {
  need_specified_blocks();
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const std::vector<Float> input = {1, -2, 3};
    const GFPQ_PARAM_ST whole = oracle<Float>(bits).param(GFPQ_MODE_INIT, oracle<Float>(bits).delta(input));
    for (int bit = 0; bit < 8 * GFPQ_PARAM_LEN; ++bit) {
      GFPQ_PARAM_ST param = whole;
      param.buf[bit / 8] = static_cast<unsigned char>(param.buf[bit / 8] ^ 1 << bit % 8);
      const Outcome<Float> outcome = quantize(input, static_cast<unsigned>(bits), &param);
      const Call call{"HI_GFPQ_QuantAndDeQuant",
                      type_name<Float>,
                      static_cast<unsigned>(bits),
                      mode_name(GFPQ_MODE_INIT),
                      {},
                      "bit " + std::to_string(bit % 8) + " of byte " + std::to_string(bit / 8) + " was wrong"};
      requirements["GFPQ-PARAM-03"].status(call, outcome.status, GFPQ_SUCCESS);
      requirements["GFPQ-PARAM-03"].param(call, param, whole);
    }
  });
}

CONFORMANCE_TEST(Param, UnsetBlock, "GFPQ-PARAM-09") {
  CapturedOutput quiet;
  for_each_kind([&](auto kind, int bits) {
    for (const std::size_t count : counts)
      check_block_refused<decltype(kind)>(requirements["GFPQ-PARAM-09"], bits, GFPQ_PARAM_ST{},
                                          "the block was never initialized", count);
  });
}

CONFORMANCE_TEST(Param, DeltaOutOfRange, "GFPQ-PARAM-10") {
  need_specified_blocks();
  CapturedOutput quiet;
  for_each_kind([&](auto kind, int bits) {
    const int limit = oracle<decltype(kind)>(bits).delta_limit();
    const auto check = [&](int delta) {
      check_block_refused<decltype(kind)>(requirements["GFPQ-PARAM-10"], bits, well_formed(0, delta),
                                          "the block's delta is " + std::to_string(delta),
                                          counts[delta % 100 == 0 ? 1 : 0]);
    };
    // All that the other width has, and some more; then larger and larger ones.
    for (int delta = limit + 1; delta <= 4200; ++delta) {
      check(delta);
      check(-delta);
    }
    for (int delta = 4200; delta < std::numeric_limits<int>::max() / 2; delta += delta / 3) {
      check(delta);
      check(-delta);
    }
    for (int bit = 13; bit < 32; ++bit) { // within the range but for one bit
      check(static_cast<int>(static_cast<unsigned>(-77) ^ 1u << bit));
      check(static_cast<int>(77u ^ 1u << bit));
    }
    check(std::numeric_limits<int>::max());
    check(std::numeric_limits<int>::min());
  });
}

CONFORMANCE_TEST(Mode, UnknownMode, "GFPQ-MODE-06") {
  CapturedOutput quiet;
  Checks& checks = requirements["GFPQ-MODE-06"];
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const unsigned mode : bad_modes())
      for (const std::size_t count : counts) {
        const GFPQ_PARAM_ST param = param_of<Float>(bits, mode, -77);
        check_refused<Float>({checks, checks}, static_cast<unsigned>(bits), &param, GFPQ_ERR_BAD_PARAMETERS,
                             "mode " + std::to_string(mode), count);
      }
  });
}

} // namespace
} // namespace conformance
