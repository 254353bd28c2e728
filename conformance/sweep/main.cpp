// The sweep: every float at every delta through one library, against the golden thresholds.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "journal.hpp"
#include "oracle/golden.hpp"
#include "oracle/sha256.hpp"
#include "oracle/widths.hpp"
#include "plan.hpp"
#include "ranks.hpp"
#include "summary.hpp"

namespace conformance {
namespace {

constexpr int exit_differences = 1, exit_usage = 2, exit_stopped = 3;

std::atomic<bool> stopping{false};

struct Options {
  std::string library = GFPQ_DEFAULT_LIBRARY, golden, bits = "all", deltas, shard = "1/1", journal, json;
  std::size_t limit = 0;
  unsigned threads = 1;
  Method method{GFPQ_MODE_APPLY_ONLY, 1 << 16, true, 110'000,
                1}; // 256 KB a call: stays in L2, and makes a call's cost small
};

std::vector<std::string> names_of_widths() {
  std::vector<std::string> names = {"all"};
  for (const Width& width : widths)
    names.push_back(std::to_string(width.bits));
  return names;
}

std::unique_ptr<CLI::App> command_line(Options& options) {
  auto app = std::make_unique<CLI::App>(
      "Compares all 2^32 floats, the doubles around every threshold, and random doubles, at every delta, with the "
      "golden thresholds. Exit status: 0 no difference, 1 some, 2 bad arguments, 3 stopped before the end without "
      "one. SIGINT and SIGTERM stop it behind the deltas in hand.\n");
  app->add_option("--library", options.library, "the library to test (a file)")->capture_default_str();
  app->add_option("--bits", options.bits, "bit width")->check(CLI::IsMember(names_of_widths()))->capture_default_str();
  app->add_option("--deltas", options.deltas, "only these: 7, first:last, first:last:step, joined by commas");
  app->add_option("--limit", options.limit,
                  "of each width only the first N deltas, which are both ends and then an even sample");
  app->add_option("--shard", options.shard, "i/n: the i-th of n equal parts, from 1")->capture_default_str();
  app->add_option("--threads", options.threads, "deltas at once")->check(CLI::Range(1, 4096))->capture_default_str();
  app->add_option("--floats", options.method.all_floats,
                  "all; or borders: the 64 on either side of every threshold and other border")
      ->transform(CLI::CheckedTransformer(std::map<std::string, bool>{{"all", true}, {"borders", false}}));
  app->add_option("--doubles", options.method.random_doubles,
                  "random doubles at each delta; the default makes 10^9 of all")
      ->capture_default_str();
  app->add_option("--seed", options.method.seed, "of the random doubles")->capture_default_str();
  app->add_option("--mode", options.method.mode,
                  "apply; or init, update: delta is found in the data, of which those are left out that ask for more")
      ->transform(CLI::CheckedTransformer(std::map<std::string, unsigned>{
          {"init", GFPQ_MODE_INIT}, {"update", GFPQ_MODE_UPDATE}, {"apply", GFPQ_MODE_APPLY_ONLY}}));
  app->add_option("--length", options.method.length, "numbers a call")
      ->check(CLI::Range(std::size_t(1), std::size_t(1) << 24))
      ->capture_default_str();
  app->add_option("--journal", options.journal,
                  "a file that remembers each finished delta; the same command goes on where it was");
  app->add_option("--json", options.json, "write the results to this file");
  app->add_option("--golden", options.golden, "the folder of the golden data");
  return app;
}

/// What the options ask for, widths in turn, each in the order of `spread`.
std::vector<Item> plan(const Options& options) {
  std::vector<Item> items;
  for (const Width& width : widths) {
    const int bits = width.bits;
    if (options.bits != "all" && options.bits != std::to_string(bits))
      continue;
    std::vector<int> deltas = spread(parse_deltas(options.deltas, bits));
    if (options.limit > 0 && options.limit < deltas.size())
      deltas.resize(options.limit);
    for (const int delta : deltas)
      items.push_back({bits, delta});
  }
  std::size_t index = 0, count = 0;
  char slash = ' ';
  std::istringstream shard(options.shard);
  if (!(shard >> index >> slash >> count) || slash != '/' || !shard.eof() || index < 1 || index > count)
    throw std::runtime_error("--shard: \"" + options.shard + "\" is not i/n with i from 1 to n");
  return part(items, index - 1, count);
}

/// Tells on standard error, every few seconds, how far this process is.
class Progress {
public:
  explicit Progress(std::size_t items) : items_(items) {}

  void add(const DeltaResult& result) {
    ++done_;
    wrong_ += result.wrong_floats + result.wrong_doubles;
    const auto now = Clock::now();
    if (now - told_ < std::chrono::seconds(5) && done_ < items_)
      return;
    told_ = now;
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    const auto left = static_cast<long>(elapsed / static_cast<double>(done_) * static_cast<double>(items_ - done_));
    char time[32];
    std::snprintf(time, sizeof time, "%ld:%02ld:%02ld", left / 3600, left / 60 % 60, left % 60);
    std::cerr << done_ << " of " << items_ << " deltas, " << wrong_ << " wrong numbers, " << time << " left"
              << std::endl;
  }

private:
  using Clock = std::chrono::steady_clock;
  const std::size_t items_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point told_ = start_;
  std::size_t done_ = 0;
  std::uint64_t wrong_ = 0;
};

/// Sweeps the items on several threads until all are done or a signal came.
std::vector<DeltaResult> sweep(const Library& library, const std::vector<Item>& items, const Options& options,
                               Journal* journal, Progress* progress) {
  std::vector<DeltaResult> results;
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (std::size_t i; !stopping && (i = next++) < items.size();) {
        const DeltaResult result = sweep_delta(library, items[i].bits, items[i].delta, options.method);
        const std::lock_guard lock(mutex);
        if (journal != nullptr)
          journal->add(result);
        if (progress != nullptr)
          progress->add(result);
        results.push_back(result);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
      stopping = true;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < options.threads; ++i)
    threads.emplace_back(work);
  for (std::thread& thread : threads)
    thread.join();
  if (failure)
    std::rethrow_exception(failure);
  return results;
}

/// The items that no result is there of.
std::vector<Item> still_to_do(const std::vector<Item>& items, const std::vector<DeltaResult>& results) {
  std::set<Item> done;
  for (const DeltaResult& result : results)
    done.insert({result.bits, result.delta});
  std::vector<Item> left;
  for (const Item& item : items)
    if (done.count(item) == 0)
      left.push_back(item);
  return left;
}

int run(const Options& options, const Ranks& ranks) {
  const auto start = std::chrono::steady_clock::now();
  if (!options.golden.empty())
    set_golden_folder(options.golden);
  const std::vector<Item> items = plan(options);
  const Library library(options.library);
  const char* target = std::getenv("GFPQ_TARGET");
  const Identity identity{sha256_of_file(options.library), target == nullptr ? "" : target, options.method};
  const bool is_root = ranks.index() == 0;
  std::ofstream json_file;
  if (is_root && !options.json.empty()) {
    json_file.open(options.json);
    if (!json_file)
      throw std::runtime_error("cannot write " + options.json);
  }

  // Rank 0 alone reads the journals: every rank must find the same work left to be shared.
  std::vector<DeltaResult> remembered;
  std::optional<Journal> journal;
  if (!options.journal.empty()) {
    if (is_root)
      remembered = read_journals(options.journal, identity);
    remembered = nlohmann::json::parse(ranks.broadcast(nlohmann::json(remembered).dump()));
    journal.emplace(options.journal + (is_root ? "" : "." + std::to_string(ranks.index())), identity);
  }
  const std::vector<Item> left = still_to_do(items, remembered);
  const std::vector<Item> mine = part(left, ranks.index(), ranks.count());

  for (const int signal_number : {SIGINT, SIGTERM})
    signal(signal_number, [](int) { stopping = true; });
  if (is_root)
    std::cerr << "Sweeping " << options.library << ", " << items.size() << " deltas, " << items.size() - left.size()
              << " of them done before\n";
  Progress progress(mine.size());
  const std::vector<DeltaResult> results =
      sweep(library, mine, options, journal ? &*journal : nullptr, is_root ? &progress : nullptr);

  const std::vector<std::string> all_results = ranks.gather(nlohmann::json(results).dump());
  if (!is_root)
    return 0; // rank 0 speaks for all
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Summary summary(library, identity, items, {options.threads, ranks.count(), items.size() - left.size(), seconds});
  for (const DeltaResult& result : remembered)
    summary.add(result);
  for (const std::string& text : all_results)
    for (const DeltaResult& result : nlohmann::json::parse(text).get<std::vector<DeltaResult>>())
      summary.add(result);
  summary.print(std::cout);
  if (json_file.is_open())
    json_file << summary.to_json().dump(1) << std::endl;
  return !summary.holds() ? exit_differences : !summary.is_complete() ? exit_stopped : 0;
}

} // namespace
} // namespace conformance

int main(int argc, char** argv) {
  using namespace conformance;
  const Ranks ranks(argc, argv);
  Options options;
  const auto app = command_line(options);
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream nothing;
    const int status = ranks.index() == 0 ? app->exit(error) : app->exit(error, nothing, nothing);
    return status == 0 ? 0 : exit_usage;
  }
  try {
    return run(options, ranks);
  } catch (const std::exception& error) {
    std::cerr << "gfpq_sweep: " << error.what() << "\n";
    ranks.abort(exit_usage);
  }
}
