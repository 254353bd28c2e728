#include "output.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "build_facts.hpp"
#include "timing.hpp"

namespace bench {
namespace {

/// Null where a number was not found.
template <class Number>
Json number_or_null(Number number) {
  return number != 0 ? Json(number) : Json(nullptr);
}

constexpr std::size_t columns = 80;

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

/// The values that tell rows apart, without what most rows share: `avx512 f32 8 bit apply 13107200 cold, 2 threads`.
std::string short_name(const std::string& name) {
  std::string text;
  std::istringstream segments(name);
  for (std::string segment; std::getline(segments, segment, '/');) {
    const std::size_t colon = segment.find(':');
    const std::string key = segment.substr(0, colon);
    const std::string value = colon == std::string::npos ? "" : segment.substr(colon + 1);
    if (segment == "lib:ours" || segment == "data:guide" || key == "quantize" || key == "device")
      continue;
    text += (text.empty() ? "" : " ") + (key == "threads" ? "x" + value : value.empty() ? key : value);
  }
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
  const auto known = [](int number) { return number >= 0 ? Json(number) : Json(nullptr); };
  facts["cpu_family"] = known(machine.cpu_family);
  facts["cpu_model_number"] = known(machine.cpu_model_number);
  facts["cpu_stepping"] = known(machine.cpu_stepping);
  facts["hypervisor"] = machine.hypervisor;
  facts["environment"] = Json::object();
  for (const auto& [name, value] : relevant_environment())
    facts["environment"][name] = value;
  facts["architecture"] = machine.architecture;
  facts["physical_cores"] = number_or_null(machine.physical_cores);
  facts["logical_cpus"] = machine.logical_cpus;
  facts["usable_cpus"] = machine.usable_cpus;
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

std::string program_version(const std::string& program) {
  return program + " " GFPQ_BENCH_VERSION ", revision " GFPQ_BENCH_REVISION;
}

Json describe(const Surroundings::Shares& shares) {
  const auto known = [](double share) { return share >= 0 ? Json(share) : Json(nullptr); };
  return {{"seconds", shares.seconds},
          {"steal_share", known(shares.steal)},
          {"others_share", known(shares.others)},
          {"calibration_start_ns", shares.calibration_start * 1e9},
          {"calibration_end_ns", shares.calibration_end * 1e9}};
}

std::string describe(const Json& library) {
  if (library.is_null())
    return "none";
  std::string text = library["file"].get<std::string>() + " " + library["version"].get<std::string>() + ", built for";
  for (const Json& target : library["targets"])
    text += " " + target.get<std::string>();
  return text;
}

void Console::clear_line() {
  if (has_unfinished_line_)
    std::cout << "\r\033[K";
  has_unfinished_line_ = false;
}

void Console::progress(std::size_t done, std::size_t all) {
  const double seconds = seconds_since(start_);
  const bool is_terminal = isatty(STDOUT_FILENO) != 0;
  if (is_quiet_ || seconds - last_progress_ < (is_terminal ? 0.2 : 10) || done == all)
    return;
  last_progress_ = seconds;
  clear_line();
  const double left = seconds / static_cast<double>(done) * static_cast<double>(all - done);
  char line[columns + 1];
  std::snprintf(line, sizeof line, "row %zu of %zu, about %.0f s left", done, all, left);
  std::cout << line << (is_terminal ? "" : "\n") << std::flush;
  has_unfinished_line_ = is_terminal;
}

void Console::row(const std::vector<Json>& repetitions) {
  if (rows_++ == 0 && !is_quiet_) {
    clear_line();
    std::cout << "     time     +/-   GB/s limit    peer  row" << std::endl;
  }
  if (is_quiet_)
    return;
  const auto values = [&](const char* key) {
    std::vector<double> result;
    for (const Json& repetition : repetitions)
      if (repetition.contains(key))
        result.push_back(repetition[key]);
    return result;
  };
  const auto formatted = [&](const char* format, const char* key, double factor) {
    char text[32] = "";
    const std::vector<double> all = values(key);
    if (!all.empty())
      std::snprintf(text, sizeof text, format, factor * median(all));
    return std::string(text);
  };
  const std::vector<double> times = values("real_time");
  const Interval interval = interval_of_median(times);
  coverage_ = interval.coverage;
  clear_line();
  char line[columns + 1];
  std::snprintf(line, sizeof line, "%9s %5.1f %% %6s %5s %7s  %s", readable_time(median(times)).c_str(),
                50 * (interval.high - interval.low) / median(times), formatted("%.1f", "gbytes_per_second", 1).c_str(),
                formatted("%.0f %%", "limit_ratio", 100).c_str(), formatted("%.1f x", "peer_ratio", 1).c_str(),
                short_name(repetitions.front()["run_name"]).c_str());
  std::cout << line << std::endl;
}

void Console::failed(const Json& row) {
  clear_line();
  ++failed_;
  std::cout << "FAILED " << row["run_name"].get<std::string>() << "\n       " << row["error_message"].get<std::string>()
            << std::endl;
}

void Console::finish() {
  clear_line();
  char line[columns + 1];
  if (!is_quiet_ && coverage_ > 0)
    std::printf("+/-: half the interval that holds the median, with %.1f %%, of its time\n", 100 * coverage_);
  std::snprintf(line, sizeof line, "%d rows in %.1f s, %d failed", rows_, seconds_since(start_), failed_);
  std::cout << line << std::endl;
}

} // namespace bench
