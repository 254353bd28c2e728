#include "runner/supervisor.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "runner/environment.hpp"
#include "runner/platform.hpp"
#include "runner/results.hpp"

namespace conformance {
namespace {

constexpr double slowest_bytes_a_second = 50e6; // of a port of 2019
constexpr int calls_limits_of_a_case = 30;

std::string last_lines(const std::string& text, std::size_t count) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    if (!line.empty())
      lines.push_back(line.substr(0, 200));
  std::string last;
  for (std::size_t i = lines.size() > count ? lines.size() - count : 0; i < lines.size(); ++i)
    last += "\n      " + lines[i];
  return last.empty() ? "" : "; its last words:" + last;
}

/// The step of a survey that a worker was at.
std::string step_of(const Activity& activity) {
  if (activity.stage == Activity::asking_info)
    return "info";
  if (activity.stage == Activity::probing)
    return kind_name(activity.bits, activity.type_size == sizeof(double));
  return "";
}

bool tells_of_all(const CaseReport& report, const TestCase& test) {
  return std::all_of(test.requirements.begin(), test.requirements.end(), [&](const std::string& id) {
    return std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& finding) {
      return finding.test == test.full_name() && finding.requirement == id;
    });
  });
}

} // namespace

double Supervisor::limit() const {
  constexpr std::size_t patience = 3;
  return overdue_ < patience ? options_.timeout : std::min(options_.timeout, 2.0);
}

bool Supervisor::is_overdue(Clock::time_point since_case, Clock::time_point since_call) const {
  const auto seconds = [](Clock::time_point since) {
    return std::chrono::duration<double>(Clock::now() - since).count();
  };
  const Activity& activity = process_->activity();
  const double bytes = static_cast<double>(activity.count) * activity.type_size;
  const bool is_inside = activity.threads_inside > 0 || activity.stage == Activity::loading;
  const double transfer = activity.threads_inside > 0 ? bytes / slowest_bytes_a_second : 0;
  return (is_inside && seconds(since_call) > limit() + transfer) ||
         seconds(since_case) > limit() * calls_limits_of_a_case + transfer;
}

std::string Supervisor::ask(const nlohmann::json& request) {
  loss_.clear();
  lost_descriptors_ = false;
  const std::string nonce = random_digits();
  process_->send(nlohmann::json{{"request", request}, {"nonce", nonce}}.dump());
  const Clock::time_point begin = Clock::now();
  Clock::time_point progress = begin;
  std::uint64_t calls = process_->activity().calls;
  std::string received, text;
  for (;;) {
    const Process::Event event = process_->wait(std::chrono::milliseconds(20), received);
    try {
      if (take_frame(nonce, received, text))
        return text;
    } catch (const std::runtime_error& error) {
      loss_ = lose(error.what());
      return "";
    }
    if (event == Process::Event::ended) {
      loss_ = lose("");
      return "";
    }
    if (process_->activity().calls != calls) {
      calls = process_->activity().calls;
      progress = Clock::now();
    }
    constexpr std::chrono::seconds grace(1); // for a process that is being ended, and has lost its pipe already
    const bool closed = event == Process::Event::closed;
    if (closed ? Clock::now() - begin > grace : is_overdue(begin, progress)) {
      overdue_ += closed ? 0 : 1;
      std::ostringstream how;
      how << (closed ? "the library closed the worker's pipe"
              : Clock::now() - begin > std::chrono::duration<double>(limit() * calls_limits_of_a_case)
                  ? "the case did not end"
                  : "the library did not return")
          << (closed ? "" : " within its time (--timeout)");
      loss_ = lose(how.str());
      return "";
    }
    if (closed)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::string Supervisor::lose(const std::string& how) {
  ++casualties_;
  const std::string ended = process_->end();
  const Activity& activity = process_->activity();
  lost_descriptors_ = activity.closed_descriptors != 0;
  std::string text = how;
  if (lost_descriptors_)
    text = "the library closed descriptors that are not its own";
  else if (text.empty())
    text = "the library ended its process: " + ended;
  if (activity.stage == Activity::loading)
    text += ", while it was loaded";
  else if (activity.calls > 0)
    text += (activity.threads_inside > 0 ? ", in " : ", after ") + describe_call(activity);
  text += last_lines(process_->printed(), 3);
  return text;
}

Process* Supervisor::worker(int threads) {
  constexpr std::size_t max_tries = 2 * std::size(widths) + 2;
  if (process_ != nullptr && threads == threads_)
    return process_.get();
  for (std::size_t attempt = 0; fatal_.empty() && attempt < max_tries; ++attempt) {
    process_.reset();
    process_ = std::make_unique<Process>(worker_main);
    threads_ = threads;
    const std::string reply = ask(SurveyRequest{options_.library, options_.golden, options_.device == Device::gpu,
                                                options_.thorough, threads, skip_});
    if (!reply.empty()) {
      const nlohmann::json json = nlohmann::json::parse(reply);
      if (json.contains("failed"))
        throw std::runtime_error(json.at("failed").get<std::string>());
      if (!is_surveyed_)
        survey_ = json.get<Survey>();
      is_surveyed_ = true;
      return process_.get();
    }
    const std::string step = step_of(process_->activity());
    if (step.empty() || std::find(skip_.begin(), skip_.end(), step) != skip_.end())
      break;
    skip_.push_back(step); // its own case will tell
  }
  if (!is_surveyed_)
    fatal_ = loss_;
  process_.reset();
  return nullptr;
}

const Survey& Supervisor::survey(const std::function<void(Survey&)>& select) {
  worker(1);
  if (!survey_.error.empty())
    throw std::runtime_error(survey_.error);
  if (select)
    select(survey_);
  return survey_;
}

CaseReport Supervisor::run(std::size_t index, int threads) {
  const TestCase& test = test_cases().at(index);
  const std::string name = test.full_name();
  std::string reply;
  if (worker(threads) != nullptr) {
    reply = ask(CaseRequest{name, survey_.offered});
    if (!reply.empty()) {
      const nlohmann::json json = nlohmann::json::parse(reply);
      CaseReport report;
      if (json.contains("failed"))
        loss_ = json.at("failed").get<std::string>();
      else if (tells_of_all(report = json.get<CaseReport>(), test))
        return report;
      else
        loss_ = "the worker's report does not tell of all that " + name + " names";
    } else {
      process_.reset();
    }
  } else if (!fatal_.empty()) {
    loss_ = fatal_;
  }
  CaseReport report;
  std::vector<std::string> ids = test.requirements;
  ids.push_back(lost_descriptors_ ? requirement_of(Surrounding::descriptors) : calls_return);
  for (const std::string& id : ids) {
    Finding finding;
    finding.test = name;
    finding.requirement = id;
    finding.interrupted = loss_;
    if (fatal_.empty() || id == calls_return)
      finding.kinds[""] = {1, 1, interrupted_symptom};
    else
      finding.skipped = "no process that loads the library goes on";
    report.findings.push_back(finding);
  }
  return report;
}

Share Supervisor::measure(const std::string& data, const Kind& kind) {
  Share share{data, kind};
  if (worker(1) == nullptr) {
    share.problem = fatal_;
    return share;
  }
  const std::string reply = ask(MeasureRequest{data, kind});
  if (!reply.empty())
    return nlohmann::json::parse(reply).get<Share>();
  process_.reset();
  share.problem = loss_;
  return share;
}

CaseReport Supervisor::run(std::size_t index) {
  CaseReport report;
  for (const int threads : test_cases().at(index).thread_counts) {
    CaseReport more = run(index, threads);
    for (Finding& finding : more.findings) {
      if (finding.failed() > 0 && test_cases().at(index).thread_counts.size() > 1)
        for (std::string& failure : finding.failures)
          failure += " (" + std::to_string(threads) + " thread(s))";
      const auto same = std::find_if(report.findings.begin(), report.findings.end(),
                                     [&](const Finding& other) { return other.requirement == finding.requirement; });
      if (same == report.findings.end())
        report.findings.push_back(std::move(finding));
      else
        merge(*same, finding);
    }
    report.skipped = more.skipped;
    for (std::string& what : more.left_out)
      if (std::find(report.left_out.begin(), report.left_out.end(), what) == report.left_out.end())
        report.left_out.push_back(std::move(what));
  }
  return report;
}

} // namespace conformance
