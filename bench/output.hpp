// What is written: the result file, and a line a row for whoever is waiting.
#ifndef GFPQ_BENCH_OUTPUT_HPP
#define GFPQ_BENCH_OUTPUT_HPP

#include <benchmark/benchmark.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>

#include "machine.hpp"

namespace bench {

using Json = nlohmann::ordered_json;

/// What SCHEMA.md lists of a machine and of the build.
Json describe(const Machine& machine);

/// Google Benchmark's JSON, with `facts` in its context and names without its marks.
class ResultFile : public benchmark::BenchmarkReporter {
public:
  explicit ResultFile(Json facts) : facts_(std::move(facts)) {}

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override;

private:
  Json facts_;
  benchmark::JSONReporter writer_;
  std::ostringstream text_;
};

/// One line a row, as soon as it is measured.
class Progress : public benchmark::BenchmarkReporter {
public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override;

private:
  void print(const Run& run);

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  int rows_ = 0;
  int failed_ = 0;
  std::string last_error_;
};

} // namespace bench

#endif
