// Error, Interface: what a call answers, and what the library exports and prints.
#include <cstring>
#include <regex>

#include "runner/case.hpp"

namespace conformance {
namespace {

constexpr unsigned bad_widths[] = {0, 1, 2, 4, 7, 9, 12, 15, 17, 24, 32, 64, 264, 0x80000008u, 0xFFFFFFFFu};

/// The status of a call without data.
template <class Float>
int call_without_data(unsigned count, unsigned bits, GFPQ_PARAM_ST* param) {
  CapturedOutput quiet;
  return test_run().library->quantize(test_run().device, static_cast<Float*>(nullptr), count, bits, param);
}

template <class Float>
Call bare_call(unsigned bits, const std::string& note) {
  return {"HI_GFPQ_QuantAndDeQuant", type_name<Float>, bits, "", {}, note};
}

CONFORMANCE_TEST(Error, BitWidth, "GFPQ-ERROR-01", "GFPQ-ERROR-05") {
  for_each_type([&](auto kind) {
    using Float = decltype(kind);
    const int good_width = offered_widths<Float>().front();
    for (const unsigned bits : bad_widths) {
      for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY})
        check_refused<Float>(requirements["GFPQ-ERROR-05"], bits, param_of<Float>(good_width, mode, -77),
                             GFPQ_ERR_BAD_FORMAT, "a bad bit width");
      CapturedOutput quiet;
      const int status = quantize(std::vector<Float>{1, 2, 3}, bits, nullptr).status;
      quiet.take();
      requirements["GFPQ-ERROR-01"].status(bare_call<Float>(bits, "a bad bit width"), status, GFPQ_ERR_BAD_FORMAT);
    }
  });
}

CONFORMANCE_TEST(Error, NullData, "GFPQ-ERROR-02", "GFPQ-ERROR-05") {
  for_each_type([&](auto kind) {
    using Float = decltype(kind);
    for (const int bits : offered_widths<Float>())
      for (const unsigned count : {0u, 1u, 1000u, 0xFFFFFFFFu})
        for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
          const GFPQ_PARAM_ST before = param_of<Float>(bits, mode, -77);
          GFPQ_PARAM_ST param = before;
          const Call call =
              bare_call<Float>(static_cast<unsigned>(bits), "data is null, count " + std::to_string(count));
          requirements["GFPQ-ERROR-02"].status(
              call, call_without_data<Float>(count, static_cast<unsigned>(bits), &param), GFPQ_ERR_BAD_PARAMETERS);
          requirements["GFPQ-ERROR-05"].param(call, param, before);
        }
  });
}

CONFORMANCE_TEST(Error, NullInfo, "GFPQ-ERROR-03") {
  CapturedOutput quiet;
  const int status = test_run().library->get_info(nullptr);
  quiet.take();
  requirements["GFPQ-ERROR-03"].status({"HI_GFPQ_GetInfo", "null"}, status, GFPQ_ERR_BAD_PARAMETERS);
}

CONFORMANCE_TEST(Error, Order, "GFPQ-ERROR-04") {
  for_each_type([&](auto kind) {
    using Float = decltype(kind);
    Checks& checks = requirements["GFPQ-ERROR-04"];
    GFPQ_PARAM_ST bad_mode{77, {}}, bad_block{GFPQ_MODE_APPLY_ONLY, {}};
    for (const unsigned bits : bad_widths)
      checks.status(bare_call<Float>(bits, "data is null and the width is bad"),
                    call_without_data<Float>(3, bits, &bad_mode), GFPQ_ERR_BAD_PARAMETERS);
    for (const unsigned bits : bad_widths) {
      check_refused<Float>(checks, bits, bad_mode, GFPQ_ERR_BAD_FORMAT, "width and mode are bad");
      check_refused<Float>(checks, bits, bad_block, GFPQ_ERR_BAD_FORMAT, "width and block are bad");
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

CONFORMANCE_TEST(Interface, Exports, "GFPQ-INTERFACE-01") {
  const std::vector<std::string>& missing = test_run().library->missing();
  std::string names;
  for (const std::string& name : missing)
    names += "\n  " + name;
  requirements["GFPQ-INTERFACE-01"].that(missing.empty(), [&] { return "the library does not export" + names; });
}

CONFORMANCE_TEST(Interface, PythonFunction, "GFPQ-INTERFACE-02") {
  Checks& checks = requirements["GFPQ-INTERFACE-02"];
  if (test_run().device == Device::gpu)
    throw Skip("host memory is meant, and the device is a GPU");
  for (const int bits : offered_widths<float>())
    for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
      const auto input = mixed_numbers<float>(bits, -77, 333);
      GFPQ_PARAM_ST param = param_of<float>(bits, mode, -77), want_param = param;
      const Outcome<float> want = quantize(input, static_cast<unsigned>(bits), &want_param);
      std::vector<float> got = input;
      got.reserve(input.size() + 64); // a library that writes behind the end is found out elsewhere
      const int status = test_run().library->quantize_py(Device::cpu, got.data(), static_cast<unsigned>(got.size()),
                                                         static_cast<unsigned>(bits), &param);
      const Call call{"HI_GFPQ_QuantAndDeQuant_PY", "float", static_cast<unsigned>(bits), mode_name(mode)};
      checks.status(call, status, want.status);
      checks.param(call, param, want_param);
      checks.tensor(call, input, got, want.data);
    }
  CapturedOutput quiet;
  GFPQ_PARAM_ST param{};
  float number = 1;
  const int null_status = test_run().library->quantize_py(Device::cpu, nullptr, 1, 8, &param);
  const int width_status = test_run().library->quantize_py(Device::cpu, &number, 1, 9, &param);
  quiet.take();
  checks.status({"HI_GFPQ_QuantAndDeQuant_PY", "float", 8, "", {}, "data is null"}, null_status,
                GFPQ_ERR_BAD_PARAMETERS);
  checks.status({"HI_GFPQ_QuantAndDeQuant_PY", "float", 9}, width_status, GFPQ_ERR_BAD_FORMAT);
}

CONFORMANCE_TEST(Interface, Information, "GFPQ-INTERFACE-03", "GFPQ-INTERFACE-04") {
  struct {
    GFPQ_INFO_ST info;
    unsigned char behind[256];
  } room;
  std::memset(&room, 0xC3, sizeof room);
  const int status = test_run().library->get_info(&room.info);
  Checks& checks = requirements["GFPQ-INTERFACE-03"];
  checks.status({"HI_GFPQ_GetInfo"}, status, GFPQ_SUCCESS);
  checks.that(room.info.u32LibVerMajor < 1000 && room.info.u32LibVerMinor < 1000 && room.info.u32LibVerPatch < 1000,
              [] { return std::string("HI_GFPQ_GetInfo left the version unset"); });
  const auto* end = static_cast<const char*>(std::memchr(room.info.u8BuildTime, '\0', sizeof room.info.u8BuildTime));
  checks.that(end != nullptr, [] { return std::string("u8BuildTime does not end within its 64 characters"); });
  checks.that(end != nullptr && end != room.info.u8BuildTime, [] { return std::string("u8BuildTime is empty"); });
  requirements["GFPQ-INTERFACE-04"].that(
      std::all_of(std::begin(room.behind), std::end(room.behind), [](unsigned char byte) { return byte == 0xC3; }),
      [] { return std::string("HI_GFPQ_GetInfo wrote behind the structure's 84 bytes"); });
}

CONFORMANCE_TEST(Interface, GpuFunctionsWithoutGpu, "GFPQ-INTERFACE-05") {
  if (test_run().device == Device::gpu)
    throw Skip("the GPU functions are under test themselves");
  Checks& checks = requirements["GFPQ-INTERFACE-05"];
  // A GPU library is told by its name; with host memory, its answer is one of the errors.
  const bool cpu_library = test_run().library->file_name().find("gpu") == std::string::npos;
  const auto check = [&](const char* function, auto call) {
    const GFPQ_PARAM_ST before = oracle<float>(8).param(GFPQ_MODE_INIT, -77);
    GFPQ_PARAM_ST param = before;
    CapturedOutput quiet;
    const int status = call(&param);
    quiet.take();
    checks.that(cpu_library ? status == GFPQ_ERR_NOT_SUPPORT : status != GFPQ_SUCCESS, [&] {
      return std::string(function) + " returned " + show_status(status) + ", want " +
             (cpu_library ? show_status(GFPQ_ERR_NOT_SUPPORT) : "an error");
    });
    checks.param({function, "float", 8, "INIT"}, param, before);
  };
  std::vector<float> floats = {1, 2, 3};
  std::vector<double> doubles = {1, 2, 3};
  const Library& library = *test_run().library;
  check("HI_GFPQ_QuantAndDeQuant_GPU",
        [&](GFPQ_PARAM_ST* param) { return library.quantize(Device::gpu, floats.data(), 3, 8, param); });
  check("HI_GFPQ_QuantAndDeQuant_GPU",
        [&](GFPQ_PARAM_ST* param) { return library.quantize(Device::gpu, doubles.data(), 3, 8, param); });
  check("HI_GFPQ_QuantAndDeQuant_GPU_PY",
        [&](GFPQ_PARAM_ST* param) { return library.quantize_py(Device::gpu, floats.data(), 3, 8, param); });
  checks.that(floats == std::vector<float>{1, 2, 3} && doubles == std::vector<double>{1, 2, 3},
              [] { return std::string("a GPU function that answered an error changed the data"); });
}

CONFORMANCE_TEST(Interface, Messages, "GFPQ-INTERFACE-06", "GFPQ-INTERFACE-07") {
  const auto check = [&](const std::string& what, const std::string& text, auto call) {
    CapturedOutput output;
    call();
    const std::string printed = output.take();
    const std::regex line("\\[ERR\\]\\[\\w+\\]\\[\\d+\\] " + text);
    requirements["GFPQ-INTERFACE-06"].that(std::regex_search(printed, line), [&] {
      return what + " printed \"" + printed + "\", want a line like: [ERR][function][line] " + text;
    });
  };
  const Library& library = *test_run().library;
  const Device device = test_run().device;
  check("null data", "Empty pointer", [&] { library.quantize(device, static_cast<float*>(nullptr), 3, 8, nullptr); });
  check("GetInfo with null", "Empty pointer", [&] { library.get_info(nullptr); });
  check("bit width 9", "Invalid bit width\\[9\\]", [&] { quantize(std::vector<float>{1}, 9, nullptr); });
  if (device == Device::cpu && library.file_name().find("gpu") == std::string::npos) {
    float number = 1;
    check("a GPU function", "Not Support GPU mode", [&] { library.quantize(Device::gpu, &number, 1, 8, nullptr); });
  }
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    for (const unsigned mode : {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
      GFPQ_PARAM_ST param = param_of<Float>(bits, mode, -77);
      CapturedOutput output;
      const int status = quantize(mixed_numbers<Float>(bits, -77, 500), static_cast<unsigned>(bits), &param).status;
      const std::string printed = output.take();
      requirements["GFPQ-INTERFACE-07"].that(status != GFPQ_SUCCESS || printed.empty(),
                                             [&] { return "a call that succeeded printed \"" + printed + "\""; });
    }
  });
}

} // namespace
} // namespace conformance
