// How rows are run, what the two programs have in common: their flags, rounds over all rows, the result file.
#ifndef GFPQ_BENCH_ROUNDS_HPP
#define GFPQ_BENCH_ROUNDS_HPP

#include <benchmark/benchmark.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "result_file.hpp"

namespace bench {

constexpr int exit_failed_row = 1;
constexpr int exit_usage = 2;

struct RunOptions {
  std::string output; ///< none where empty
  int repetitions = 9;
  bool is_quiet = false;
  bool only_lists = false;
};

/// Adds the flags to those of a program.
void define(CLI::App& app, RunOptions& options);

/// Reads the program's flags and gives the others to Google Benchmark. Throws CLI::Error.
void parse(CLI::App& app, int argc, char** argv);

struct NamedRow {
  std::string name;
  std::function<void(benchmark::State&)> measure;
};

/// Measures all rows once, then all of them again, ...: so a row's repetitions lie far apart in time, and their spread
/// shows a machine that becomes faster or slower.
/// \return the exit status.
int run_rounds(const std::vector<NamedRow>& rows, const Json& facts, const RunOptions& options);

} // namespace bench

#endif
