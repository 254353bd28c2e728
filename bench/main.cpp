// gfpq_bench: how fast a GFPQ library is on this machine, beside what the machine can do. See SCHEMA.md.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "library.hpp"
#include "machine.hpp"
#include "measurements.hpp"
#include "output.hpp"
#include "rounds.hpp"
#include "submission.hpp"
#include "suite.hpp"

namespace {

struct Options {
  std::string library;
  std::string peer;
  std::string suite = "short";
  std::string title;
  int threads = 0;
  bool is_submission = false;
  bench::RunOptions run;
};

std::string default_library() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return (program.parent_path().parent_path() / "lib" / "libgfpq.so").lexically_normal().string();
}

void define(CLI::App& app, Options& options) {
  app.add_option("--library", options.library, "The library to measure")->capture_default_str();
  app.add_option("--peer", options.peer, "Another library with the same interface, to compare it with");
  app.add_option("--suite", options.suite, "short (a minute), full, or smoke (tests this program)")
      ->check(CLI::IsMember({"short", "full", "smoke"}))
      ->capture_default_str();
  app.add_option("--threads", options.threads,
                 "What \"all threads\" means; as many as this process has CPUs if left out")
      ->check(CLI::Range(1, 4096));
  app.add_option("--title", options.title, "What a report calls this run; the CPU's name if left out");
  app.add_flag("--submit", options.is_submission,
               "A run whose result is to be sent: the short suite, 9 repetitions; ends with whether it is fit to be "
               "published, and the one file to send");
  bench::define(app, options.run);
  for (const char* other : {"--suite", "--benchmark_repetitions", "--list"})
    app.get_option("--submit")->excludes(app.get_option(other));
  app.footer("Beside these, flags of Google Benchmark. Useful:\n"
             "  --benchmark_filter=REGEX      rows whose name matches, e.g. 'bits:8/mode:apply.*threads:1/'\n"
             "GFPQ_TARGET in the environment restricts the library to that instruction set.\n"
             "Ends with 0; 1 where a row failed, or the result of --submit is not fit to be published;\n"
             "2 where a flag or a library was no good, or the file cannot be written or judged.");
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

/// In the order in which the least has to be made anew from row to row.
std::vector<bench::NamedRow> named(std::vector<bench::Row> rows, bench::Measurements& measurements) {
  const auto order = [](const bench::Row& row) {
    return std::make_tuple(row.bytes(), row.type, row.data, row.threads, row.cache);
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const bench::Row& a, const bench::Row& b) { return order(a) < order(b); });
  const std::size_t memory = bench::available_memory();
  std::vector<bench::NamedRow> result;
  for (const bench::Row& row : rows) {
    if (memory != 0 && measurements.memory_of(row) > memory / 10 * 7)
      std::cerr << "left out for want of memory: " << row.name() << '\n';
    else
      result.push_back(
          {row.name(), [&measurements, row](benchmark::State& state) { measurements.measure(state, row); }});
  }
  return result;
}

int run(Options options) {
  const bench::Machine machine = bench::this_machine();
  if (options.is_submission) {
    const std::string filter = benchmark::GetBenchmarkFilter();
    if (!filter.empty() && filter != "." && filter != "all")
      throw std::invalid_argument("--submit measures all rows of the suite, and takes no filter");
    bench::prepare_submission(options.run, machine.cpu_model);
  }
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
  const auto rows = named(bench::make_suite(options.suite, contenders), measurements);
  if (!options.run.only_lists && !options.run.is_quiet)
    std::cout << machine.cpu_model << ", " << all_threads << " threads\n"
              << "library: " << bench::describe(facts["library"]) << "\npeer: " << bench::describe(facts["peer"])
              << std::endl;
  const int status = bench::run_rounds(rows, facts, options.run);
  return options.is_submission && status == 0 ? bench::judge_submission(options.run.output) : status;
}

} // namespace

int main(int argc, char** argv) {
  Options options;
  options.library = default_library();
  CLI::App app("Measures a GFPQ library, and beside it what the machine can do.", "gfpq_bench");
  define(app, options);
  try {
    bench::parse(app, argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    std::cerr << "gfpq_bench: " << error.what() << "; --help lists the flags\n";
    return bench::exit_usage;
  }
  try {
    return run(std::move(options));
  } catch (const std::exception& error) {
    std::cerr << "gfpq_bench: " << error.what() << '\n';
    return bench::exit_usage;
  }
}
