#include "runner/worker.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "oracle/golden.hpp"
#include "oracle/sha256.hpp"
#include "runner/case.hpp"
#include "runner/environment.hpp"
#include "runner/gpu_memory.hpp"
#include "runner/own_block.hpp"
#include "runner/platform.hpp"

namespace conformance {
namespace {

/// The first lines of what the library printed.
std::string shorten(const std::string& output) {
  constexpr int max_lines = 3;
  std::istringstream stream(output);
  std::string text;
  int lines = 0;
  for (std::string line; std::getline(stream, line); ++lines)
    if (lines < max_lines)
      text += "      " + line.substr(0, 200) + "\n";
  return lines == 0 ? "" : "    The library printed " + std::to_string(lines) + " line(s):\n" + text;
}

class Worker {
public:
  explicit Worker(Channel& channel) : activity_(channel.activity()), guard_(channel) {}

  nlohmann::json serve(const nlohmann::json& request) {
    if (!library_)
      return survey(request.get<SurveyRequest>());
    if (request.contains("data"))
      return measure(request.get<MeasureRequest>());
    return run_case(request.get<CaseRequest>());
  }

private:
  Survey survey(const SurveyRequest& request) {
    for (const char* variable : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS",
                                 "GOMAXPROCS", "NUMEXPR_NUM_THREADS"})
      set_environment(variable, std::to_string(request.threads));
    if (!request.golden.empty())
      set_golden_folder(request.golden);
    Survey found;
    TestRun& run = test_run();
    run.device = request.gpu ? Device::gpu : Device::cpu;
    run.thorough = request.thorough;
    if (request.gpu)
      found.unavailable = gpu_problem();
    activity_.stage = Activity::loading;
    try {
      library_.emplace(request.library);
    } catch (const std::runtime_error& error) {
      found.error = error.what();
      return found;
    }
    library_->set_observer(&guard_);
    run.library = &*library_;
    found.missing = library_->missing();
    const auto skips = [&](const std::string& step) {
      return std::find(request.skip.begin(), request.skip.end(), step) != request.skip.end();
    };
    CapturedOutput quiet;
    activity_.stage = Activity::asking_info;
    try {
      if (!skips("info"))
        found.info = library_->info();
    } catch (const LibraryThrew&) { // its own case tells
    }
    activity_.stage = Activity::probing;
    std::size_t own_blocks = 0;
    const auto probe = [&](auto kind, const Width& width) {
      using Float = decltype(kind);
      constexpr bool is_double = sizeof(Float) == sizeof(double);
      const bool is_known = skips(kind_name(width, is_double));
      if (!library_->has<Float>(run.device, Entry::cpp) || !(is_known || is_taken<Float>(width)))
        return;
      found.offered.push_back({width.bits, is_double});
      own_blocks += !is_known && has_own_blocks<Float>(width) ? 1 : 0;
      if (!is_known && found.offered.size() == 1)
        found.pace = measure_pace<Float>(width);
    };
    if (found.unavailable.empty())
      for (const Width& width : widths) {
        probe(float(), width);
        probe(double(), width);
      }
    found.own_blocks = run.has_own_blocks = own_blocks > 0 && own_blocks == found.offered.size();
    run.pace = found.pace;
    quiet.take();
    activity_.stage = Activity::starting;
    guard_.start(); // what loading has done stays
    return found;
  }

  static std::string kind_name(const Width& width, bool is_double) {
    return conformance::kind_name(static_cast<unsigned>(width.bits), is_double);
  }

  /// Whether the library takes tensors of this kind at all; wrong numbers are the cases' business.
  template <class Float>
  static bool is_taken(const Width& width) {
    try {
      GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
      const std::vector<Float> numbers = {1, -2, Float(0.3), 0, 5};
      return quantize(numbers, static_cast<unsigned>(width.bits), &param).status == GFPQ_SUCCESS;
    } catch (const LibraryThrew&) {
      return true;
    }
  }

  /// The shortest of a few calls each, on a GPU with the copies there and back, which the cases' calls wait for too:
  /// how busy the machine is does not count.
  template <class Float>
  static Pace measure_pace(const Width& width) {
    using Clock = std::chrono::steady_clock;
    constexpr int calls = 20;
    const auto seconds_of_call = [&](std::size_t count) {
      std::vector<Float> numbers(count, Float(0.3));
      double shortest = std::numeric_limits<double>::infinity();
      for (int i = 0; i < calls; ++i) {
        GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
        const Clock::time_point begin = Clock::now();
        if (test_run().device == Device::cpu)
          test_run().library->quantize(Device::cpu, numbers.data(), static_cast<unsigned>(count),
                                       static_cast<unsigned>(width.bits), &param);
        else
          quantize(numbers, static_cast<unsigned>(width.bits), &param);
        shortest = std::min(shortest, std::chrono::duration<double>(Clock::now() - begin).count());
      }
      return shortest;
    };
    try {
      return {seconds_of_call(Pace::few_numbers), seconds_of_call(Pace::more_numbers)};
    } catch (const LibraryThrew&) {
      return {};
    }
  }

  Share measure(const MeasureRequest& request) {
    activity_.stage = Activity::in_case;
    Share share;
    try {
      CapturedOutput quiet;
      share = measure_share(request.data, request.kind);
    } catch (const std::exception& error) {
      share = {request.data, request.kind};
      share.problem = error.what();
    }
    activity_.stage = Activity::starting;
    return share;
  }

  template <class Float>
  static bool has_own_blocks(const Width& width) {
    try {
      return writes_own_blocks<Float>(width.bits);
    } catch (const LibraryThrew&) {
      return false;
    }
  }

  CaseReport run_case(const CaseRequest& request) {
    const TestCase& test = test_case(request.name);
    test_run().offered = request.offered;
    test_run().left_out.clear();
    activity_.stage = Activity::in_case;
    const std::string name = test.full_name();
    Requirements requirements(test.requirements);
    CaseReport report;
    std::string interrupted, output;
    bool threw = false;
    {
      CapturedOutput printed; // a library that fails may print a line for each of a million calls
      try {
        if (request.offered.empty() && std::string(test.suite) != "Interface")
          throw Skip(std::string(not_offered) + ": any kind of tensors");
        test.body(requirements);
      } catch (const Skip& reason) {
        report.skipped = reason.what();
      } catch (const MissingFunction& missing) {
        report.skipped = std::string(not_offered) + ": " + missing.what();
      } catch (const LibraryThrew& exception) {
        interrupted = exception.what();
        threw = true;
      } catch (const std::exception& error) {
        interrupted = error.what();
      }
      output = shorten(printed.take());
    }
    const bool offers_all = request.offered.size() == 2 * std::size(widths);
    for (const Checks& checks : requirements.all()) {
      Finding finding = checks.finding(name);
      if (!report.skipped.empty() && finding.failed() == 0) {
        finding.skipped = report.skipped;
      } else if (finding.checks() == 0 && interrupted.empty()) {
        if (offers_all)
          interrupted = "it made no check of " + checks.requirement();
        else
          finding.skipped = not_offered;
      }
      if (!interrupted.empty()) {
        finding.interrupted = interrupted;
        Count& count = finding.kinds[""];
        ++count.checks;
        ++count.failed;
        count.symptoms |= interrupted_symptom;
      }
      if (finding.failed() > 0)
        finding.printed = output;
      report.findings.push_back(std::move(finding));
    }
    report.left_out = test_run().left_out;
    for (Finding& finding : guard_.conclude(name, threw ? interrupted : ""))
      report.findings.push_back(std::move(finding));
    activity_.stage = Activity::starting;
    return report;
  }

  Activity& activity_;
  EnvironmentGuard guard_;
  std::optional<Library> library_;
};

} // namespace

std::string frame(const std::string& nonce, const std::string& text) {
  return "gfpq-report " + std::to_string(text.size()) + " " + sha256(nonce + text) + "\n" + text;
}

bool take_frame(const std::string& nonce, std::string& received, std::string& text) {
  constexpr std::size_t longest_header = 120;
  const std::size_t end = received.find('\n');
  if (end == std::string::npos && received.size() < longest_header)
    return false;
  std::istringstream header(received.substr(0, end));
  std::string word, sum;
  std::size_t length = 0;
  if (!(header >> word >> length >> sum) || word != "gfpq-report")
    throw std::runtime_error("something else came over the worker's pipe");
  if (received.size() - end - 1 < length)
    return false;
  text = received.substr(end + 1, length);
  received.erase(0, end + 1 + length);
  if (sha256(nonce + text) != sum)
    throw std::runtime_error("a report came whose checksum is wrong");
  return true;
}

void worker_main(Channel& channel) {
  Worker worker(channel);
  for (std::string line; channel.read_line(line);) {
    const nlohmann::json request = nlohmann::json::parse(line);
    nlohmann::json reply;
    try {
      reply = worker.serve(request.at("request"));
    } catch (const std::exception& error) {
      reply = {{"failed", error.what()}};
    }
    // What a library prints need not be UTF-8.
    const std::string text = reply.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    channel.write(frame(request.at("nonce"), text));
  }
}

// -- Requests and reports as JSON -------------------------------------------------------------------------------------

void to_json(nlohmann::json& json, const Kind& kind) { json = {{"bits", kind.bits}, {"double", kind.is_double}}; }

void from_json(const nlohmann::json& json, Kind& kind) {
  json.at("bits").get_to(kind.bits);
  json.at("double").get_to(kind.is_double);
}

void to_json(nlohmann::json& json, const SurveyRequest& request) {
  json = {{"library", request.library},   {"golden", request.golden},   {"gpu", request.gpu},
          {"thorough", request.thorough}, {"threads", request.threads}, {"skip", request.skip}};
}

void from_json(const nlohmann::json& json, SurveyRequest& request) {
  json.at("library").get_to(request.library);
  json.at("golden").get_to(request.golden);
  json.at("gpu").get_to(request.gpu);
  json.at("thorough").get_to(request.thorough);
  json.at("threads").get_to(request.threads);
  json.at("skip").get_to(request.skip);
}

void to_json(nlohmann::json& json, const Survey& survey) {
  json = {{"error", survey.error},
          {"unavailable", survey.unavailable},
          {"version", {survey.info.u32LibVerMajor, survey.info.u32LibVerMinor, survey.info.u32LibVerPatch}},
          {"revision", survey.info.u32ComRevision},
          {"build_time", survey.info.u8BuildTime},
          {"missing", survey.missing},
          {"offered", survey.offered},
          {"own_blocks", survey.own_blocks},
          {"pace", {survey.pace.of_few, survey.pace.of_more}}};
}

void from_json(const nlohmann::json& json, Survey& survey) {
  json.at("error").get_to(survey.error);
  json.at("unavailable").get_to(survey.unavailable);
  json.at("version").at(0).get_to(survey.info.u32LibVerMajor);
  json.at("version").at(1).get_to(survey.info.u32LibVerMinor);
  json.at("version").at(2).get_to(survey.info.u32LibVerPatch);
  json.at("revision").get_to(survey.info.u32ComRevision);
  const std::string build_time = json.at("build_time");
  build_time.copy(survey.info.u8BuildTime, sizeof survey.info.u8BuildTime - 1);
  json.at("missing").get_to(survey.missing);
  json.at("offered").get_to(survey.offered);
  json.at("own_blocks").get_to(survey.own_blocks);
  json.at("pace").at(0).get_to(survey.pace.of_few);
  json.at("pace").at(1).get_to(survey.pace.of_more);
}

void to_json(nlohmann::json& json, const CaseRequest& request) {
  json = {{"case", request.name}, {"offered", request.offered}};
}

void from_json(const nlohmann::json& json, CaseRequest& request) {
  json.at("case").get_to(request.name);
  json.at("offered").get_to(request.offered);
}

void to_json(nlohmann::json& json, const MeasureRequest& request) {
  json = {{"data", request.data}, {"kind", request.kind}};
}

void from_json(const nlohmann::json& json, MeasureRequest& request) {
  json.at("data").get_to(request.data);
  json.at("kind").get_to(request.kind);
}

void to_json(nlohmann::json& json, const CaseReport& report) {
  json = {{"findings", report.findings}, {"skipped", report.skipped}, {"left_out", report.left_out}};
}

void from_json(const nlohmann::json& json, CaseReport& report) {
  json.at("findings").get_to(report.findings);
  json.at("skipped").get_to(report.skipped);
  json.at("left_out").get_to(report.left_out);
}

} // namespace conformance
