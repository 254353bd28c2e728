// gfpq_bench_gpu: how fast a GFPQ library is on this GPU, beside what the GPU can do. See ../SCHEMA.md and README.md.
#include <benchmark/benchmark.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "gpu/gpu_measurements.hpp"
#include "gpu/kernels.hpp"
#include "machine.hpp"
#include "output.hpp"
#include "rounds.hpp"

namespace {

constexpr int exit_no_gpu = 77;
constexpr std::size_t guide_count = 13107200; // 50 MiB of floats: what the vendor's guide times

struct Options {
  std::string library;
  std::string peer;
  std::string suite = "short";
  std::string title;
  bench::RunOptions run;
};

std::string default_library() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return (program.parent_path().parent_path() / "lib" / "libgfpq_gpu.so").lexically_normal().string();
}

/// The rows of a suite.
class Suite {
public:
  Suite(const bench::Contender& ours, const bench::Contender* peer, bool is_peer_library, bool has_jobs)
      : ours_(ours), peer_(peer), is_peer_library_(is_peer_library), has_jobs_(has_jobs) {}

  std::vector<bench::Row> rows;

  void limits(std::size_t count, bench::Cache cache) {
    for (const bench::Op op : {bench::Op::scale, bench::Op::max, bench::Op::max_scale, bench::Op::copy}) {
      bench::Row row;
      row.kind = bench::Kind::limit;
      row.op = op;
      row.count = count;
      row.cache = cache;
      row.threads = bench::own_threads;
      rows.push_back(row);
    }
  }

  void quantize(bench::Type type, unsigned bits, GFPQ_MODE_E mode, std::size_t count, bench::Cache cache,
                bench::Data data = bench::Data::guide) {
    bench::Row row = row_of(type, bits, mode, count, cache);
    row.data = data;
    if (is_peer_library_ ? count <= guide_count : mode == GFPQ_MODE_APPLY_ONLY)
      row.peer = peer_;
    rows.push_back(row);
    if (row.peer != nullptr) {
      row.contender = peer_;
      row.peer = nullptr;
      rows.push_back(row);
    }
  }

  /// UPDATE by a job, in its steady state.
  void jobs(std::size_t count, bench::Cache cache) {
    if (!has_jobs_)
      return;
    for (const bench::Type type : {bench::Type::f32, bench::Type::f64})
      for (const unsigned bits : {8u, 16u}) {
        rows.push_back(row_of(type, bits, GFPQ_MODE_UPDATE, count, cache));
        rows.back().is_job = true;
      }
  }

  void all_modes(std::size_t count, bench::Cache cache) {
    for (const bench::Type type : {bench::Type::f32, bench::Type::f64})
      for (const unsigned bits : {8u, 16u})
        for (const GFPQ_MODE_E mode : {GFPQ_MODE_APPLY_ONLY, GFPQ_MODE_INIT, GFPQ_MODE_UPDATE})
          quantize(type, bits, mode, count, cache);
  }

  void sweep(std::size_t count, bench::Cache cache) {
    quantize(bench::Type::f32, 8, GFPQ_MODE_APPLY_ONLY, count, cache);
    quantize(bench::Type::f32, 8, GFPQ_MODE_INIT, count, cache);
    quantize(bench::Type::f32, 16, GFPQ_MODE_APPLY_ONLY, count, cache);
  }

private:
  bench::Row row_of(bench::Type type, unsigned bits, GFPQ_MODE_E mode, std::size_t count, bench::Cache cache) const {
    bench::Row row;
    row.contender = &ours_;
    row.type = type;
    row.bits = bits;
    row.mode = mode;
    row.count = count;
    row.cache = cache;
    row.threads = bench::own_threads;
    return row;
  }

  const bench::Contender& ours_;
  const bench::Contender* peer_;
  const bool is_peer_library_, has_jobs_;
};

std::vector<bench::Row> make_suite(const std::string& name, const bench::Contender& ours, const bench::Contender* peer,
                                   bool is_peer_library, bool has_jobs) {
  Suite suite(ours, peer, is_peer_library, has_jobs);
  if (name == "smoke") {
    suite.limits(1000, bench::Cache::cold);
    suite.all_modes(1000, bench::Cache::warm);
    suite.jobs(1000, bench::Cache::warm);
    return suite.rows;
  }
  for (const bench::Cache cache : {bench::Cache::cold, bench::Cache::warm}) {
    suite.limits(guide_count, cache);
    suite.all_modes(guide_count, cache);
    suite.jobs(guide_count, cache);
  }
  for (const bench::Data data : {bench::Data::weights, bench::Data::activations})
    for (const unsigned bits : {8u, 16u})
      suite.quantize(bench::Type::f32, bits, GFPQ_MODE_APPLY_ONLY, guide_count, bench::Cache::cold, data);
  const bool is_full = name == "full";
  for (std::size_t count = 1 << 10; count <= std::size_t(1) << 29; count *= is_full ? 2 : 8)
    for (const bench::Cache cache : {bench::Cache::cold, bench::Cache::warm})
      if (is_full || (cache == bench::Cache::cold) == (count >= guide_count))
        suite.sweep(count, cache);
  suite.jobs(std::size_t(1) << 28, bench::Cache::cold);
  suite.limits(std::size_t(1) << 28, bench::Cache::cold);
  return suite.rows;
}

bench::Json describe(const std::string& path, const bench::GpuLibrary& library, const std::string& target) {
  const GFPQ_INFO_ST info = library.on_cpu().info();
  bench::Json facts;
  facts["file"] = std::filesystem::path(path).filename().string();
  facts["version"] = std::to_string(info.u32LibVerMajor) + "." + std::to_string(info.u32LibVerMinor) + "." +
                     std::to_string(info.u32LibVerPatch);
  facts["revision"] = info.u32ComRevision;
  facts["build_time"] = info.u8BuildTime;
  facts["targets"] = {target};
  facts["threads"] = "own";
  return facts;
}

int run(const Options& options) {
  if (const std::string problem = bench::gpu_problem(); !problem.empty()) {
    std::cerr << "gfpq_bench_gpu: " << problem << "\n";
    return exit_no_gpu;
  }
  const bench::Device device = bench::this_device();
  const bench::GpuLibrary library(options.library);
  std::unique_ptr<bench::GpuLibrary> peer_library;
  if (!options.peer.empty())
    peer_library = std::make_unique<bench::GpuLibrary>(options.peer);
  const bench::Contender ours{"ours", device.target, nullptr};
  const bench::Contender peer{"peer", device.target, nullptr};

  bench::Json facts = {{"schema", "gfpq-bench/1"}, {"quoted", false}, {"device", "gpu"}};
  facts["title"] = options.title.empty() ? device.name : options.title;
  facts["suite"] = options.suite;
  facts["library"] = describe(options.library, library, device.target);
  facts["peer"] = nullptr;
  if (peer_library != nullptr)
    facts["peer"] = describe(options.peer, *peer_library, device.target);
  else if (bench::has_cub_transform())
    facts["peer"] = {{"file", bench::cub_transform_name},
                     {"version", bench::cub_version()},
                     {"targets", {device.target}},
                     {"threads", "own"}};
  facts["gpu"] = device.facts;
  facts.update(bench::describe(bench::this_machine()));
  facts["threads_all"] = nullptr;

  bench::GpuMeasurements measurements(device, library, peer_library.get());
  const bool has_peer = peer_library != nullptr || bench::has_cub_transform();
  const auto rows =
      make_suite(options.suite, ours, has_peer ? &peer : nullptr, peer_library != nullptr, library.has_jobs());
  std::vector<bench::NamedRow> named;
  std::size_t most = 0;
  for (const bench::Row& row : rows) {
    const std::size_t bytes = measurements.memory_of(row);
    if (bytes > device.memory_bytes / 10 * 6) { // the data, made once for all rounds, are there too
      std::cerr << "left out for want of memory: " << bench::gpu_name(row) << '\n';
      continue;
    }
    most = std::max(most, bytes);
    named.push_back(
        {bench::gpu_name(row), [&measurements, row](benchmark::State& state) { measurements.measure(state, row); }});
  }
  if (!options.run.only_lists)
    measurements.reserve(most);
  if (!options.run.only_lists && !options.run.is_quiet)
    std::cout << device.name << "\nlibrary: " << bench::describe(facts["library"])
              << "\npeer: " << bench::describe(facts["peer"]) << std::endl;
  return bench::run_rounds(named, facts, options.run);
}

} // namespace

int main(int argc, char** argv) {
  Options options;
  options.library = default_library();
  CLI::App app("Measures a GFPQ library on the GPU, and beside it what the GPU can do.", "gfpq_bench_gpu");
  app.add_option("--library", options.library, "The library to measure")->capture_default_str();
  app.add_option("--peer", options.peer, "Another library with the same interface, to compare it with, instead of CUB");
  app.add_option("--suite", options.suite, "short (some minutes), full, or smoke (tests this program)")
      ->check(CLI::IsMember({"short", "full", "smoke"}))
      ->capture_default_str();
  app.add_option("--title", options.title, "What a report calls this run; the GPU's name if left out");
  bench::define(app, options.run);
  app.footer("Beside these, flags of Google Benchmark, as --benchmark_filter=REGEX.\n"
             "Ends with 0; 1 where a row failed; 2 where a flag or the library was no good; 77 without a GPU.");
  try {
    bench::parse(app, argc, argv);
    return run(options);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const std::exception& error) {
    std::cerr << "gfpq_bench_gpu: " << error.what() << '\n';
    return bench::exit_usage;
  }
}
