#include "summary.hpp"

#include <algorithm>
#include <ctime>
#include <iomanip>
#include <ostream>

#include "bench/machine.hpp"
#include "oracle/widths.hpp"

namespace conformance {
namespace {

constexpr std::size_t max_listed = 1000, max_printed = 10;

std::vector<int> deltas_of(int bits, const std::vector<Item>& items) {
  std::vector<int> deltas;
  for (const Item& item : items)
    if (item.bits == bits)
      deltas.push_back(item.delta);
  return deltas;
}

} // namespace

Summary::Summary(const Library& library, const Identity& identity, const std::vector<Item>& asked, const RunFacts& run)
    : library_(library), identity_(identity), asked_(asked), run_(run) {
  std::sort(asked_.begin(), asked_.end());
}

void Summary::add(const DeltaResult& result) {
  const Item item{result.bits, result.delta};
  if (std::binary_search(asked_.begin(), asked_.end(), item))
    results_.emplace(item, result);
}

bool Summary::holds() const {
  return std::all_of(results_.begin(), results_.end(), [](const auto& entry) { return entry.second.holds(); });
}

nlohmann::json Summary::to_json() const {
  nlohmann::json by_width = nlohmann::json::array(), ranges = nlohmann::json::array(), cpu_seconds;
  for (const Width& width : widths) {
    const int bits = width.bits;
    const std::vector<int> asked = deltas_of(bits, asked_);
    if (asked.empty())
      continue;
    DeltaResult sum;
    std::vector<int> done;
    for (const auto& [item, result] : results_) {
      if (item.bits != bits)
        continue;
      done.push_back(item.delta);
      sum.floats += result.floats;
      sum.wrong_floats += result.wrong_floats;
      sum.doubles += result.doubles;
      sum.wrong_doubles += result.wrong_doubles;
      sum.range_count += result.range_count;
      sum.cpu_seconds += result.cpu_seconds;
      for (const WrongRange& range : result.ranges)
        if (ranges.size() < max_listed) {
          ranges.push_back(range);
          ranges.back().update({{"bits", bits}, {"delta", item.delta}});
        }
    }
    by_width.push_back({{"bits", bits},
                        {"deltas_asked", asked.size()},
                        {"deltas_done", done.size()},
                        {"asked", format_deltas(asked)},
                        {"done", format_deltas(done)},
                        {"floats", sum.floats},
                        {"wrong_floats", sum.wrong_floats},
                        {"doubles", sum.doubles},
                        {"wrong_doubles", sum.wrong_doubles},
                        {"range_count", sum.range_count}});
    cpu_seconds[std::to_string(bits)] = sum.cpu_seconds;
  }

  char date[32];
  const std::time_t now = std::time(nullptr);
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  const bench::Machine machine = bench::this_machine();
  return {{"schema", "gfpq-sweep/1"},
          {"library",
           {{"name", library_.file_name()},
            {"version", version_of(library_.info())},
            {"revision", library_.info().u32ComRevision},
            {"sha256", identity_.library_sha256}}},
          {"target", identity_.target},
          {"mode", name_of(identity_.method.mode)},
          {"length", identity_.method.length},
          {"random_doubles", identity_.method.random_doubles},
          {"seed", identity_.method.seed},
          {"floats", name_of_floats(identity_.method)},
          {"complete", is_complete()},
          {"widths", by_width},
          {"ranges", ranges},
          {"run",
           {{"date", date},
            {"cpu", machine.cpu_model},
            {"usable_cpus", machine.usable_cpus},
            {"os", machine.os},
            {"threads", run_.threads},
            {"ranks", run_.ranks},
            {"deltas_resumed", run_.resumed},
            {"wall_seconds", run_.wall_seconds},
            {"cpu_seconds", cpu_seconds}}}};
}

void Summary::print(std::ostream& out) const {
  const nlohmann::json json = to_json();
  for (const auto& width : json["widths"])
    out << width["bits"] << " bit: " << width["deltas_done"] << " of " << width["deltas_asked"] << " deltas, "
        << width["floats"] << " floats, " << width["wrong_floats"] << " wrong, " << width["doubles"] << " doubles, "
        << width["wrong_doubles"] << " wrong\n";
  std::size_t printed = 0;
  for (const auto& range : json["ranges"]) {
    if (++printed > max_printed) {
      out << "  ... further ranges: --json\n";
      break;
    }
    const auto text = [&range](const char* key) { return range[key].get<std::string>(); };
    out << "  " << range["bits"] << " bit, delta " << range["delta"] << ", " << text("type") << " 0x" << text("first")
        << " to 0x" << text("last") << " (" << range["count"] << "): ";
    if (range["status"] > GFPQ_SUCCESS)
      out << "the call found another delta\n";
    else if (range["status"] != GFPQ_SUCCESS)
      out << "the call returned 0x" << std::hex << static_cast<unsigned>(range["status"].get<int>()) << std::dec
          << "\n";
    else
      out << "got 0x" << text("got") << ", want 0x" << text("want") << "\n";
  }
  out << library_.file_name() << " " << version_of(library_.info())
      << (!holds()         ? " does NOT compute GFPQ\n"
          : !is_complete() ? ": no difference so far; stopped before the end\n"
                           : ": no difference\n");
}

} // namespace conformance
