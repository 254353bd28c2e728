// What is written: the facts of a result file, and lines for whoever is waiting.
#ifndef GFPQ_BENCH_OUTPUT_HPP
#define GFPQ_BENCH_OUTPUT_HPP

#include <chrono>
#include <string>

#include "machine.hpp"
#include "result_file.hpp"

namespace bench {

/// What SCHEMA.md lists of a machine and of the build.
Json describe(const Machine& machine);

/// What SCHEMA.md lists of a run that is over.
Json describe(const Surroundings::Shares& shares);

/// `gfpq_bench 1.2.0, revision 523e40bdf6b0`
std::string program_version(const std::string& program);

/// `libgfpq.so 1.2.0: avx512 avx2 scalar`, of `library` or `peer` in the facts.
std::string describe(const Json& library);

/// Lines of at most 80 columns: while rounds go on, which row of how many and how long it will take; then each row.
class Console {
public:
  explicit Console(bool is_quiet) : is_quiet_(is_quiet) {}

  /// So many of so many measurements are made.
  void progress(std::size_t done, std::size_t all);

  /// A row with all its repetitions, as in the file.
  void row(const std::vector<Json>& repetitions);

  void failed(const Json& row);

  void finish();

private:
  void clear_line();

  bool is_quiet_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double last_progress_ = 0; ///< seconds after the start
  bool has_unfinished_line_ = false;
  double coverage_ = 0; ///< of the intervals shown
  int rows_ = 0;
  int failed_ = 0;
};

} // namespace bench

#endif
