#include "output.hpp"

#include <cstdio>
#include <cstdlib>

#include "build_facts.hpp"
#include "timing.hpp"

namespace bench {
namespace {

/// Null where a number was not found.
template <class Number>
Json number_or_null(Number number) {
  return number != 0 ? Json(number) : Json(nullptr);
}

/// Six digits: more than any clock here gives, and files that can be read and kept.
double rounded(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", number);
  return std::strtod(text, nullptr);
}

std::string readable_time(double nanoseconds) {
  char text[32];
  if (nanoseconds < 1e3)
    std::snprintf(text, sizeof text, "%.1f ns", nanoseconds);
  else if (nanoseconds < 1e6)
    std::snprintf(text, sizeof text, "%.2f us", nanoseconds / 1e3);
  else
    std::snprintf(text, sizeof text, "%.3f ms", nanoseconds / 1e6);
  return text;
}

} // namespace

Json describe(const Machine& machine) {
  Json facts;
  facts["project_version"] = GFPQ_BENCH_VERSION;
  facts["project_revision"] = GFPQ_BENCH_REVISION;
  facts["compiler"] = GFPQ_BENCH_COMPILER;
  facts["compiler_flags"] = GFPQ_BENCH_FLAGS;
  facts["cpu_model"] = machine.cpu_model;
  facts["architecture"] = machine.architecture;
  facts["physical_cores"] = number_or_null(machine.physical_cores);
  facts["logical_cpus"] = machine.logical_cpus;
  facts["cache_l1d_bytes"] = number_or_null(machine.cache_l1d_bytes);
  facts["cache_l2_bytes"] = number_or_null(machine.cache_l2_bytes);
  facts["cache_l3_bytes"] = number_or_null(machine.cache_l3_bytes);
  facts["numa_nodes"] = number_or_null(machine.numa_nodes);
  facts["frequency_governor"] = machine.frequency_governor;
  facts["huge_pages"] = machine.huge_pages;
  facts["os"] = machine.os;
  facts["kernel"] = machine.kernel;
  facts["memory_bytes"] = machine.memory_bytes;
  return facts;
}

bool ResultFile::ReportContext(const Context& context) {
  writer_.SetOutputStream(&text_);
  writer_.SetErrorStream(&GetErrorStream());
  return writer_.ReportContext(context);
}

void ResultFile::ReportRuns(const std::vector<Run>& runs) {
  std::vector<Run> tidied = runs;
  for (Run& run : tidied) {
    run.run_name.time_type.clear();                       // all times are wall-clock times
    run.cpu_accumulated_time = run.real_accumulated_time; // that of samples and restored data would mislead
  }
  writer_.ReportRuns(tidied);
}

void ResultFile::Finalize() {
  writer_.Finalize();
  Json result = Json::parse(text_.str());
  Json written = result["context"];
  Json context = {{"schema", facts_["schema"]}};       // first, for whoever opens the file
  for (const char* name : {"host_name", "executable"}) // which machine and whose folder is nobody's concern
    written.erase(name);
  context.update(facts_);
  context.update(written);

  std::ostream& out = GetOutputStream();
  out << "{\n\"context\": " << context.dump(1) << ",\n\"benchmarks\": [";
  const char* separator = "\n";
  for (Json& row : result["benchmarks"]) { // a line each
    for (Json& value : row)
      if (value.is_number_float())
        value = rounded(value);
    out << separator << row.dump();
    separator = ",\n";
  }
  out << "\n]\n}\n";
}

void Progress::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    const bool is_median = run.run_type == Run::RT_Aggregate && run.aggregate_name == "median";
    if (run.error_occurred || is_median || (run.run_type == Run::RT_Iteration && run.repetitions < 2))
      print(run);
  }
}

void Progress::print(const Run& run) {
  std::string name = run.run_name.function_name;
  std::ostream& out = GetOutputStream();
  if (run.error_occurred) {
    if (name == last_error_) // the other repetitions fail likewise
      return;
    last_error_ = name;
    ++failed_;
    out << "FAILED " << name << "\n       " << run.error_message << std::endl;
    return;
  }
  ++rows_;
  const auto counter = [&](const char* key) {
    const auto found = run.counters.find(key);
    return found == run.counters.end() ? 0 : found->second.value;
  };
  char line[320];
  std::snprintf(line, sizeof line, "%6.1f s  %11s %8.2f GB/s", seconds_since(start_),
                readable_time(run.GetAdjustedRealTime()).c_str(), counter("gbytes_per_second"));
  out << line;
  if (const double ratio = counter("limit_ratio"); ratio != 0)
    std::snprintf(line, sizeof line, " %5.1f %% of limit", 100 * ratio);
  else
    std::snprintf(line, sizeof line, " %16s", "");
  out << line;
  if (const double ratio = counter("peer_ratio"); ratio != 0) {
    std::snprintf(line, sizeof line, " %6.1f x peer", ratio);
    out << line;
  }
  out << "  " << name << std::endl;
}

void Progress::Finalize() {
  char line[80];
  std::snprintf(line, sizeof line, "%d rows in %.1f s, %d failed", rows_, seconds_since(start_), failed_);
  GetOutputStream() << line << std::endl;
}

} // namespace bench
