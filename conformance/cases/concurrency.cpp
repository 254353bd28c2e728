// Thread: calls at once, of every kind.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <regex>
#include <sstream>
#include <thread>

#include "cases/everywhere.hpp"
#include "cases/system.hpp"

namespace conformance {
namespace {

/// Starts `count` threads that begin together, and brings their exceptions here.
template <class Work>
void run_threads(int count, Work work) {
  std::atomic<int> waiting{count};
  std::vector<std::future<void>> running;
  for (int thread = 0; thread < count; ++thread)
    running.push_back(std::async(std::launch::async, [&, thread] {
      --waiting;
      for (int turn = 0; waiting > 0; ++turn)
        if (turn > 10000) // where there are fewer processors than threads
          std::this_thread::yield();
      work(thread);
    }));
  for (std::future<void>& thread : running)
    thread.get();
}

/// Calls from many threads; the first wrong one of each thread is kept, and told at the end.
class ConcurrentCalls {
public:
  explicit ConcurrentCalls(const Library& library) : library_(library) {}

  /// Calls on the first numbers of a long_tensor. `shared`: a parameter that APPLY shares, or null for one of its own.
  /// \return whether all was right
  template <class Float>
  bool call(int bits, Entry entry, unsigned mode, std::size_t count, int variant = 0, GFPQ_PARAM_ST* shared = nullptr) {
    const LongTensor<Float>& numbers = long_tensor<Float>(bits, variant);
    const bool fits = mode != GFPQ_MODE_APPLY_ONLY;
    std::vector<Float> data(numbers.input.begin(), numbers.input.begin() + static_cast<std::ptrdiff_t>(count));
    if (fits)
      data.back() = numbers.largest;
    auto [param, want_param] = parameters_of<Float>(bits, mode, variant);
    GFPQ_PARAM_ST* const used = mode == without_parameter ? nullptr : shared != nullptr ? shared : &param;
    const int status = library_.quantize(Device::cpu, data.data(), static_cast<unsigned>(count),
                                         static_cast<unsigned>(bits), used, entry);
    ++calls_;
    const std::size_t compared = count - (fits ? 1 : 0);
    const bool right = status == GFPQ_SUCCESS &&
                       std::memcmp(data.data(), numbers.want.data(), compared * sizeof(Float)) == 0 &&
                       (!fits || bits_of(data.back()) == bits_of(numbers.largest_want)) &&
                       (used != &param || std::memcmp(&param, &want_param, sizeof param) == 0);
    if (right)
      return true;
    const Call call{library_.function_name<Float>(Device::cpu, entry),
                    type_name<Float>,
                    static_cast<unsigned>(bits),
                    name_of_mode(mode),
                    numbers.delta,
                    "a tensor of " + std::to_string(count) + " numbers"};
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < compared; ++i)
      wrong += bits_of(data[i]) != bits_of(numbers.want[i]);
    const std::lock_guard<std::mutex> lock(mutex_);
    failures_.push_back(call.describe() + ": status " + show_status(status) + ", " + std::to_string(wrong) +
                        " wrong numbers" +
                        (used == &param ? ", block " + show_block(param) + ", want " + show_block(want_param) : ""));
    return false;
  }

  void conclude(Checks& checks) {
    for (int i = 0; i < calls_ - static_cast<int>(failures_.size()); ++i)
      checks.that(true, [] { return std::string(); });
    for (const std::string& failure : failures_)
      checks.that(false, [&] { return failure; });
  }

private:
  const Library& library_;
  std::atomic<int> calls_{0};
  std::mutex mutex_;
  std::vector<std::string> failures_;
};

/// A call that some thread is to make.
struct Job {
  int bits;
  bool is_double;
  Entry entry;
  unsigned mode;
};

std::vector<Job> all_jobs() {
  std::vector<Job> jobs;
  for_each_entry([&](auto kind, int bits, Entry entry) {
    for (const int variant : {0, 1})
      long_tensor<decltype(kind)>(bits, variant); // made before the threads start
    for (const unsigned mode : all_modes)
      jobs.push_back({bits, sizeof kind == 8, entry, mode});
  });
  return jobs;
}

bool run_job(ConcurrentCalls& calls, const Job& job, std::size_t count, int variant) {
  return job.is_double ? calls.call<double>(job.bits, job.entry, job.mode, count, variant)
                       : calls.call<float>(job.bits, job.entry, job.mode, count, variant);
}

constexpr int threads = 8;

CONFORMANCE_TEST(Thread, AllKindsAtOnce, "GFPQ-THREAD-01") {
  need_host_memory();
  constexpr std::size_t counts[] = {1, 3, 17, 100, 1000, 5000};
  ConcurrentCalls calls(*test_run().library);
  const std::vector<Job> jobs = all_jobs();
  const int rounds = test_run().thorough ? 40000 : repetitions(2000, 600, 1000, "calls of each thread");
  run_threads(threads, [&](int thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    for (int round = 0; round < rounds; ++round)
      if (!run_job(calls, jobs[random() % jobs.size()], counts[random() % std::size(counts)], thread % 2))
        return; // and keep what was wrong
  });
  calls.conclude(requirements["GFPQ-THREAD-01"]);
}

/// More threads than a library may have places for, in short calls nearly all their time.
CONFORMANCE_TEST(Thread, ManyAtOnce, "GFPQ-THREAD-01") {
  need_host_memory();
  constexpr int many = 200, least = 200;
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    for (const int variant : {0, 1})
      long_tensor<Float>(bits, variant);
    std::atomic<int> wrong{0};
    const Interruptions interruptions;
    const std::clock_t end = std::clock() + CLOCKS_PER_SEC / 2; // processor time: a busy machine tries as much
    run_threads(many, [&](int thread) {
      Interruptions::allow();
      std::mt19937 random(static_cast<unsigned>(thread)); // threads that share a place are to differ
      const int variant = random() % 2;
      const LongTensor<Float>& numbers = long_tensor<Float>(bits, variant);
      const std::size_t count = 1 + random() % 7;
      GFPQ_PARAM_ST param = parameters_of<Float>(bits, GFPQ_MODE_APPLY_ONLY, variant).before;
      for (int call = 0; call < least || call % 64 != 0 || std::clock() < end; ++call) {
        Float data[7];
        std::copy_n(numbers.input.begin(), count, data);
        test_run().library->quantize(Device::cpu, data, static_cast<unsigned>(count), static_cast<unsigned>(bits),
                                     &param, entry);
        wrong += std::memcmp(data, numbers.want.data(), count * sizeof(Float)) != 0;
      }
    });
    requirements["GFPQ-THREAD-01"].that(wrong == 0, [&] {
      return Call{test_run().library->function_name<Float>(Device::cpu, entry), type_name<Float>,
                  static_cast<unsigned>(bits)}
                 .describe() +
             ": " + std::to_string(wrong) + " calls with short tensors are wrong in " + std::to_string(many) +
             " threads at once";
    });
  });
}

/// Every pair of kinds and modes, with two deltas: about the same time for short and for long tensors, by number and
/// not by the clock, so that a busy machine tries as much as an idle one.
CONFORMANCE_TEST(Thread, TwoKindsAtOnce, "GFPQ-THREAD-01") {
  need_host_memory();
  struct Turn {
    std::size_t count;
    int calls;
  };
  constexpr Turn turns[] = {{24, 1000}, {300, 150}, {5000, 40}, {40000, 6}};
  const int rounds = test_run().thorough ? 40 : 1;
  const int shares = 20, made = repetitions(shares, 3, 24, "twentieths of the calls of each pair");
  ConcurrentCalls calls(*test_run().library);
  const std::vector<Job> jobs = all_jobs();
  const Interruptions interruptions;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    for (std::size_t other = i; other < jobs.size(); ++other)
      run_threads(2, [&](int thread) {
        Interruptions::allow();
        for (int round = 0; round < rounds; ++round)
          for (const Turn& turn : turns)
            for (int call = 0; call < std::max(1, turn.calls * made / shares); ++call)
              if (!run_job(calls, jobs[thread == 0 ? i : other], turn.count, thread))
                return;
      });
  calls.conclude(requirements["GFPQ-THREAD-01"]);
}

/// Calls of one thread on a tensor whose neighbours another thread counts up.
template <class Float>
void check_neighbours(Checks& checks, int bits, Entry entry, std::size_t count, std::size_t offset) {
  using Bits = BitsOf<Float>;
  static_assert(sizeof(std::atomic<Bits>) == sizeof(Float));
  alignas(64) std::atomic<Bits> memory[64] = {};
  std::atomic<Bits>&before = memory[offset], &behind = memory[offset + count + 1];
  const LongTensor<Float>& numbers = long_tensor<Float>(bits);
  for (std::size_t i = 0; i < count; ++i)
    memory[offset + 1 + i] = bits_of(numbers.input[i]);
  std::atomic<bool> ended{false};
  std::size_t lost = 0;
  const int least = repetitions(200, 40, count, "calls beside each writer");
  const Interruptions interruptions;
  run_threads(2, [&](int thread) {
    if (thread == 0) {
      Interruptions::allow();
      constexpr int most = 8000;
      const std::clock_t end = std::clock() + CLOCKS_PER_SEC / 10; // processor time: a busy machine is none the worse
      auto* const data = reinterpret_cast<Float*>(&memory[offset + 1]);
      for (int i = 0; i < least || (i < most && std::clock() < end); ++i) {
        const unsigned mode = all_modes[i % std::size(all_modes)];
        GFPQ_PARAM_ST param = parameters_of<Float>(bits, mode).before;
        test_run().library->quantize(Device::cpu, data, static_cast<unsigned>(count), static_cast<unsigned>(bits),
                                     mode == without_parameter ? nullptr : &param, entry);
      }
      ended = true;
      return;
    }
    for (Bits value = 1; !ended; ++value) {
      before.store(value, std::memory_order_relaxed);
      behind.store(value, std::memory_order_relaxed);
      for (int look = 0; look < 20; ++look)
        lost += before.load(std::memory_order_relaxed) != value || behind.load(std::memory_order_relaxed) != value;
    }
  });
  checks.that(lost == 0, [&] {
    return kind_name(static_cast<unsigned>(bits), sizeof(Float) == 8) + ", a tensor of " + std::to_string(count) +
           " numbers: what another thread wrote right beside it was overwritten";
  });
}

CONFORMANCE_TEST(Thread, NeighboursInUse, "GFPQ-MEMORY-04") {
  need_host_memory();
  for_each_entry([&](auto kind, int bits, Entry entry) {
    long_tensor<decltype(kind)>(bits);
    for (const std::size_t count : {1, 2, 3, 7, 33})
      for (const std::size_t offset : {0, 1})
        check_neighbours<decltype(kind)>(requirements["GFPQ-MEMORY-04"], bits, entry, count, offset);
  });
}

CONFORMANCE_TEST(Thread, MessagesAtOnce, "GFPQ-INTERFACE-10") {
  constexpr unsigned bad_widths[] = {9, 77, 1234567, 100000007};
  constexpr int rounds = 10000; // more than a time slice, where threads share a processor
  for_each_type([&](auto kind) {
    using Float = decltype(kind);
    CapturedOutput output;
    run_threads(static_cast<int>(std::size(bad_widths)), [&](int thread) {
      Float number = 1;
      for (int i = 0; i < rounds; ++i)
        test_run().library->quantize(test_run().device, &number, 1, bad_widths[thread], nullptr);
    });
    std::istringstream printed(output.take());
    std::map<std::string, int> whole; // lines by width
    std::string broken;
    static const std::regex form("\\[ERR\\]\\[\\w+\\]\\[\\d+\\] Invalid bit width\\[(\\d+)\\][^\\[]*");
    std::smatch parts;
    for (std::string line; std::getline(printed, line);)
      if (std::regex_match(line, parts, form))
        ++whole[parts[1]];
      else if (broken.empty())
        broken = line;
    for (const unsigned width : bad_widths)
      requirements["GFPQ-INTERFACE-10"].that(whole[std::to_string(width)] == rounds, [&] {
        return "bit width " + std::to_string(width) + ", " + std::to_string(rounds) +
               " times beside other threads: " + std::to_string(whole[std::to_string(width)]) +
               " whole lines; another is \"" + broken + "\"";
      });
  });
}

CONFORMANCE_TEST_THREADS(Thread, LongTensorsAtOnce, "GFPQ-THREAD-01") {
  need_host_memory();
  ConcurrentCalls calls(*test_run().library);
  const std::vector<Job> jobs = all_jobs();
  for (const std::size_t count : {std::size_t(40000), std::size_t(300007), std::size_t(1) << 20})
    run_threads(4, [&](int thread) {
      for (std::size_t i = 0; i < jobs.size(); ++i) // pairs of the same kind, and pairs that differ
        if (!run_job(calls, jobs[(i + static_cast<std::size_t>(thread / 2) * 11) % jobs.size()], count, thread % 2))
          return;
    });
  calls.conclude(requirements["GFPQ-THREAD-01"]);
}

CONFORMANCE_TEST_WITH(Thread, LongTensorsInterrupted, {2}, "GFPQ-THREAD-02") {
  need_host_memory();
  ConcurrentCalls calls(*test_run().library);
  const std::vector<Job> jobs = all_jobs();
  constexpr int least_rounds = 1, most_rounds = 4, enough = 100; // interrupted waits
  run_threads(1, [&](int) {
    const InterruptedWaits interruptions;
    for (int round = 0; round < least_rounds || (round < most_rounds && interruptions.count() < enough); ++round)
      for (const Job& job : jobs)
        if (!run_job(calls, job, std::size_t(1) << 20, round % 2))
          return;
  });
  calls.conclude(requirements["GFPQ-THREAD-02"]);
}

/// A copy of the library's file, which the loader takes for another library: its first calls are still to come.
class FreshLibrary {
public:
  explicit FreshLibrary(int number) {
    const std::filesystem::path original = test_run().library->path();
    folder_ = std::filesystem::temp_directory_path() /
              ("gfpq-" + std::to_string(std::random_device()()) + "-" + std::to_string(number));
    std::filesystem::create_directory(folder_);
    const std::filesystem::path copy = folder_ / original.filename();
    std::filesystem::copy_file(std::filesystem::canonical(original), copy);
    try {
      library_.emplace(copy.string());
    } catch (const std::runtime_error& error) {
      std::filesystem::remove_all(folder_);
      throw Skip(std::string("a copy of the library cannot be loaded: ") + error.what());
    }
  }
  ~FreshLibrary() {
    std::error_code in_use; // Windows keeps a loaded file
    std::filesystem::remove_all(folder_, in_use);
  }

  const Library& library() const { return *library_; }

private:
  std::filesystem::path folder_;
  std::optional<Library> library_;
};

CONFORMANCE_TEST(Thread, FirstCallsAtOnce, "GFPQ-THREAD-03") {
  need_host_memory();
  constexpr std::size_t counts[] = {1, 5, 100, 1000};
  const std::vector<Job> jobs = all_jobs();
  for (int number = 0; number < (test_run().thorough ? 1000 : 200); ++number) {
    const FreshLibrary fresh(number);
    ConcurrentCalls calls(fresh.library());
    // All the same call, or each thread another.
    run_threads(threads, [&](int thread) {
      const auto own = static_cast<std::size_t>(number % 2 == 0 ? 0 : thread * 7);
      run_job(calls, jobs[(static_cast<std::size_t>(number) * 13 + own) % jobs.size()],
              counts[static_cast<std::size_t>(number) % std::size(counts)], thread % 2);
    });
    calls.conclude(requirements["GFPQ-THREAD-03"]);
  }
}

CONFORMANCE_TEST(Thread, SharedParameter, "GFPQ-THREAD-04") {
  need_host_memory();
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    long_tensor<Float>(bits); // made before the threads start
    ConcurrentCalls calls(*test_run().library);
    GFPQ_PARAM_ST shared = parameters_of<Float>(bits, GFPQ_MODE_APPLY_ONLY).before;
    const GFPQ_PARAM_ST before = shared;
    const int rounds = repetitions(300, 60, 100, "calls of each thread");
    run_threads(threads, [&](int thread) {
      for (int round = 0; round < rounds; ++round) {
        const auto count = static_cast<std::size_t>(round % 30 == 7 ? 20000 : 1 + 13 * thread + round);
        if (!calls.template call<Float>(bits, entry, GFPQ_MODE_APPLY_ONLY, count, 0, &shared))
          return;
      }
    });
    calls.conclude(requirements["GFPQ-THREAD-04"]);
    requirements["GFPQ-THREAD-04"].param({"HI_GFPQ_QuantAndDeQuant", type_name<Float>, static_cast<unsigned>(bits),
                                          "APPLY", delta_held(before), "a parameter that eight threads share"},
                                         shared, before);
  });
}

CONFORMANCE_TEST(Thread, TheSameEachTime, "GFPQ-THREAD-02") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    const auto input = numbers_in_range<Float>(bits, 5, 200003);
    GFPQ_PARAM_ST first_param{};
    const auto first = quantize(input, static_cast<unsigned>(bits), &first_param).data;
    for (int round = 0; round < 5; ++round) {
      const Call call{"HI_GFPQ_QuantAndDeQuant", type_name<Float>, static_cast<unsigned>(bits), "INIT", {}, "repeated"};
      GFPQ_PARAM_ST param{};
      requirements["GFPQ-THREAD-02"].tensor(call, input, quantize(input, static_cast<unsigned>(bits), &param).data,
                                            first);
      requirements["GFPQ-THREAD-02"].param(call, param, first_param);
    }
  });
}

const std::vector<int> one_to_eight = {1, 2, 3, 4, 5, 6, 7, 8};

CONFORMANCE_TEST_WITH(Thread, Counts, one_to_eight, "GFPQ-THREAD-05") {
  for_each_kind([&](auto kind, int bits) {
    using Float = decltype(kind);
    // So long that each of eight threads gets a part; the parts' remainders differ from length to length.
    const LongTensor<Float>& numbers = long_tensor<Float>(bits);
    std::vector<Float> input, want;
    while (input.size() < 4500011) {
      input.insert(input.end(), numbers.input.begin(), numbers.input.end());
      want.insert(want.end(), numbers.want.begin(), numbers.want.end());
    }
    Checks& checks = requirements["GFPQ-THREAD-05"];
    std::size_t turn = 0;
    for (const std::size_t count : {std::size_t(4500011), (std::size_t(1) << 22) + 77}) {
      input.resize(count);
      want.resize(count);
      for (const std::size_t place : {std::size_t(0), count / 3 - 1, count - 1}) {
        const unsigned mode = fitting_modes[turn++ % std::size(fitting_modes)];
        if (place != count - 1 && turn < 5 && !test_run().thorough)
          continue;
        const Float former = input[place], former_want = want[place];
        input[place] = numbers.largest;
        want[place] = numbers.largest_want;
        auto [param, want_param] = parameters_of<Float>(bits, mode);
        const Outcome<Float> outcome =
            quantize(input, static_cast<unsigned>(bits), mode == without_parameter ? nullptr : &param);
        const Call call{"HI_GFPQ_QuantAndDeQuant",
                        type_name<Float>,
                        static_cast<unsigned>(bits),
                        name_of_mode(mode),
                        numbers.delta,
                        std::to_string(count) + " numbers, the largest is number " + std::to_string(place)};
        checks.status(call, outcome.status, GFPQ_SUCCESS);
        if (mode != without_parameter)
          checks.param(call, param, want_param);
        check_numbers(checks, call, input.data(), outcome.data.data(), want.data(), count);
        input[place] = former;
        want[place] = former_want;
      }
    }
  });
}

} // namespace
} // namespace conformance
