// The conformance runner: runs every test on one library, and tells what holds.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "oracle/golden.hpp"
#include "runner/case.hpp"
#include "runner/gpu_memory.hpp"
#include "runner/specification.hpp"

namespace conformance {
namespace {

constexpr int exit_unexpected = 1, exit_usage = 2, exit_crashed = 3, exit_skipped = 77;

/// Runs one case under GoogleTest and turns its findings into verdicts.
class CaseRunner : public testing::Test {
public:
  explicit CaseRunner(const TestCase& test) : test_(test) {}

  void TestBody() override {
    const std::string name = std::string(test_.suite) + "." + test_.name;
    if (test_run().device == Device::gpu && !gpu_problem().empty())
      return skip(name, gpu_problem());
    Requirements requirements(test_.requirements);
    std::string interrupted;
    CapturedOutput printed; // a library that fails may print a line for each of a million calls
    try {
      test_.body(requirements);
    } catch (const Skip& reason) {
      return skip(name, reason.what());
    } catch (const std::exception& error) {
      interrupted = error.what();
    }
    const std::string output = shorten(printed.take());
    for (const Checks& checks : requirements.all()) {
      Finding finding = checks.finding(name);
      if (interrupted.empty() && finding.checks == 0)
        interrupted = "the test made no check of " + checks.requirement();
      if (!interrupted.empty()) {
        ++finding.checks;
        ++finding.failed;
        finding.failure += checks.requirement() + ": the test could not go on: " + interrupted + "\n";
      }
      if (finding.failed > 0)
        finding.failure += output;
      conclude(finding);
    }
  }

private:
  /// The first lines of what the library printed.
  static std::string shorten(const std::string& output) {
    constexpr int max_lines = 3;
    std::istringstream stream(output);
    std::string text;
    int lines = 0;
    for (std::string line; std::getline(stream, line); ++lines)
      if (lines < max_lines)
        text += "      " + line + "\n";
    return lines == 0 ? "" : "    The library printed " + std::to_string(lines) + " line(s):\n" + text;
  }

  void skip(const std::string& name, const std::string& reason) {
    for (const std::string& id : test_.requirements) {
      Finding finding{name, id};
      finding.skipped = reason;
      test_run().results.add(finding, test_run().known);
    }
    GTEST_SKIP() << reason;
  }

  void conclude(const Finding& finding) {
    const Verdict verdict = test_run().results.add(finding, test_run().known);
    RecordProperty(finding.requirement, std::to_string(finding.checks) + " checks, " + std::to_string(finding.failed) +
                                            " failed: " + conformance::name(verdict));
    if (verdict == Verdict::unexpected_failure)
      ADD_FAILURE_AT(test_.file, test_.line) << finding.failure;
    if (verdict == Verdict::unexpected_pass)
      ADD_FAILURE_AT(test_.file, test_.line)
          << finding.requirement
          << " holds, although it is listed as a known deviation: " << *test_run().known.reason(finding.requirement)
          << "\n";
  }

  const TestCase& test_;
};

// A crash of the library ends the run; what was being checked is told first.
char crash_text[512];

void tell_crash(const char* what) {
  for (const char* part : {"\nThe library crashed (", what, ") in ", static_cast<const char*>(crash_text), "\n"})
    write_to_standard_error(part);
  std::_Exit(exit_crashed);
}

class CrashReporter : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& info) override {
    std::string ids;
    for (const TestCase& test : test_cases())
      if (info.test_suite_name() == std::string(test.suite) && info.name() == std::string(test.name))
        for (const std::string& id : test.requirements)
          ids += " " + id;
    std::snprintf(crash_text, sizeof crash_text, "%s.%s, which checks%s", info.test_suite_name(), info.name(),
                  ids.c_str());
  }
};

/// Says which requirements no test names. Throws where a test names one that does not exist.
int check_coverage() {
  for (const TestCase& test : test_cases())
    for (const std::string& id : test.requirements)
      requirement(id);
  int missing = 0;
  for (const Requirement& requirement : specification()) {
    bool named = false;
    for (const TestCase& test : test_cases())
      named = named || std::count(test.requirements.begin(), test.requirements.end(), requirement.id) > 0;
    if (!named) {
      std::cout << requirement.id << " has no test: " << requirement.title << "\n";
      ++missing;
    }
  }
  std::cout << specification().size() << " requirements, " << test_cases().size() << " tests, " << missing
            << " requirements without a test\n";
  return missing == 0 ? 0 : exit_unexpected;
}

int run(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv); // takes its own flags away

  CLI::App app{"Tells whether a library computes GFPQ. Exit status: 0 no unexpected result, 1 some, 2 bad arguments, "
               "3 the library crashed, 77 nothing could be run. GoogleTest's own flags: --help-gtest\n"};
  std::string library = GFPQ_DEFAULT_LIBRARY, known, golden, json;
  Device device = Device::cpu;
  bool coverage = false;
  app.add_option("--library", library, "the library to test (a file)")->capture_default_str();
  app.add_option("--known", known, "a list of known deviations, such as conformance/known/hisilicon-1.1.5.json");
  app.add_option("--device", device, "cpu: host memory; gpu: device memory, by the _GPU functions")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Device>{{"cpu", Device::cpu}, {"gpu", Device::gpu}}));
  app.add_option("--golden", golden, "the folder of the golden data");
  app.add_option("--json", json, "write the results to this file, for scripts/conformance_report.py");
  app.add_flag("--check-coverage", coverage, "only check that every requirement has a test");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? 0 : exit_usage;
  }
  if (coverage)
    return check_coverage();
  if (!golden.empty())
    set_golden_folder(golden);
  verify_golden();
  if (!known.empty())
    test_run().known = KnownDeviations(known);
  std::ofstream json_file;
  if (!json.empty()) {
    json_file.open(json);
    if (!json_file)
      throw std::runtime_error("cannot write " + json);
  }
  const Library under_test(library);
  test_run().library = &under_test;
  test_run().device = device;
  for (const Width& width : widths)
    for (const bool is_double : {false, true})
      test_run().offered.push_back({width.bits, is_double});

  for (const TestCase& test : test_cases())
    testing::RegisterTest(test.suite, test.name, nullptr, nullptr, test.file, test.line,
                          [&test]() -> testing::Test* { return new CaseRunner(test); });
  testing::UnitTest::GetInstance()->listeners().Append(new CrashReporter);
  on_crash(tell_crash);

  std::cout << "Testing " << library << ", version " << version_of(under_test.info()) << "\n";
  const auto start = std::chrono::steady_clock::now();
  const int status = RUN_ALL_TESTS();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  const Results& results = test_run().results;
  results.print(std::cout, under_test);
  if (!json.empty())
    json_file << results.to_json(under_test, device, test_run().known, seconds).dump(1) << "\n";
  if (status != 0 || results.has_unexpected())
    return exit_unexpected;
  return results.count(Verdict::not_run) == specification().size() ? exit_skipped : 0;
}

} // namespace
} // namespace conformance

int main(int argc, char** argv) {
  try {
    return conformance::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "gfpq_conformance: " << error.what() << "\n";
    return conformance::exit_usage;
  }
}
