// The conformance runner: has every case run on one library, in processes of their own, and tells what holds. It never
// loads the library itself.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

#include "oracle/golden.hpp"
#include "oracle/sha256.hpp"
#include "runner/case.hpp"
#include "runner/environment.hpp"
#include "runner/files.hpp"
#include "runner/npy.hpp"
#include "runner/platform.hpp"
#include "runner/specification.hpp"
#include "runner/summary.hpp"
#include "runner/supervisor.hpp"
#include "runner/worker.hpp"

namespace conformance {
namespace {

constexpr int exit_unexpected = 1, exit_usage = 2, exit_crashed = 3, exit_skipped = 77;

struct Options {
  SupervisorOptions supervisor;
  std::string known, json, details, title;
  std::vector<std::string> profiles, data;
  bool coverage = false;
};

/// Runs one case under GoogleTest, whose filter, XML and lists thus hold for cases.
class CaseRunner : public testing::Test {
public:
  CaseRunner(std::size_t index, Supervisor& supervisor, const Options& options, RunFacts& facts, Results& results)
      : index_(index), supervisor_(supervisor), options_(options), facts_(facts), results_(results) {}

  void TestBody() override {
    const TestCase& test = test_cases()[index_];
    if (is_terminal())
      std::cerr << "\r" << ++facts_.cases_run << " of " << facts_.cases << "  " << test.full_name() << "\033[K"
                << std::flush;
    else
      ++facts_.cases_run;
    if (!facts_.survey.unavailable.empty())
      return skip(facts_.survey.unavailable);
    CaseReport report = supervisor_.run(index_);
    for (Finding& finding : report.findings)
      if (is_asked(finding.requirement))
        conclude(std::move(finding));
    if (!report.left_out.empty())
      facts_.left_out[test.full_name()] = report.left_out;
    if (!report.skipped.empty())
      GTEST_SKIP() << report.skipped;
  }

private:
  bool is_asked(const std::string& id) const {
    return options_.profiles.empty() ||
           std::any_of(options_.profiles.begin(), options_.profiles.end(),
                       [&](const std::string& profile) { return is_in_profile(requirement(id), profile); });
  }

  void skip(const std::string& reason) {
    const TestCase& test = test_cases()[index_];
    for (const std::string& id : test.requirements) {
      Finding finding;
      finding.test = test.full_name();
      finding.requirement = id;
      finding.skipped = reason;
      results_.add(finding);
    }
    GTEST_SKIP() << reason;
  }

  void conclude(Finding finding) {
    std::string why;
    RecordProperty(finding.requirement,
                   std::to_string(finding.checks()) + " checks, " + std::to_string(finding.failed()) + " failed");
    if (results_.is_unexpected(finding, why)) {
      const TestCase& test = test_cases()[index_];
      ADD_FAILURE_AT(test.file, test.line) << finding.describe() << why;
    }
    results_.add(std::move(finding));
  }

  std::size_t index_;
  Supervisor& supervisor_;
  const Options& options_;
  RunFacts& facts_;
  Results& results_;
};

/// Puts cases in the order of dependency, so that a cause is met before what follows from it.
void sort_cases() {
  static const char* const suites[] = {"Interface", "Param",   "Error",  "Delta",  "Mode",   "Ladder", "Round", "Clamp",
                                       "Zero",      "Special", "Memory", "Thread", "Record", "Sample", "Digest"};
  const auto place = [&](const TestCase& test) {
    const auto found = std::find(std::begin(suites), std::end(suites), std::string(test.suite));
    const auto memory = std::find(std::begin(suites), std::end(suites), std::string("Memory"));
    return found != std::end(suites) ? found : memory;
  };
  std::stable_sort(test_cases().begin(), test_cases().end(),
                   [&](const TestCase& a, const TestCase& b) { return place(a) < place(b); });
}

/// Says which requirements no case names. Throws where a case names one that does not exist.
int check_coverage() {
  std::vector<std::string> named = requirements_of_every_case();
  for (const TestCase& test : test_cases())
    for (const std::string& id : test.requirements)
      named.push_back(requirement(id).id);
  int missing = 0;
  for (const Requirement& requirement : specification())
    if (std::find(named.begin(), named.end(), requirement.id) == named.end()) {
      std::cout << requirement.id << " has no case: " << requirement.title << "\n";
      ++missing;
    }
  std::cout << specification().size() << " requirements, " << test_cases().size() << " cases, " << missing
            << " requirements without a case\n";
  return missing == 0 ? 0 : exit_unexpected;
}

/// GoogleTest's XML or JSON goes to another name first, and is whole when it gets its own.
class WholeGoogleTestOutput {
public:
  WholeGoogleTestOutput(int argc, char** argv) {
    const std::string flag = "--gtest_output=";
    for (int i = 1; i < argc; ++i) {
      std::string value = argv[i];
      const std::size_t colon = value.find(':');
      if (value.rfind(flag, 0) != 0 || colon == std::string::npos || colon + 1 == value.size() || value.back() == '/')
        continue;
      path_ = value.substr(colon + 1);
      require_writable(path_);
      argument_ = value + suffix;
      argv[i] = argument_.data();
    }
  }

  /// Throws where what GoogleTest wrote is not whole.
  void conclude() const {
    if (path_.empty())
      return;
    std::ifstream stream(path_ + suffix, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    stream.close();
    std::remove((path_ + suffix).c_str());
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
      text.pop_back();
    if (text.empty() || (text.back() != '>' && text.back() != '}'))
      throw std::runtime_error("cannot write " + path_ + ": GoogleTest's output is not whole");
    write_whole(path_, text + "\n");
  }

private:
  static constexpr const char* suffix = ".partial";
  std::string path_, argument_;
};

/// The options; ends the program where there is nothing more to do.
Options parse_options(int argc, char** argv) {
  CLI::App app{"Tells whether a library computes GFPQ. Exit status: 0 no unexpected result, 1 some, 2 bad arguments "
               "or a file that cannot be written, 3 the library crashed, hung or ended its process, 77 nothing could "
               "be run. GoogleTest's own flags: --help-gtest\n"};
  Options options;
  SupervisorOptions& supervisor = options.supervisor;
  supervisor.library = GFPQ_DEFAULT_LIBRARY;
  app.add_option("--library", supervisor.library, "the library to test (a file)")->capture_default_str();
  app.add_option("--known", options.known,
                 "a list of known deviations, such as conformance/known/hisilicon-1.1.5.json");
  app.add_option("--device", supervisor.device, "cpu: host memory; gpu: device memory, by the _GPU functions")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Device>{{"cpu", Device::cpu}, {"gpu", Device::gpu}}));
  app.add_option("--profile", options.profiles, "judge only these parts")
      ->delimiter(',')
      ->check(CLI::IsMember(profile_names()));
  app.add_option("--timeout", supervisor.timeout,
                 "seconds that a call may take, and one more for each 50 MB; a case may take 30 times as long. After "
                 "three cases beyond it, 2 seconds")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--thorough", supervisor.thorough, "more of everything; takes minutes");
  app.add_option("--data", options.data,
                 "tell also which share of these numbers gets another code: .npy files of float32 or float64");
  app.add_option("--golden", supervisor.golden, "a folder of golden data, instead of those in this program");
  app.add_option("--json", options.json, "write the results to this file, for scripts/conformance_report.py");
  app.add_option("--title", options.title, "what the library is called in results that are published");
  app.add_option("--details", options.details, "write every requirement and every failure to this file; - is here");
  app.add_flag("--check-coverage", options.coverage, "only check that every requirement has a case");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : exit_usage);
  }
  return options;
}

/// Leaves of what the library offers what was asked for.
void keep_asked_kinds(Survey& survey, const std::vector<std::string>& profiles) {
  std::vector<std::string> kinds;
  for (const std::string& profile : profiles)
    kinds.push_back(kind_of_profile(profile));
  if (profiles.empty() || std::find(kinds.begin(), kinds.end(), "") != kinds.end())
    return;
  const auto is_other = [&](const Kind& kind) {
    const std::string name = kind_name(static_cast<unsigned>(kind.bits), kind.is_double);
    return std::find(kinds.begin(), kinds.end(), name) == kinds.end();
  };
  survey.offered.erase(std::remove_if(survey.offered.begin(), survey.offered.end(), is_other), survey.offered.end());
}

bool has_asked_requirement(const TestCase& test, const std::vector<std::string>& profiles) {
  return profiles.empty() || std::any_of(profiles.begin(), profiles.end(), [&](const std::string& profile) {
           return std::any_of(test.requirements.begin(), test.requirements.end(),
                              [&](const std::string& id) { return is_in_profile(requirement(id), profile); });
         });
}

/// On the standard data, unless cases were left out, and on those that were named.
std::vector<Share> measure_shares(Supervisor& supervisor, const RunFacts& facts, const Options& options) {
  std::vector<std::string> data;
  const auto is_arithmetic = [](const std::string& profile) { return profile.rfind("arithmetic", 0) == 0; };
  if (facts.filter.empty() &&
      (facts.profiles.empty() || std::any_of(facts.profiles.begin(), facts.profiles.end(), is_arithmetic)))
    data = standard_data();
  data.insert(data.end(), options.data.begin(), options.data.end());
  std::vector<Share> shares;
  for (const std::string& name : data)
    for (const Kind& kind : facts.survey.offered)
      shares.push_back(supervisor.measure(name, kind));
  return shares;
}

int run(int argc, char** argv) {
  const WholeGoogleTestOutput google_output(argc, argv);
  testing::InitGoogleTest(&argc, argv); // takes its own flags away
  const Options options = parse_options(argc, argv);
  sort_cases();
  if (options.coverage)
    return check_coverage();
  if (!options.supervisor.golden.empty())
    set_golden_folder(options.supervisor.golden);
  verify_golden();
  const KnownDeviations known = options.known.empty() ? KnownDeviations() : KnownDeviations(options.known);
  for (const std::string& file : {options.json, options.details == "-" ? "" : options.details})
    if (!file.empty())
      require_writable(file);
  for (const std::string& file : options.data)
    read_npy<float>(file); // so that a bad file is told now
  if (workers_inherit_memory)
    for (const Width& width : widths)
      oracle<float>(width.bits), oracle<double>(width.bits);

  Supervisor supervisor(options.supervisor);
  RunFacts facts;
  facts.library = options.supervisor.library;
  facts.title = options.title;
  facts.library_sha256 = sha256_of_file(facts.library);
  facts.survey = supervisor.survey(options.profiles.empty() ? std::function<void(Survey&)>() : [&](Survey& survey) {
    keep_asked_kinds(survey, options.profiles);
  });
  facts.fatal = supervisor.fatal();
  facts.device = options.supervisor.device;
  facts.known = known.file();
  facts.profiles = options.profiles;
  facts.thorough = options.supervisor.thorough;
  facts.timeout = options.supervisor.timeout;
  facts.cases = test_cases().size();
  const std::string filter = testing::GTEST_FLAG(filter);
  facts.filter = filter == "*" ? "" : "--gtest_filter=" + filter;
  known.require_library(version_of(facts.survey.info), platform_name(), facts.library_sha256);

  Results results(known, facts.thorough);
  for (std::size_t i = 0; i < test_cases().size(); ++i) {
    const TestCase& test = test_cases()[i];
    if (has_asked_requirement(test, options.profiles))
      testing::RegisterTest(test.suite, test.name, nullptr, nullptr, test.file, test.line, [&, i]() -> testing::Test* {
        return new CaseRunner(i, supervisor, options, facts, results);
      });
  }
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer()); // the summary says it in less

  if (!testing::GTEST_FLAG(list_tests))
    std::cout << "Testing " << facts.library << ", version " << version_of(facts.survey.info) << "\n" << std::flush;
  const auto start = std::chrono::steady_clock::now();
  const int status = RUN_ALL_TESTS();
  if (testing::GTEST_FLAG(list_tests))
    return status;
  if (is_terminal())
    std::cerr << "\r\033[K" << std::flush;
  facts.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  facts.shares = measure_shares(supervisor, facts, options);
  facts.casualties = supervisor.casualties();
  google_output.conclude();

  const std::vector<RequirementResult> judged = results.requirements(facts.is_complete());
  std::ostringstream details;
  if (!options.details.empty())
    print_details(details, facts, judged, results.findings());
  if (options.details == "-")
    std::cout << details.str();
  else
    print_summary(std::cout, facts, judged);
  if (!options.details.empty() && options.details != "-")
    write_whole(options.details, details.str());
  if (!options.json.empty())
    write_whole(options.json, to_json(facts, judged, results.findings()).dump(1) + "\n");
  if (!std::cout.flush() || std::fflush(stdout) != 0)
    throw std::runtime_error("standard output cannot be written");

  const bool is_measured =
      std::all_of(facts.shares.begin(), facts.shares.end(), [](const Share& share) { return share.problem.empty(); });
  if (count(judged, Verdict::unexpected_failure) + count(judged, Verdict::unexpected_pass) > 0 || !is_measured)
    return facts.casualties > 0 ? exit_crashed : exit_unexpected;
  return count(judged, Verdict::not_run) == judged.size() ? exit_skipped : 0;
}

} // namespace
} // namespace conformance

int main(int argc, char** argv) {
  try {
    conformance::set_golden_pack(conformance::golden_pack());
    conformance::become_worker_if_asked(argc, argv, conformance::worker_main);
    return conformance::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "gfpq_conformance: " << error.what() << "\n";
    return conformance::exit_usage;
  }
}
