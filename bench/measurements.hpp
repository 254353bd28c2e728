// Measures rows, one after the other, and keeps for later rounds what can be used again: data, tensors, the choice of
// limits.
#ifndef GFPQ_BENCH_MEASUREMENTS_HPP
#define GFPQ_BENCH_MEASUREMENTS_HPP

#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
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

  /// How much memory a row needs at the most.
  std::size_t memory_of(const Row& row) const;

private:
  template <class Float>
  class Repetition;

  template <class Float>
  struct Kept {
    std::vector<Float> source;
    Float largest = 0;                            ///< magnitude in it
    std::map<unsigned, Expected<Float>> expected; ///< by bits
  };

  /// By data set and count.
  template <class Float>
  std::map<std::string, Kept<Float>>& all_kept() {
    if constexpr (std::is_same_v<Float, float>)
      return f32_;
    else
      return f64_;
  }

  /// The threads that a row's limit and tensors use.
  int threads_of(const Row& row) const { return row.threads == own_threads ? all_threads_ : row.threads; }

  template <class Float>
  void measure_as(benchmark::State& state, const Row& row);

  /// What the row works on: from an earlier round, or made. What others work on is given up where memory is short.
  template <class Float>
  std::pair<const Kept<Float>&, Tensors&> prepare(const Row& row);

  Machine machine_;
  int all_threads_;
  double clock_cost_; ///< seconds that an empty interval seems to take
  std::size_t most_kept_bytes_;
  std::size_t kept_bytes_ = 0;
  std::map<std::string, Kept<float>> f32_;
  std::map<std::string, Kept<double>> f64_;
  std::map<std::string, std::unique_ptr<Tensors>> tensors_; ///< by plan and threads, which decide where memory lies
  std::map<std::string, LimitLoop> fastest_loops_;
  std::map<std::string, std::size_t> calls_; ///< in a group, by library and row
};

} // namespace bench

#endif
