// Error: what a call with bad arguments returns, and that it does nothing else.
#include "cases/refusals.hpp"

namespace conformance {
namespace {

/// The status of a call without data.
template <class Float>
int call_without_data(unsigned count, unsigned bits, GFPQ_PARAM_ST* param) {
  return test_run().library->quantize(test_run().device, static_cast<Float*>(nullptr), count, bits, param);
}

template <class Float>
Call bare_call(unsigned bits, const std::string& note) {
  return {"HI_GFPQ_QuantAndDeQuant", type_name<Float>, bits, "", {}, note};
}

CONFORMANCE_TEST(Error, BitWidth, "GFPQ-ERROR-01", "GFPQ-ERROR-05") {
  CapturedOutput quiet;
  const RefusalChecks checks{requirements["GFPQ-ERROR-01"], requirements["GFPQ-ERROR-05"]};
  for_each_type([&](auto kind) {
    using Float = decltype(kind);
    const int good_width = offered_widths<Float>().front();
    for (const unsigned bits : bad_widths()) {
      for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
        const GFPQ_PARAM_ST param = param_of<Float>(good_width, mode, -77);
        check_refused<Float>(checks, bits, &param, GFPQ_ERR_BAD_FORMAT, "a bad bit width");
      }
      check_refused<Float>(checks, bits, nullptr, GFPQ_ERR_BAD_FORMAT, "a bad bit width");
    }
  });
}

CONFORMANCE_TEST(Error, NullData, "GFPQ-ERROR-02", "GFPQ-ERROR-05") {
  CapturedOutput quiet;
  for_each_type([&](auto kind) {
    using Float = decltype(kind);
    for (const int bits : offered_widths<Float>())
      for (const unsigned count : {0u, 1u, 1000u, 0xFFFFFFFFu}) {
        const auto width = static_cast<unsigned>(bits);
        const Call call = bare_call<Float>(width, "data is null, count " + std::to_string(count));
        for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
          const GFPQ_PARAM_ST before = param_of<Float>(bits, mode, -77);
          GFPQ_PARAM_ST param = before;
          requirements["GFPQ-ERROR-02"].status(call, call_without_data<Float>(count, width, &param),
                                               GFPQ_ERR_BAD_PARAMETERS);
          requirements["GFPQ-ERROR-05"].param(call, param, before);
        }
        requirements["GFPQ-ERROR-02"].status(call, call_without_data<Float>(count, width, nullptr),
                                             GFPQ_ERR_BAD_PARAMETERS);
      }
  });
}

CONFORMANCE_TEST(Error, NullInfo, "GFPQ-ERROR-03") {
  CapturedOutput quiet;
  requirements["GFPQ-ERROR-03"].status({"HI_GFPQ_GetInfo", "null"}, test_run().library->get_info(nullptr),
                                       GFPQ_ERR_BAD_PARAMETERS);
}

CONFORMANCE_TEST(Error, Order, "GFPQ-ERROR-04") {
  CapturedOutput quiet;
  for_each_type([&](auto kind) {
    using Float = decltype(kind);
    Checks& checks = requirements["GFPQ-ERROR-04"];
    GFPQ_PARAM_ST bad_mode{77, {}}, bad_block{GFPQ_MODE_APPLY_ONLY, {}};
    for (const unsigned bits : bad_widths()) {
      for (const unsigned count : {0u, 3u})
        checks.status(bare_call<Float>(bits, "data is null and the width is bad"),
                      call_without_data<Float>(count, bits, &bad_mode), GFPQ_ERR_BAD_PARAMETERS);
      for (const std::size_t count : {0, 5}) {
        check_refused<Float>({checks, checks}, bits, &bad_mode, GFPQ_ERR_BAD_FORMAT, "width and mode are bad", count);
        check_refused<Float>({checks, checks}, bits, &bad_block, GFPQ_ERR_BAD_FORMAT, "width and block are bad", count);
      }
    }
  });
}

CONFORMANCE_TEST(Error, LongTensors, "GFPQ-ERROR-05") {
  CapturedOutput quiet;
  Checks& checks = requirements["GFPQ-ERROR-05"];
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const std::size_t count : {100, 1000, 5000, 300000}) {
      GFPQ_PARAM_ST param = param_of<Float>(bits, GFPQ_MODE_UPDATE, -77);
      check_refused<Float>({checks, checks}, 9, &param, GFPQ_ERR_BAD_FORMAT, "a bad bit width", count);
      check_refused<Float>({checks, checks}, 9, nullptr, GFPQ_ERR_BAD_FORMAT, "a bad bit width", count);
    }
  });
}

CONFORMANCE_TEST(Error, CountZero, "GFPQ-ERROR-06") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    Checks& checks = requirements["GFPQ-ERROR-06"];
    const std::vector<Float> nothing;
    check_fit<Float>(checks, bits, nullptr, nothing, "count 0");
    for (const int stored : {-500, 0, 500}) {
      GFPQ_PARAM_ST param = param_of<Float>(bits, GFPQ_MODE_INIT, stored);
      check_fit(checks, bits, &param, nothing, "count 0");
      param = param_of<Float>(bits, GFPQ_MODE_UPDATE, stored);
      check_fit(checks, bits, &param, nothing, "count 0");
      check_apply(checks, bits, stored, nothing, "count 0");
    }
  });
}

CONFORMANCE_TEST(Error, CountZeroWithABadWidth, "GFPQ-ERROR-07") {
  CapturedOutput quiet;
  Checks& checks = requirements["GFPQ-ERROR-07"];
  for_each_type([&](auto kind) {
    using Float = decltype(kind);
    const GFPQ_PARAM_ST param = param_of<Float>(offered_widths<Float>().front(), GFPQ_MODE_UPDATE, -77);
    for (const unsigned bits : bad_widths()) {
      check_refused<Float>({checks, checks}, bits, &param, GFPQ_ERR_BAD_FORMAT, "a bad bit width", 0);
      check_refused<Float>({checks, checks}, bits, nullptr, GFPQ_ERR_BAD_FORMAT, "a bad bit width", 0);
    }
  });
}

} // namespace
} // namespace conformance
