// gfpq_bench: how fast a GFPQ library is on this machine, beside what the machine can do. See SCHEMA.md.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>

#include "library.hpp"
#include "machine.hpp"
#include "measurements.hpp"
#include "output.hpp"
#include "suite.hpp"

namespace {

constexpr int exit_failed_row = 1;
constexpr int exit_usage = 2;

struct Options {
  std::string library;
  std::string peer;
  std::string suite = "short";
  std::string title;
  int threads = 0;
};

std::string default_library() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return (program.parent_path().parent_path() / "lib" / "libgfpq.so").lexically_normal().string();
}

void define(CLI::App& app, Options& options) {
  app.add_option("--library", options.library, "The library to measure")->capture_default_str();
  app.add_option("--peer", options.peer, "Another library with the same interface, to compare it with");
  app.add_option("--suite", options.suite, "short (under 100 s without a peer), full, or smoke (tests this program)")
      ->check(CLI::IsMember({"short", "full", "smoke"}))
      ->capture_default_str();
  app.add_option("--threads", options.threads,
                 "What \"all threads\" means; as many as this process has CPUs if left out")
      ->check(CLI::Range(1, 4096));
  app.add_option("--title", options.title, "What a report calls this run; the CPU's name if left out");
  app.footer("Beside these, all flags of Google Benchmark. Useful ones:\n"
             "  --benchmark_out=FILE          writes the results, in the form that SCHEMA.md describes\n"
             "  --benchmark_filter=REGEX      rows whose name matches, e.g. 'bits:8/mode:apply.*threads:1/'\n"
             "  --benchmark_list_tests        lists the rows\n"
             "  --benchmark_repetitions=N     9 if left out\n"
             "GFPQ_TARGET in the environment restricts the library to that instruction set.");
}

/// A library's instances, kept as long as the program runs, as contenders.
class Loaded {
public:
  Loaded(const std::string& path, const std::string& lib) : path_(path), instances_(bench::load_targets(path)) {
    for (const bench::TargetLibrary& instance : instances_)
      contenders_.push_back({lib, instance.target, instance.library.get()});
  }

  const std::vector<bench::Contender>& contenders() const { return contenders_; }

  bench::Json describe() const {
    const bench::Library& library = *contenders_.front().library;
    const GFPQ_INFO_ST info = library.info();
    bench::Json facts;
    facts["file"] = std::filesystem::path(path_).filename().string();
    facts["version"] = std::to_string(info.u32LibVerMajor) + "." + std::to_string(info.u32LibVerMinor) + "." +
                       std::to_string(info.u32LibVerPatch);
    facts["revision"] = info.u32ComRevision;
    facts["build_time"] = info.u8BuildTime;
    for (const bench::Contender& contender : contenders_)
      facts["targets"].push_back(contender.target);
    facts["threads"] = library.can_set_threads() ? "set" : "own";
    return facts;
  }

private:
  std::string path_;
  std::vector<bench::TargetLibrary> instances_;
  std::vector<bench::Contender> contenders_;
};

void register_rows(const std::vector<bench::Row>& rows, bench::Measurements& measurements) {
  const std::size_t memory = bench::available_memory();
  for (const bench::Row& row : rows) {
    if (memory != 0 && measurements.memory_of(row) > memory / 10 * 7) {
      std::cerr << "left out for want of memory: " << row.name() << '\n';
      continue;
    }
    benchmark::RegisterBenchmark(row.name().c_str(),
                                 [&measurements, row](benchmark::State& state) { measurements.measure(state, row); })
        ->UseManualTime()
        ->ComputeStatistics("min", [](const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); })
        ->ComputeStatistics("max", [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); });
  }
}

bool has_flag(const std::vector<std::string>& arguments, const std::string& start) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [&](const std::string& argument) { return argument.compare(0, start.size(), start) == 0; });
}

int run(const Options& options, const std::vector<std::string>& arguments) {
  const bench::Machine machine = bench::this_machine();
  const Loaded library(options.library, "ours");
  std::unique_ptr<Loaded> peer;
  if (!options.peer.empty())
    peer = std::make_unique<Loaded>(options.peer, "peer");

  const int all_threads = options.threads != 0 ? options.threads : machine.usable_cpus;
  bench::Contenders contenders;
  contenders.ours = library.contenders();
  if (peer != nullptr)
    contenders.peer = {peer->contenders().front()};
  contenders.threads = {1};
  if (all_threads > 1)
    contenders.threads.push_back(all_threads);

  bench::Json facts = {{"schema", "gfpq-bench/1"}, {"quoted", false}, {"device", "cpu"}};
  facts["title"] = options.title.empty() ? machine.cpu_model : options.title;
  facts["suite"] = options.suite;
  facts["library"] = library.describe();
  facts["peer"] = peer != nullptr ? peer->describe() : bench::Json(nullptr);
  facts.update(bench::describe(machine));
  facts["threads_all"] = all_threads;

  bench::Measurements measurements(machine, all_threads);
  const std::vector<bench::Row> rows = bench::make_suite(options.suite, contenders);
  register_rows(rows, measurements);

  bench::Progress progress;
  bench::ResultFile json(facts);
  bench::ResultFile json_display(facts);
  benchmark::BenchmarkReporter* display = &progress;
  if (has_flag(arguments, "--benchmark_format=json"))
    display = &json_display;
  else if (!has_flag(arguments, "--benchmark_list_tests"))
    std::cout << machine.cpu_model << ", " << all_threads << " threads\n"
              << "library " << facts["library"].dump() << "\npeer " << facts["peer"].dump() << std::endl;
  const std::size_t matched = benchmark::RunSpecifiedBenchmarks(
      display, has_flag(arguments, "--benchmark_out=") ? static_cast<benchmark::BenchmarkReporter*>(&json) : nullptr);
  if (matched == 0) {
    std::cerr << "gfpq_bench: no row of the suite " << options.suite << " matches the filter "
              << benchmark::GetBenchmarkFilter() << "; --benchmark_list_tests lists them\n";
    return exit_usage;
  }
  return measurements.has_failed() ? exit_failed_row : 0;
}

} // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  // Defaults that later flags override. A repetition takes its own samples, so one iteration is enough of it.
  char repetitions[] = "--benchmark_repetitions=9";
  char min_time[] = "--benchmark_min_time=1e-9";
  std::vector<char*> flags = {argv[0], repetitions, min_time};
  flags.insert(flags.end(), argv + 1, argv + argc);
  int count = static_cast<int>(flags.size());
  flags.push_back(nullptr);

  Options options;
  options.library = default_library();
  CLI::App app("Measures a GFPQ library, and beside it what the machine can do.", "gfpq_bench");
  define(app, options);
  try {
    if (!has_flag(arguments, "--help"))
      benchmark::Initialize(&count, flags.data());
    app.parse(count, flags.data());
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::cerr << "gfpq_bench: " << error.what() << "; --help lists the flags\n";
    return exit_usage;
  }
  try {
    return run(options, arguments);
  } catch (const std::exception& error) {
    std::cerr << "gfpq_bench: " << error.what() << '\n';
    return exit_usage;
  }
}
