// Interface: what the library exports and prints.
#include <cstddef>
#include <cstring>
#include <regex>

#include "cases/refusals.hpp"

namespace conformance {
namespace {

// The structures as SPECIFICATION.md gives them.
static_assert(sizeof(GFPQ_PARAM_ST) == 20 && offsetof(GFPQ_PARAM_ST, mode) == 0 && offsetof(GFPQ_PARAM_ST, buf) == 4);
static_assert(sizeof(GFPQ_INFO_ST) == 84 && offsetof(GFPQ_INFO_ST, u32ComRevision) == 16 &&
              offsetof(GFPQ_INFO_ST, u8BuildTime) == 20);

CONFORMANCE_TEST(Interface, Exports, "GFPQ-INTERFACE-01") {
  const std::vector<std::string>& missing = test_run().library->missing();
  std::string names;
  for (const std::string& name : missing)
    names += "\n  " + name;
  requirements["GFPQ-INTERFACE-01"].that(missing.empty(), [&] { return "the library does not export" + names; });
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
  // A GPU library is told by its name; with host memory, it returns one of the errors.
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
              [] { return std::string("a GPU function that returned an error changed the data"); });
}

/// Runs `call` twice, and checks that it prints one line each time: `[ERR][function][line] ` and then `text`, perhaps
/// with more behind it. `has_end`: with its line end, but for the last.
template <class Run>
void check_message(Checks& checks, const std::string& what, const std::string& text, Run call, bool has_end = true) {
  CapturedOutput output;
  call();
  call();
  const std::string printed = output.take();
  static const std::string form = "(\\[ERR\\]\\[\\w+\\]\\[\\d+\\] )(.*)";
  static const std::regex whole_lines(form + "\n\\1\\2\n?"), lines(form + "\n?\\1\\2\n?");
  std::smatch parts;
  const bool are_two = std::regex_match(printed, parts, has_end ? whole_lines : lines);
  const bool holds = are_two && parts[2].str().rfind(text, 0) == 0;
  if (!holds)
    checks.hint({printed.empty() ? "nothing is printed where a call fails"
                 : are_two       ? "the line begins as it should, and has other words"
                                 : "what is printed is another line, or more than one, or no whole one"});
  checks.that(holds, [&] {
    return what + ", twice, printed \"" + printed + "\", want this line each time: [ERR][function][line] " + text +
           " ...";
  });
}

CONFORMANCE_TEST(Interface, Messages, "GFPQ-INTERFACE-06") {
  Checks& checks = requirements["GFPQ-INTERFACE-06"];
  const Library& library = *test_run().library;
  const Device device = test_run().device;
  for_each_entry([&](auto kind, int width, Entry entry) {
    using Float = decltype(kind);
    const CallsThrough through(entry);
    check_message(checks, "null data", "Empty pointer", [&] {
      library.quantize(device, static_cast<Float*>(nullptr), 3, static_cast<unsigned>(width), nullptr, entry);
    });
    for (const unsigned bits : {0u, 9u, 1234567u})
      check_message(checks, "bit width " + std::to_string(bits), "Invalid bit width[" + std::to_string(bits) + "]",
                    [&] { quantize(std::vector<Float>{1}, bits, nullptr); });
  });
  if (library.has_info())
    check_message(checks, "GetInfo with null", "Empty pointer", [&] { library.get_info(nullptr); });
  if (device == Device::cpu && library.file_name().find("gpu") == std::string::npos &&
      library.has<float>(Device::gpu, Entry::cpp)) {
    float number = 1;
    check_message(
        checks, "a GPU function", "Not Support GPU mode",
        [&] { library.quantize(Device::gpu, &number, 1, 8, nullptr); }, false); // the vendor's library leaves it out
  }
}

CONFORMANCE_TEST(Interface, MessagesOnParameters, "GFPQ-INTERFACE-09") {
  Checks& checks = requirements["GFPQ-INTERFACE-09"];
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    const CallsThrough through(entry);
    const std::vector<Float> input = {1, 2, 3};
    const auto check = [&](const std::string& what, const std::string& text, GFPQ_PARAM_ST param) {
      check_message(checks, what, text, [&] { quantize(input, static_cast<unsigned>(bits), &param); });
    };
    for (const unsigned mode : {3u, 77u, 4000000000u})
      check("mode " + std::to_string(mode), "Invalid mode[" + std::to_string(mode) + "]",
            param_of<Float>(bits, mode, -77));
    const std::string block_text = "Get quantization param failed(0xffff0006)";
    for (const unsigned mode : {GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}) {
      check("an unset block", block_text, GFPQ_PARAM_ST{mode, {}});
      check("a delta out of range", block_text, well_formed(mode, 5000));
      GFPQ_PARAM_ST damaged = oracle<Float>(bits).param(mode, -77);
      damaged.buf[9] ^= 4;
      check("a damaged block", block_text, damaged);
    }
  });
}

/// Of several bad arguments the first to be checked decides: pointer, width, mode, block.
CONFORMANCE_TEST(Interface, MessageOfTheFirstBadArgument, "GFPQ-INTERFACE-06", "GFPQ-INTERFACE-09") {
  constexpr unsigned bad_width = 9, bad_mode = 77;
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    const auto check = [&](const char* requirement, const char* what, const char* text, bool is_null, unsigned width,
                           unsigned mode) {
      check_message(requirements[requirement], what, text, [&] {
        Float data[] = {1, 2, 3};
        GFPQ_PARAM_ST unset{mode, {}};
        test_run().library->quantize(test_run().device, is_null ? nullptr : data, 3, width, &unset, entry);
      });
    };
    const auto width = static_cast<unsigned>(bits);
    check("GFPQ-INTERFACE-06", "null data and all else bad", "Empty pointer", true, bad_width, bad_mode);
    check("GFPQ-INTERFACE-06", "null data and an unset block", "Empty pointer", true, width, GFPQ_MODE_UPDATE);
    check("GFPQ-INTERFACE-06", "a bad width, mode and block", "Invalid bit width[9]", false, bad_width, bad_mode);
    check("GFPQ-INTERFACE-06", "a bad width and block", "Invalid bit width[9]", false, bad_width, GFPQ_MODE_APPLY_ONLY);
    check("GFPQ-INTERFACE-09", "a bad mode and block", "Invalid mode[77]", false, width, bad_mode);
  });
}

CONFORMANCE_TEST(Interface, SilentWhereAllIsRight, "GFPQ-INTERFACE-07") {
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    const CallsThrough through(entry);
    for (const unsigned mode : all_modes)
      for (const std::size_t count : {0, 1, 500, 70000}) {
        GFPQ_PARAM_ST param = param_of<Float>(bits, mode == without_parameter ? 0u : mode, -77);
        CapturedOutput output;
        const int status = quantize(mixed_numbers<Float>(bits, -77, count), static_cast<unsigned>(bits),
                                    mode == without_parameter ? nullptr : &param)
                               .status;
        const std::string printed = output.take();
        requirements["GFPQ-INTERFACE-07"].that(status != GFPQ_SUCCESS || printed.empty(),
                                               [&] { return "a call that succeeded printed \"" + printed + "\""; });
      }
  });
}

} // namespace
} // namespace conformance
