#include "rounds.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <sstream>
#include <stdexcept>

#include "output.hpp"
#include "timing.hpp"

namespace bench {
namespace {

std::string interrupted_message;

/// Says where the rows are, and ends the program as the signal would have.
void end_by_signal(int signal) {
  if (write(STDERR_FILENO, interrupted_message.data(), interrupted_message.size()) < 0) {
    // nobody is there to read it
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Six digits: more than any clock here gives, and files that can be read and kept.
double rounded(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", number);
  return std::strtod(text, nullptr);
}

void round_numbers(Json& row) {
  for (Json& value : row)
    if (value.is_number_float())
      value = rounded(value);
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) {
  const double middle = mean(values);
  double sum = 0;
  for (const double value : values)
    sum += (value - middle) * (value - middle);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

struct Statistic {
  const char* name;
  const char* unit;
  double (*of)(const std::vector<double>&);
};
constexpr Statistic statistics[] = {
    {"mean", "time", mean},
    {"median", "time", [](const std::vector<double>& v) { return median(v); }},
    {"stddev", "time", deviation},
    {"cv", "percentage", [](const std::vector<double>& v) { return deviation(v) / mean(v); }},
    {"min", "time", [](const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); }},
    {"max", "time", [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); }},
};

/// Google Benchmark's row of a statistic over repetitions, of the time and of each counter by itself.
Json aggregate(const std::vector<Json>& repetitions, const Statistic& statistic) {
  Json row = repetitions.front();
  for (const char* key : {"repetition_index", "label"})
    row.erase(key);
  row["name"] = row["run_name"].get<std::string>() + "_" + statistic.name;
  row["run_type"] = "aggregate";
  row["aggregate_name"] = statistic.name;
  row["aggregate_unit"] = statistic.unit;
  for (auto& [key, value] : row.items()) {
    if (!value.is_number_float())
      continue;
    std::vector<double> values;
    for (const Json& repetition : repetitions)
      values.push_back(repetition[key]);
    value = statistic.of(values);
  }
  row["iterations"] = repetitions.size();
  return row;
}

class Reporter : public benchmark::BenchmarkReporter {
public:
  Reporter(Json facts, const RunOptions& options, std::size_t rows)
      : facts_(std::move(facts)), options_(options), console_(options.is_quiet),
        measurements_(rows * static_cast<std::size_t>(options.repetitions)) {}

  bool ReportContext(const Context& context) override {
    std::ostringstream text;
    benchmark::JSONReporter writer;
    writer.SetOutputStream(&text);
    writer.ReportContext(context);
    writer.Finalize();
    Json written = Json::parse(text.str())["context"];
    Json whole = {{"schema", facts_["schema"]}};         // first, for whoever opens the file
    for (const char* name : {"host_name", "executable"}) // which machine and whose folder is nobody's concern
      written.erase(name);
    whole.update(facts_);
    whole.update(written);
    if (!options_.output.empty()) {
      file_ = std::make_unique<ResultFile>(options_.output, whole);
      interrupted_message =
          "\ngfpq_bench: interrupted; what was measured is in " + partial_path(options_.output) + "\n";
      for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        std::signal(signal, end_by_signal);
    }
    return true;
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (Run run : runs) {
      run.run_name.time_type.clear();                       // all times are wall-clock times
      run.cpu_accumulated_time = run.real_accumulated_time; // that of samples and restored data would mislead
      add(as_json(run));
    }
  }

  void Finalize() override {
    for (const std::string& name : names_)
      if (const std::vector<Json>& repetitions = rows_[name]; repetitions.size() > 1)
        for (const Statistic& statistic : statistics)
          write(aggregate(repetitions, statistic));
    Json run = describe(surroundings_.so_far());
    round_numbers(run);
    if (file_ != nullptr)
      file_->finish(run);
    console_.finish();
  }

  bool has_failed() const { return !failed_.empty(); }

private:
  static Json as_json(const Run& run) {
    std::ostringstream text;
    benchmark::JSONReporter writer;
    writer.SetOutputStream(&text);
    writer.ReportRuns({run});
    return Json::parse(text.str());
  }

  void add(Json row) {
    const std::string name = row["run_name"];
    const std::size_t index = seen_[name]++;
    row["repetitions"] = options_.repetitions;
    row["repetition_index"] = index;
    ++done_;
    if (!row.contains("error_occurred")) {
      std::vector<Json>& repetitions = rows_[name];
      if (repetitions.empty())
        names_.push_back(name);
      repetitions.push_back(row);
      if (index + 1 == static_cast<std::size_t>(options_.repetitions))
        console_.row(repetitions);
    } else if (failed_.insert(name).second) { // the other repetitions fail likewise
      console_.failed(row);
    }
    write(std::move(row));
    console_.progress(done_, measurements_);
  }

  void write(Json row) {
    round_numbers(row);
    if (file_ != nullptr)
      file_->add(row);
  }

  Json facts_;
  const RunOptions& options_;
  Console console_;
  Surroundings surroundings_;
  std::unique_ptr<ResultFile> file_;
  std::size_t measurements_;
  std::size_t done_ = 0;
  std::vector<std::string> names_;
  std::map<std::string, std::size_t> seen_;
  std::map<std::string, std::vector<Json>> rows_;
  std::set<std::string> failed_;
};

void enroll(const NamedRow& row) { benchmark::RegisterBenchmark(row.name.c_str(), row.measure)->UseManualTime(); }

void set_listing(bool on) {
  char program[] = "gfpq_bench";
  char list[] = "--benchmark_list_tests=true";
  char run[] = "--benchmark_list_tests=false";
  char* flags[] = {program, on ? list : run, nullptr};
  int count = 2;
  benchmark::Initialize(&count, flags);
}

/// The rows that Google Benchmark's filter lets pass.
std::vector<NamedRow> filtered(const std::vector<NamedRow>& rows) {
  for (const NamedRow& row : rows)
    enroll(row);
  std::ostringstream list;
  benchmark::ConsoleReporter reporter;
  reporter.SetOutputStream(&list);
  reporter.SetErrorStream(&list);
  set_listing(true);
  benchmark::RunSpecifiedBenchmarks(&reporter);
  set_listing(false);
  benchmark::ClearRegisteredBenchmarks();

  std::set<std::string> names;
  std::istringstream lines(list.str());
  for (std::string line; std::getline(lines, line);)
    names.insert(line.substr(0, line.rfind("/manual_time")));
  std::vector<NamedRow> result;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(result),
               [&](const NamedRow& row) { return names.count(row.name) != 0; });
  return result;
}

} // namespace

void define(CLI::App& app, RunOptions& options) {
  app.add_option("--benchmark_out", options.output, "Writes the results to this file; until the end to FILE.partial")
      ->envname("BENCHMARK_OUT");
  app.add_option_function<std::string>(
         "--benchmark_out_format", [](const std::string&) {}, "json, the only one")
      ->check(CLI::IsMember({"json"}));
  app.add_option_function<std::string>(
         "--benchmark_format", [](const std::string&) {}, "console, the only one")
      ->check(CLI::IsMember({"console"}));
  app.add_option("--benchmark_repetitions", options.repetitions, "Rounds over all rows")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--quiet", options.is_quiet, "Prints failures and the last line only");
  app.add_flag("--list,--benchmark_list_tests", options.only_lists, "Lists the rows, and measures nothing");
  app.set_version_flag("--version", program_version(app.get_name()));
  app.allow_extras();
}

void parse(CLI::App& app, int argc, char** argv) {
  app.parse(argc, argv);
  // One measurement takes its own samples, so one iteration is enough of it. Later flags override earlier ones.
  std::vector<std::string> words = {argv[0], "--benchmark_min_time=1e-9"};
  for (const std::string& word : app.remaining())
    words.push_back(word);
  for (const char* ours : {"--benchmark_out=", "--benchmark_repetitions=1"})
    words.push_back(ours); // not those of the environment
  std::vector<char*> flags;
  for (std::string& word : words)
    flags.push_back(word.data());
  int count = static_cast<int>(flags.size());
  flags.push_back(nullptr);
  benchmark::Initialize(&count, flags.data());
  if (count > 1)
    throw CLI::ExtrasError({flags[1]});
}

int run_rounds(const std::vector<NamedRow>& rows, const Json& facts, const RunOptions& options) {
  const std::vector<NamedRow> matching = filtered(rows);
  if (matching.empty())
    throw std::invalid_argument("no row matches the filter " + benchmark::GetBenchmarkFilter() + "; --list lists them");
  if (options.only_lists) {
    for (const NamedRow& row : matching)
      std::cout << row.name << '\n';
    return 0;
  }
  for (int round = 0; round < options.repetitions; ++round)
    for (const NamedRow& row : matching)
      enroll(row);
  Reporter reporter(facts, options, matching.size());
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return reporter.has_failed() ? exit_failed_row : 0;
}

} // namespace bench
