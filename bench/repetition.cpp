// How one repetition of one row is measured.
#include "measurements.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "block.hpp"
#include "library.hpp"
#include "timing.hpp"

namespace bench {

namespace {

constexpr double group_seconds = 200e-6; // a timed interval gets no longer than this, unless one call is longer
constexpr double peer_seconds = 0.01;    // for the peer beside each repetition
constexpr std::size_t few_samples = 3;
constexpr std::size_t most_samples = 5000;
constexpr std::size_t choosing_samples = 5; // of each loop at the least, when the fastest limit is chosen
constexpr double choosing_seconds = 0.01;

/// A call that fails or gives a wrong result.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void check_status(int status) {
  if (status == GFPQ_SUCCESS)
    return;
  char text[40];
  std::snprintf(text, sizeof text, "the call returns 0x%08x ", static_cast<unsigned>(status));
  throw Failure(text + Library::last_message());
}

} // namespace

template <class Float>
class Measurements::Repetition {
public:
  Repetition(Measurements& measurements, const Row& row, const Kept<Float>& kept, Tensors& tensors)
      : measurements_(measurements), row_(row), kept_(kept), tensors_(tensors),
        group_size_(tensors_.plan().group_size) {
    tensors_.fill(kept_.source.data());
    loop_ = fastest_loop();
  }

  void run(benchmark::State& state) {
    const double seconds = row_.kind == Kind::quantize ? measure_calls(state) : measure_limit(state);
    const double bytes = static_cast<double>(row_.bytes());
    state.SetIterationTime(seconds);
    state.counters["gbytes_per_second"] = bytes * row_.passes() / seconds / 1e9;
    state.counters["ns_per_element"] = seconds / static_cast<double>(row_.count) * 1e9;
    state.SetLabel((row_.kind == Kind::quantize ? "limit: " : "") + loop_.describe(row_.limit()));
  }

private:
  /// Calls and limits in turn. \return the median time of a call.
  double measure_calls(benchmark::State& state) {
    const Library& library = use(*row_.contender);
    const GFPQ_PARAM_ST before = block(library);
    const std::size_t calls = calls_in_group(*row_.contender, before);
    std::vector<double> times;
    std::vector<double> limit_times;
    bool is_last = false;
    const auto start = Clock::now();
    while (!is_last) {
      const std::size_t group = ready_group();
      GFPQ_PARAM_ST after = before;
      times.push_back(time_calls(library, group, calls, after));
      limit_times.push_back(time_limit(loop_));
      is_last = !wants_more(times.size(), seconds_since(start));
      if (is_last)
        verify(group, calls, before, after);
      tensors_.restore(group);
    }

    const double seconds = median(times);
    const double limit_seconds = median(limit_times);
    state.counters["guide_gib_per_second"] = static_cast<double>(row_.bytes()) / seconds / (1 << 30);
    state.counters["limit_ratio"] = limit_seconds / seconds;
    state.counters["limit_time"] = limit_seconds * 1e9;
    state.counters["samples"] = static_cast<double>(times.size());
    state.counters["calls_per_sample"] = static_cast<double>(calls);
    if (row_.peer != nullptr) {
      const double peer_seconds_a_call = measure_peer_beside();
      state.counters["peer_ratio"] = peer_seconds_a_call / seconds;
      state.counters["peer_time"] = peer_seconds_a_call * 1e9;
    }
    return seconds;
  }

  /// The same call of the peer, at least once. \return its median time.
  double measure_peer() {
    const Library& library = use(*row_.peer);
    const GFPQ_PARAM_ST before = block(library);
    const std::size_t calls = calls_in_group(*row_.peer, before);
    std::vector<double> times;
    const auto start = Clock::now();
    do {
      const std::size_t group = ready_group();
      GFPQ_PARAM_ST after = before;
      times.push_back(time_calls(library, group, calls, after));
      verify(group, calls, before, after);
      tensors_.restore(group);
    } while (seconds_since(start) < peer_seconds);
    return median(times);
  }

  double measure_peer_beside() {
    try {
      return measure_peer();
    } catch (const Failure& failure) {
      throw Failure(std::string("the peer, beside this row: ") + failure.what());
    }
  }

  double measure_limit(benchmark::State& state) {
    std::vector<double> times;
    ready_group();
    const auto start = Clock::now();
    do
      times.push_back(time_limit(loop_));
    while (wants_more(times.size(), seconds_since(start)));
    Float* const data = tensor(tensors_.next(), 0);
    const Float largest = run_limit(row_.op, loop_, data, tensor(tensors_.next(), 0), row_.count);
    if (std::memcmp(data, kept_.source.data(), row_.bytes()) != 0)
      throw Failure("the limit changed the data");
    const bool finds_largest = row_.op == Op::max || row_.op == Op::max_scale;
    if (finds_largest && largest != kept_.largest)
      throw Failure("the limit did not find the largest number");
    state.counters["samples"] = static_cast<double>(times.size());
    state.counters["calls_per_sample"] = static_cast<double>(group_size_);
    return median(times);
  }

  /// A slow library gets a few samples, and a very slow one a single one.
  bool wants_more(std::size_t samples, double seconds) const {
    if (samples < few_samples)
      return seconds < 3 * row_.seconds;
    return samples < most_samples && seconds < row_.seconds;
  }

  /// The group for the next call, all of it as it was: warm, or cold after a limit ran on others, so that a call finds
  /// the memory as the limit beside it does and not busy with a copy.
  std::size_t ready_group() {
    if (row_.cache == Cache::cold) {
      time_limit(loop_);
      return tensors_.next();
    }
    for (std::size_t index = 0; index < group_size_; ++index)
      run_limit(Op::scale, loop_, tensor(0, index), tensor(0, index), row_.count);
    return 0;
  }

  Float* tensor(std::size_t group, std::size_t index) const { return static_cast<Float*>(tensors_.at(group, index)); }

  /// Times work(index) for the copies of a group. \return seconds for one.
  template <class Work>
  double time_each(std::size_t calls, const Work& work) const {
    const auto start = Clock::now();
    for (std::size_t index = 0; index < calls; ++index)
      work(index);
    const double seconds = seconds_since(start) - measurements_.clock_cost_;
    return std::max(seconds, 1e-10) / static_cast<double>(calls);
  }

  double time_calls(const Library& library, std::size_t group, std::size_t calls, GFPQ_PARAM_ST& param) const {
    const auto count = static_cast<unsigned>(row_.count);
    int status = GFPQ_SUCCESS;
    const double seconds = time_each(
        calls, [&](std::size_t index) { status |= library.quantize(tensor(group, index), count, row_.bits, &param); });
    check_status(status);
    return seconds;
  }

  double time_limit(const LimitLoop& loop) const {
    const std::size_t group = tensors_.next();
    // All hold the same, so copying changes nothing; and it goes where it warms no group that is next.
    const std::size_t groups = tensors_.plan().groups;
    const std::size_t other = (group + groups / 2 + 1) % groups;
    return time_each(group_size_, [&](std::size_t index) {
      run_limit(row_.limit(), loop, tensor(group, index), tensor(other, index), row_.count);
    });
  }

  const Library& use(const Contender& contender) const {
    if (row_.threads != own_threads)
      contender.library->set_threads(row_.threads);
    return *contender.library;
  }

  /// The block before a call. Made by the library itself, from one number that asks for the delta that is wanted: the
  /// data's for APPLY; a smaller one for UPDATE, so that the data decide.
  GFPQ_PARAM_ST block(const Library& library) const {
    const Float part = row_.mode == GFPQ_MODE_UPDATE ? Float(0.125) : Float(1);
    Float number = kept_.largest * part;
    GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
    check_status(library.quantize(&number, 1, row_.bits, &param));
    param.mode = row_.mode;
    return param;
  }

  /// How many copies of a group a contender works on, so that a slow one does not take minutes. Found once a row, by a
  /// call that at the same time wakes threads and fills tables.
  std::size_t calls_in_group(const Contender& contender, const GFPQ_PARAM_ST& before) {
    const auto [entry, is_new] = measurements_.calls_.try_emplace(contender.lib + " in " + row_.name(), group_size_);
    if (is_new) {
      GFPQ_PARAM_ST param = before;
      const std::size_t group = ready_group();
      time_calls(*contender.library, group, 1, param);
      const double seconds = time_calls(*contender.library, group, 1, param);
      tensors_.restore(group);
      const double fitting = group_seconds / seconds;
      if (fitting < static_cast<double>(group_size_))
        entry->second = std::max<std::size_t>(1, static_cast<std::size_t>(fitting));
    }
    return entry->second;
  }

  void verify(std::size_t group, std::size_t calls, const GFPQ_PARAM_ST& before, const GFPQ_PARAM_ST& after) const {
    const Expected<Float>& expected = kept_.expected.at(row_.bits);
    for (std::size_t index = 0; index < calls; ++index) {
      const std::string wrong = difference(tensor(group, index), expected.data, kept_.source);
      if (!wrong.empty())
        throw Failure("wrong result: " + wrong);
    }
    if (delta_of(after) != expected.delta)
      throw Failure("wrong parameter block: delta " + std::to_string(delta_of(after)) + " instead of " +
                    std::to_string(expected.delta));
    if (row_.mode == GFPQ_MODE_APPLY_ONLY && std::memcmp(&before, &after, sizeof before) != 0)
      throw Failure("APPLY_ONLY changed the parameter block");
  }

  /// Tried once for every kind of limit, and kept.
  LimitLoop fastest_loop() {
    const int threads = measurements_.threads_of(row_);
    const std::string name = std::string(name_of(row_.limit())) + (row_.type == Type::f32 ? " f32 " : " f64 ") +
                             std::to_string(row_.count) + (row_.cache == Cache::cold ? " cold " : " warm ") +
                             std::to_string(threads);
    if (const auto found = measurements_.fastest_loops_.find(name); found != measurements_.fastest_loops_.end())
      return found->second;

    const std::vector<LimitLoop> loops = limit_loops(row_.limit(), row_.bytes(), threads);
    std::vector<std::vector<double>> times(loops.size());
    ready_group();
    const auto start = Clock::now();
    for (std::size_t sample = 0; sample < choosing_samples || seconds_since(start) < choosing_seconds; ++sample)
      for (std::size_t i = 0; i < loops.size(); ++i)
        times[i].push_back(time_limit(loops[i]));
    std::size_t fastest = 0;
    for (std::size_t i = 1; i < loops.size(); ++i)
      if (quartile(times[i]) < quartile(times[fastest]))
        fastest = i;
    return measurements_.fastest_loops_[name] = loops[fastest];
  }

  Measurements& measurements_;
  const Row& row_;
  const Kept<Float>& kept_;
  Tensors& tensors_;
  std::size_t group_size_;
  LimitLoop loop_;
};

template <class Float>
void Measurements::measure_as(benchmark::State& state, const Row& row) {
  const auto [kept, tensors] = prepare<Float>(row);
  try {
    Repetition<Float>(*this, row, kept, tensors).run(state);
  } catch (...) {
    tensors.spoil();
    throw;
  }
}

void Measurements::measure(benchmark::State& state, const Row& row) {
  // One iteration is one repetition's worth of samples: their median is its time.
  for (auto _ : state) {
    try {
      if (row.type == Type::f32)
        measure_as<float>(state, row);
      else
        measure_as<double>(state, row);
    } catch (const std::exception& error) {
      state.SkipWithError(error.what());
      break;
    }
  }
}

} // namespace bench
