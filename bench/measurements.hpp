// Measures rows, one after the other, and keeps what one row leaves for the next: data, tensors, the choice of limits.
#ifndef GFPQ_BENCH_MEASUREMENTS_HPP
#define GFPQ_BENCH_MEASUREMENTS_HPP

#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "data.hpp"
#include "limits.hpp"
#include "machine.hpp"
#include "row.hpp"
#include "tensors.hpp"

namespace bench {

class Measurements {
public:
  Measurements(const Machine& machine, int all_threads);

  /// One repetition of a row.
  void measure(benchmark::State& state, const Row& row);

  /// How much memory a row needs.
  std::size_t memory_of(const Row& row) const;

private:
  template <class Float>
  class Repetition;

  /// What is kept of one type.
  template <class Float>
  struct Kept {
    std::string source_name;
    std::vector<Float> source;
    Float largest = 0;                            ///< magnitude in it
    std::map<unsigned, Expected<Float>> expected; ///< by bits
  };

  template <class Float>
  Kept<Float>& kept() {
    if constexpr (std::is_same_v<Float, float>)
      return f32_;
    else
      return f64_;
  }

  /// The threads that a row's limit and tensors use.
  int threads_of(const Row& row) const { return row.threads == own_threads ? all_threads_ : row.threads; }

  template <class Float>
  void measure_as(benchmark::State& state, const Row& row);

  template <class Float>
  void prepare(const Row& row);

  Machine machine_;
  int all_threads_;
  double clock_cost_; ///< seconds that an empty interval seems to take
  Kept<float> f32_;
  Kept<double> f64_;
  std::string tensors_name_;
  std::unique_ptr<Tensors> tensors_;
  std::map<std::string, LimitLoop> fastest_loops_;
  std::map<std::string, std::size_t> calls_; ///< in a group, by library and row
};

} // namespace bench

#endif
