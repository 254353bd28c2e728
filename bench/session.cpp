#include "session.hpp"

#include <algorithm>
#include <cmath>

#include "repetition.hpp"
#include "timing.hpp"

namespace bench {

Session::Session(const Machine& machine, int all_threads)
    : machine_(machine), all_threads_(all_threads), clock_cost_(measure_clock_cost()) {}

template <>
Session::Kept<float>& Session::kept() {
  return f32_;
}
template <>
Session::Kept<double>& Session::kept() {
  return f64_;
}

template <class Float>
void Session::prepare(const Row& row) {
  Kept<Float>& own = kept<Float>();
  const std::string source_name = std::to_string(static_cast<int>(row.data)) + " " + std::to_string(row.count);
  if (own.source_name != source_name) {
    own.source = make_data<Float>(row.data, row.count);
    own.source_name = source_name;
    own.largest = 0;
    for (const Float number : own.source)
      own.largest = std::max(own.largest, std::abs(number));
  }
  const std::string expected_name = source_name + " " + std::to_string(row.bits);
  if (row.kind == Kind::quantize && own.expected_name != expected_name) {
    own.expected = expect(own.source, row.bits);
    own.expected_name = expected_name;
  }

  const TensorPlan plan(machine_, row.bytes(), row.cache);
  const std::string tensors_name = std::to_string(row.bytes()) + " " + std::to_string(plan.groups) + " " +
                                   std::to_string(plan.group_size) + " " + std::to_string(threads_of(row));
  if (tensors_name_ != tensors_name) {
    tensors_.reset(); // before the new ones take memory
    tensors_ = std::make_unique<Tensors>(plan, row.bytes(), threads_of(row));
    tensors_name_ = tensors_name;
  }
}

std::size_t Session::memory_of(const Row& row) const {
  const std::size_t kept_copies = 4; // source and expected, and those of the other type from before
  return TensorPlan(machine_, row.bytes(), row.cache).total_bytes() + kept_copies * row.bytes();
}

template <class Float>
void Session::measure_as(benchmark::State& state, const Row& row) {
  prepare<Float>(row);
  Repetition<Float>(*this, row).run(state);
}

void Session::measure(benchmark::State& state, const Row& row) {
  // One iteration is one repetition's worth of samples: their median is its time.
  for (auto _ : state) {
    try {
      if (row.type == Type::f32)
        measure_as<float>(state, row);
      else
        measure_as<double>(state, row);
    } catch (const std::exception& error) {
      failed_ = true;
      state.SkipWithError(error.what());
      break;
    }
  }
}

} // namespace bench
