// State, Memory: what one call leaves to the next, and to a forked child: nothing.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <future>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "cases/everywhere.hpp"
#include "cases/system.hpp"
#include "runner/captured_output.hpp"

namespace conformance {
namespace {

/// A call that is refused: `data` is null, or width, mode or block are bad.
struct BadCall {
  const char* what;
  bool is_data_null;
  unsigned bits;
  unsigned mode;
  unsigned char fill; ///< the block's bytes
};
constexpr BadCall bad_calls[] = {{"null data", true, 0, GFPQ_MODE_INIT, 0},
                                 {"a bad bit width", false, 9, GFPQ_MODE_INIT, 0},
                                 {"an unknown mode", false, 0, 7, 0},
                                 {"an unset block in APPLY", false, 0, GFPQ_MODE_APPLY_ONLY, 0},
                                 {"a damaged block in UPDATE", false, 0, GFPQ_MODE_UPDATE, 0x5A}};

template <class Float>
void make_bad_call(const BadCall& bad, int bits, Entry entry) {
  Float data[] = {1, -2, 3};
  GFPQ_PARAM_ST param{bad.mode, {}};
  std::memset(param.buf, bad.fill, sizeof param.buf);
  test_run().library->quantize(Device::cpu, bad.is_data_null ? nullptr : data, 3,
                               bad.bits != 0 ? bad.bits : static_cast<unsigned>(bits), &param, entry);
}

CONFORMANCE_TEST(State, AfterErrors, "GFPQ-STATE-01") {
  need_host_memory();
  Checks& checks = requirements["GFPQ-STATE-01"];
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    const std::vector<Float> input = numbers_in_range<Float>(bits, 33, 100);
    for (const BadCall& bad : bad_calls)
      for (const unsigned mode : all_modes) {
        make_bad_call<Float>(bad, bits, entry);
        for (int call = 1; call <= 2; ++call) {
          const std::string note = "call " + std::to_string(call) + " after " + bad.what;
          if (mode == GFPQ_MODE_APPLY_ONLY) {
            check_apply(checks, bits, 33, input, note);
          } else {
            GFPQ_PARAM_ST param = param_of<Float>(bits, mode == without_parameter ? 0u : mode, -300);
            check_fit(checks, bits, mode == without_parameter ? nullptr : &param, input, note);
          }
        }
      }
  });
}

/// How the calls of a series are: of all modes in turn, or all of one; UPDATE over a range that the data widen, or not.
enum class Series { mixed, init, update, update_of_wider, apply, without };

/// Of a series of one mode.
unsigned mode_of(Series series) {
  switch (series) {
  case Series::init:
    return GFPQ_MODE_INIT;
  case Series::apply:
    return GFPQ_MODE_APPLY_ONLY;
  case Series::without:
    return without_parameter;
  default:
    return GFPQ_MODE_UPDATE;
  }
}

/// Many calls on a few numbers; all results are compared.
template <class Float>
void make_calls(Checks& checks, int bits, Entry entry, int first, int last, Series series = Series::mixed) {
  const LongTensor<Float>& numbers = long_tensor<Float>(bits);
  const Library& library = *test_run().library;
  Float data[12];
  int wrong = 0, first_wrong = 0;
  for (int call = first; call < last; ++call) {
    const unsigned mode = series == Series::mixed ? all_modes[call % 4] : mode_of(series);
    const std::size_t count = 1 + static_cast<std::size_t>(call % 12), begin = static_cast<std::size_t>(call % 1000);
    std::copy_n(numbers.input.begin() + static_cast<std::ptrdiff_t>(begin), count, data);
    const bool fits = mode != GFPQ_MODE_APPLY_ONLY && series != Series::update_of_wider;
    if (fits)
      data[0] = numbers.largest;
    auto [param, want_param] = parameters_of<Float>(bits, mode);
    if (series == Series::update_of_wider)
      param = want_param;
    const int status = library.quantize(Device::cpu, data, static_cast<unsigned>(count), static_cast<unsigned>(bits),
                                        mode == without_parameter ? nullptr : &param, entry);
    const std::size_t skipped = fits ? 1 : 0;
    const bool right =
        status == GFPQ_SUCCESS && (!fits || bits_of(data[0]) == bits_of(numbers.largest_want)) &&
        std::memcmp(data + skipped, numbers.want.data() + begin + skipped, (count - skipped) * sizeof(Float)) == 0 &&
        (mode == without_parameter || std::memcmp(&param, &want_param, sizeof param) == 0);
    if (!right && wrong++ == 0)
      first_wrong = call;
  }
  checks.that(wrong == 0, [&] {
    return Call{library.function_name<Float>(Device::cpu, entry), type_name<Float>, static_cast<unsigned>(bits)}
               .describe() +
           ": " + std::to_string(wrong) + " of " + std::to_string(last) + " calls are wrong, the first is number " +
           std::to_string(first_wrong);
  });
}

/// What the process holds more than before, where it is too much.
std::string growth(const Resources& before, const Resources& after, std::size_t allowed_heap_bytes = 1u << 20,
                   std::size_t allowed_bytes = 1u << 20, std::size_t allowed_address_bytes = 64u << 20) {
  std::string text;
  const auto compare = [&](std::size_t from, std::size_t to, std::size_t allowed, const char* what) {
    if (to > from + allowed)
      text += " " + std::to_string(to - from) + " " + what;
  };
  compare(before.heap_bytes, after.heap_bytes, allowed_heap_bytes, "bytes from malloc");
  compare(before.resident_bytes, after.resident_bytes, allowed_bytes, "bytes of memory");
  compare(before.address_bytes, after.address_bytes, allowed_address_bytes, "bytes of address space");
  compare(before.open_files, after.open_files, 0, "open files");
  compare(before.threads, after.threads, 0, "threads");
  return text;
}

CONFORMANCE_TEST(State, ManyCalls, "GFPQ-STATE-02", "GFPQ-MEMORY-11") {
  need_host_memory();
  // A counter of 16 bit overflows within each series.
  const int warm_up = 2000;
  const int calls = warm_up + repetitions(66'000, 2'500, 12, "calls of each series");
  constexpr Series all_series[] = {Series::mixed,           Series::init,  Series::update,
                                   Series::update_of_wider, Series::apply, Series::without};
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    make_calls<Float>(requirements["GFPQ-STATE-02"], bits, entry, 0, warm_up);
    const std::optional<Resources> before = resources_in_use();
    for (const Series series : all_series)
      make_calls<Float>(requirements["GFPQ-STATE-02"], bits, entry, warm_up, calls, series);
    const std::optional<Resources> after = resources_in_use();
    const std::string grown = before && after ? growth(*before, *after) : "";
    requirements["GFPQ-MEMORY-11"].that(grown.empty(), [&] {
      return Call{test_run().library->function_name<Float>(Device::cpu, entry), type_name<Float>,
                  static_cast<unsigned>(bits)}
                 .describe() +
             ": after " + std::to_string(std::size(all_series) * (calls - warm_up)) + " more calls the process holds" +
             grown + " more";
    });
  });
}

/// A leak grows whenever `work` is done again; what is kept for later use, such as the stacks of ended threads, grows
/// for some time. \return what has grown each time
std::string leak(const std::function<void()>& work) {
  constexpr int times = 6;
  constexpr std::size_t allowed_heap_bytes = 512,
                        allowed_bytes = 64u << 10; // resident memory has its own ups and downs
  std::string grown;
  for (int time = 0; time < times; ++time) {
    const std::optional<Resources> before = resources_in_use();
    work();
    const std::optional<Resources> after = resources_in_use();
    grown = before && after ? growth(*before, *after, allowed_heap_bytes, allowed_bytes, allowed_bytes) : "";
    if (grown.empty())
      break;
  }
  return grown;
}

CONFORMANCE_TEST_WITH(State, ManyErrorsAndLargeCalls, {2}, "GFPQ-MEMORY-11") {
  need_host_memory();
  const auto check = [&](const std::string& what, int calls, auto call) {
    const std::string grown = leak([&] {
      for (int i = 0; i < calls; ++i)
        call();
    });
    requirements["GFPQ-MEMORY-11"].that(grown.empty(), [&] {
      return "after each " + std::to_string(calls) + " more calls with " + what + " the process holds" + grown +
             " more";
    });
  };
  for_each_type([&](auto kind) {
    using Float = decltype(kind);
    const int bits = offered_widths<Float>().front();
    const int errors = repetitions(5'000, 500, 3, "calls with each error");
    for (const BadCall& bad : bad_calls)
      check(bad.what, errors, [&] { make_bad_call<Float>(bad, bits, Entry::cpp); });
    const LongTensor<Float>& numbers = long_tensor<Float>(bits);
    std::vector<Float> data = numbers.input;
    data.insert(data.end(), numbers.input.begin(), numbers.input.end());
    check("a long tensor", 30, [&] {
      test_run().library->quantize(Device::cpu, data.data(), static_cast<unsigned>(data.size()),
                                   static_cast<unsigned>(bits), nullptr);
    });
  });
}

/// What is wrong with calls of all kinds, in words; empty where nothing is.
std::string wrong_calls() {
  Checks checks("GFPQ-STATE-03");
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    make_calls<Float>(checks, bits, entry, 0, 40);
    make_bad_call<Float>(bad_calls[1], bits, entry);
    const LongTensor<Float>& numbers = long_tensor<Float>(bits);
    GFPQ_PARAM_ST param = param_of<Float>(bits, GFPQ_MODE_APPLY_ONLY, numbers.delta);
    const Call call{"HI_GFPQ_QuantAndDeQuant",
                    type_name<Float>,
                    static_cast<unsigned>(bits),
                    "APPLY",
                    numbers.delta,
                    "a long tensor"};
    std::vector<Float> data = numbers.input;
    const int status = test_run().library->quantize(Device::cpu, data.data(), static_cast<unsigned>(data.size()),
                                                    static_cast<unsigned>(bits), &param, entry);
    checks.status(call, status, GFPQ_SUCCESS);
    check_numbers(checks, call, numbers.input.data(), data.data(), numbers.want.data(), data.size());
  });
  return checks.finding("").describe();
}

CONFORMANCE_TEST_THREADS(State, ForkedChild, "GFPQ-STATE-03") {
  need_host_memory();
  constexpr unsigned seconds = 30;
  Checks& checks = requirements["GFPQ-STATE-03"];
  const std::string in_parent = wrong_calls(); // whatever a library starts at its first calls has started now
  checks.that(in_parent.empty(), [&] { return "before the fork: " + in_parent; });
  for (int round = 0; round < 2; ++round) {
    const std::string in_child = run_in_child(wrong_calls, seconds);
    checks.that(in_child.empty(), [&] { return "in a forked child: " + in_child; });
    if (!in_child.empty())
      break; // a second one that hangs would tell no more
  }
  const std::string afterwards = wrong_calls();
  checks.that(afterwards.empty(), [&] { return "in the parent after the forks: " + afterwards; });
}

/// A call that is refused and one that is not; what is wrong with them.
std::string wrong_first_calls() {
  std::string wrong;
  for_each_type([&](auto kind) {
    using Float = decltype(kind);
    const auto bits = static_cast<unsigned>(offered_widths<Float>().front());
    Float data[] = {1, -2, 3};
    const int refused = test_run().library->quantize(Device::cpu, data, 3, 9, nullptr);
    const int done = test_run().library->quantize(Device::cpu, data, 3, bits, nullptr);
    if (refused != GFPQ_ERR_BAD_FORMAT || done != GFPQ_SUCCESS)
      wrong = "a bad bit width returned " + show_status(refused) + ", a good call " + show_status(done);
  });
  return wrong;
}

constexpr int forking_threads = 3;

/// Forks children, in which `wrong_calls` says what is wrong with its calls, while other threads call `work(thread)`,
/// and may hold what such calls hold.
void check_forks_within(Checks& checks, const char* what, int rounds, int calls_a_round,
                        const std::function<void(int)>& work, const std::function<std::string()>& wrong_calls) {
  constexpr unsigned seconds = 20;
  std::atomic<bool> ends{false};
  std::atomic<int> calls_left{0}; // few: a child that hangs is waited for without them
  std::vector<std::future<void>> threads;
  for (int thread = 0; thread < forking_threads; ++thread)
    threads.push_back(std::async(std::launch::async, [&, thread] {
      while (!ends)
        if (calls_left-- > 0)
          work(thread);
        else
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }));
  std::string wrong;
  for (int round = 0; round < rounds && wrong.empty(); ++round) {
    calls_left = calls_a_round;
    while (calls_left > calls_a_round - forking_threads) // until they are within calls
      std::this_thread::yield();
    wrong = run_in_child(wrong_calls, seconds);
    checks.that(wrong.empty(),
                [&] { return std::string("in a child forked while other threads ") + what + ": " + wrong; });
  }
  ends = true;
  for (std::future<void>& thread : threads)
    thread.get();
}

CONFORMANCE_TEST(State, ForkedWithinErrors, "GFPQ-STATE-03") {
  need_host_memory();
  CapturedOutput quiet;
  const int bits = offered_widths<float>().front();
  check_forks_within(
      requirements["GFPQ-STATE-03"], "report errors", 40, 20'000,
      [&](int) { make_bad_call<float>(bad_calls[1], bits, Entry::cpp); }, wrong_first_calls);
}

CONFORMANCE_TEST_WITH(State, ForkedWithinLargeCalls, {2}, "GFPQ-STATE-03") {
  need_host_memory();
  if (is_sanitized())
    throw Skip("a forked child may wait for a sanitizer's lock");
  for_each_type([&](auto kind) {
    using Float = decltype(kind);
    const int bits = offered_widths<Float>().front();
    const LongTensor<Float>& numbers = long_tensor<Float>(bits);
    const GFPQ_PARAM_ST right = parameters_of<Float>(bits, GFPQ_MODE_INIT).after;
    const auto call = [&](std::vector<Float>& data) {
      GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
      const int status = test_run().library->quantize(Device::cpu, data.data(), static_cast<unsigned>(data.size()),
                                                      static_cast<unsigned>(bits), &param);
      return status == GFPQ_SUCCESS && std::memcmp(&param, &right, sizeof param) == 0;
    };
    std::vector<Float> input = numbers.input;
    input.back() = numbers.largest;
    std::vector<std::vector<Float>> tensors(forking_threads, input);
    check_forks_within(
        requirements["GFPQ-STATE-03"], "are within long tensors", 10, 10,
        [&](int thread) { call(tensors[static_cast<std::size_t>(thread)]); },
        [&] { return call(input) ? "" : "INIT of a long tensor is wrong"; });
  });
}

CONFORMANCE_TEST(State, OutputThatTakesNothing, "GFPQ-STATE-06") {
  need_host_memory();
  constexpr unsigned seconds = 20;
  for (const BrokenOutput how : {BrokenOutput::full_disk, BrokenOutput::closed}) {
    const std::string wrong = run_in_child(
        [&] {
          break_standard_output(how);
          return wrong_first_calls();
        },
        seconds);
    requirements["GFPQ-STATE-06"].that(wrong.empty(), [&] {
      return std::string("where standard output is ") +
             (how == BrokenOutput::closed ? "closed: " : "a file on a full disk: ") + wrong;
    });
    if (!wrong.empty())
      break;
  }
}

/// A call leaves what it allocated for a thread to nobody.
CONFORMANCE_TEST(State, ManyThreads, "GFPQ-MEMORY-11") {
  need_host_memory();
  constexpr int threads = 300;
  CapturedOutput quiet;
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    const std::string grown = leak([&] {
      for (int i = 0; i < threads; ++i)
        std::thread([&] {
          Float data[] = {1, -2, 3};
          test_run().library->quantize(Device::cpu, data, 3, static_cast<unsigned>(bits), nullptr, entry);
          make_bad_call<Float>(bad_calls[1], bits, entry);
        }).join();
    });
    requirements["GFPQ-MEMORY-11"].that(grown.empty(), [&] {
      return "after calls of each " + std::to_string(threads) + " more threads the process holds" + grown + " more";
    });
  });
}

/// Handlers with flags and a mask of their own, which `signal` does not restore.
CONFORMANCE_TEST(State, HandlersOfTheCaller, "GFPQ-ENV-04") {
  need_host_memory();
  CapturedOutput quiet;
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    const std::string changed = changed_handlers([&] {
      make_calls<Float>(requirements["GFPQ-ENV-04"], bits, entry, 0, 8);
      for (const BadCall& bad : bad_calls)
        make_bad_call<Float>(bad, bits, entry);
      std::vector<Float> data = long_tensor<Float>(bits).input;
      test_run().library->quantize(Device::cpu, data.data(), static_cast<unsigned>(data.size()),
                                   static_cast<unsigned>(bits), nullptr, entry);
    });
    requirements["GFPQ-ENV-04"].that(changed.empty(), [&] {
      return "calls, good and bad ones, left another handler, flags or mask of the handler for" + changed;
    });
  });
}

/// While it lives, malloc has nothing left, where the system gives no more.
class ExhaustedHeap {
public:
  ExhaustedHeap() {
    for (std::size_t bytes = 1u << 20; bytes >= sizeof(Block); bytes /= 2)
      while (void* const memory = std::malloc(bytes))
        last_ = new (memory) Block{last_};
  }
  ~ExhaustedHeap() {
    while (last_ != nullptr)
      std::free(std::exchange(last_, last_->former));
  }
  ExhaustedHeap(const ExhaustedHeap&) = delete;
  ExhaustedHeap& operator=(const ExhaustedHeap&) = delete;

private:
  struct Block {
    Block* former;
  };
  Block* last_ = nullptr;
};

/// What is wrong with calls on long tensors in a process that gets no more threads or memory, or has none left either;
/// empty where nothing is.
template <class Float>
std::string wrong_calls_without_resources(int bits, Entry entry, bool with_heap) {
  const LongTensor<Float>& numbers = long_tensor<Float>(bits);
  std::vector<Float> data[std::size(all_modes)]; // before memory is scarce
  std::fill(std::begin(data), std::end(data), numbers.input);
  CapturedOutput output;
  refuse_threads_and_memory();
  bool all_succeed = true;
  for (const unsigned mode : all_modes) {
    std::vector<Float>& tensor = data[mode];
    if (mode != GFPQ_MODE_APPLY_ONLY)
      tensor.back() = numbers.largest;
    auto [param, want] = parameters_of<Float>(bits, mode);
    const GFPQ_PARAM_ST before = param;
    int status;
    {
      std::optional<ExhaustedHeap> nothing_left;
      if (!with_heap)
        nothing_left.emplace();
      status = test_run().library->quantize(Device::cpu, tensor.data(), static_cast<unsigned>(tensor.size()),
                                            static_cast<unsigned>(bits), mode == without_parameter ? nullptr : &param,
                                            entry);
    }
    const std::vector<Float>& right = status == GFPQ_SUCCESS ? numbers.want : numbers.input;
    const GFPQ_PARAM_ST& right_param = mode == without_parameter || status != GFPQ_SUCCESS ? before : want;
    if (std::memcmp(tensor.data(), right.data(), (tensor.size() - 1) * sizeof(Float)) != 0 ||
        std::memcmp(&param, &right_param, sizeof param) != 0)
      return std::string(name_of_mode(mode)) + " returned " + show_status(status) + ", but " +
             (status == GFPQ_SUCCESS ? "the result is wrong" : "data or parameter changed");
    all_succeed &= status == GFPQ_SUCCESS;
  }
  const std::string printed = all_succeed ? output.take() : "";
  return printed.empty() ? "" : "calls that succeeded printed: " + printed.substr(0, 200);
}

CONFORMANCE_TEST_WITH(State, WithoutThreadsAndMemory, (std::vector<int>{1, 8}), "GFPQ-STATE-05") {
  need_host_memory();
  constexpr unsigned seconds = 30;
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    long_tensor<Float>(bits); // is made before the fork
    for (const bool with_heap : {true, false}) {
      const std::string wrong =
          run_in_child([&] { return wrong_calls_without_resources<Float>(bits, entry, with_heap); }, seconds);
      requirements["GFPQ-STATE-05"].that(wrong.empty(), [&] {
        return kind_name(static_cast<unsigned>(bits), sizeof(Float) == 8) +
               ", a long tensor without threads to be had" + (with_heap ? ": " : ", and without memory left: ") + wrong;
      });
    }
  });
}

CONFORMANCE_TEST(State, SameMemoryOtherNumbers, "GFPQ-STATE-04") {
  need_host_memory();
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    const Oracle<Float>& right = oracle<Float>(bits);
    Checks& checks = requirements["GFPQ-STATE-04"];
    std::vector<Float> data(777);
    GFPQ_PARAM_ST param{};
    for (int round = 0; round < 60; ++round) {
      // The first number, the last and all but one between are the same each time.
      std::vector<Float> input(data.size(), Float(0.3));
      input[100 + static_cast<std::size_t>(round)] = at_safe_distance(bits, static_cast<Float>(1 + round % 7 * 3.3));
      const unsigned mode = round % 3 == 2 ? GFPQ_MODE_APPLY_ONLY : GFPQ_MODE_INIT;
      const int delta = mode == GFPQ_MODE_INIT ? right.delta(input) : -55 - round;
      if (mode == GFPQ_MODE_APPLY_ONLY)
        param = param_of<Float>(bits, mode, delta);
      param.mode = mode;
      data = input;
      const Call call{test_run().library->function_name<Float>(Device::cpu, entry),
                      type_name<Float>,
                      static_cast<unsigned>(bits),
                      name_of_mode(mode),
                      delta,
                      "the same address and length as the call before, other numbers"};
      checks.status(call,
                    test_run().library->quantize(Device::cpu, data.data(), static_cast<unsigned>(data.size()),
                                                 static_cast<unsigned>(bits), &param, entry),
                    GFPQ_SUCCESS);
      checks.param(call, param, param_of<Float>(bits, mode, delta));
      checks.tensor(call, input, data, right.quantize(input, delta));
    }
  });
}

/// A long tensor that changes in one number only, which a library that looks at some of them does not see.
CONFORMANCE_TEST(State, SameMemoryOneOtherNumber, "GFPQ-STATE-04") {
  need_host_memory();
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    const Oracle<Float>& right = oracle<Float>(bits);
    constexpr std::size_t count = 70000;
    std::vector<Float> data(count);
    std::mt19937_64 random(11);
    for (const Float largest : {Float(1000), Float(5), Float(40), Float(0.5)}) {
      std::fill(data.begin(), data.end(), Float(0.25));
      data[random() % count] = largest;
      GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
      const Call call{test_run().library->function_name<Float>(Device::cpu, entry),
                      type_name<Float>,
                      static_cast<unsigned>(bits),
                      mode_name(GFPQ_MODE_INIT),
                      right.delta({largest}),
                      "the same address, length and numbers as the call before, but for the largest"};
      const int status = test_run().library->quantize(Device::cpu, data.data(), static_cast<unsigned>(count),
                                                      static_cast<unsigned>(bits), &param, entry);
      requirements["GFPQ-STATE-04"].status(call, status, GFPQ_SUCCESS);
      requirements["GFPQ-STATE-04"].param(call, param, param_of<Float>(bits, GFPQ_MODE_INIT, right.delta({largest})));
    }
  });
}

CONFORMANCE_TEST_THREADS(State, SmallStack, "GFPQ-MEMORY-10") {
  need_host_memory();
  Checks& checks = requirements["GFPQ-MEMORY-10"];
  for_each_entry([&](auto kind, int bits, Entry entry) {
    using Float = decltype(kind);
    const LongTensor<Float>& numbers = long_tensor<Float>(bits);
    const auto check = [&](std::size_t count, unsigned mode) {
      std::vector<Float> data(numbers.input.begin(), numbers.input.begin() + static_cast<std::ptrdiff_t>(count));
      std::vector<Float> want(numbers.want.begin(), numbers.want.begin() + static_cast<std::ptrdiff_t>(count));
      if (mode != GFPQ_MODE_APPLY_ONLY) {
        data[count / 2] = numbers.largest;
        want[count / 2] = numbers.largest_want;
      }
      const std::vector<Float> input = data;
      auto [param, want_param] = parameters_of<Float>(bits, mode);
      GFPQ_PARAM_ST* const used = mode == without_parameter ? nullptr : &param;
      int status = 0;
      run_on_stack_of(64 * 1024, [&] {
        status = test_run().library->quantize(Device::cpu, data.data(), static_cast<unsigned>(count),
                                              static_cast<unsigned>(bits), used, entry);
      });
      const Call call{test_run().library->function_name<Float>(Device::cpu, entry),
                      type_name<Float>,
                      static_cast<unsigned>(bits),
                      name_of_mode(mode),
                      numbers.delta,
                      std::to_string(count) + " numbers, on a stack of 64 KiB"};
      checks.status(call, status, GFPQ_SUCCESS);
      if (used != nullptr)
        checks.param(call, param, want_param);
      check_numbers(checks, call, input.data(), data.data(), want.data(), count);
    };
    for (const std::size_t count : {1, 100, 5000, 60000, 1 << 20})
      for (const unsigned mode : all_modes)
        check(count, mode);
    run_on_stack_of(64 * 1024, [&] {
      for (const BadCall& bad : bad_calls)
        make_bad_call<Float>(bad, bits, entry);
    });
  });
}

} // namespace
} // namespace conformance
