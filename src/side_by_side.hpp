// The work on groups with short rows, several side by side: memory is walked once, in its order, and each number has
// its group's delta beside it.
#ifndef GFPQ_SRC_SIDE_BY_SIDE_HPP
#define GFPQ_SRC_SIDE_BY_SIDE_HPP

#include <algorithm>
#include <atomic>

#include "group_param.hpp"
#include "parts.hpp"
#include "target_choice.hpp"
#include "transforms.hpp"

namespace gfpq {

/// The deltas of the numbers of one or several rows, each number's own.
template <class Element, class Width, std::size_t capacity>
class RowDeltas {
  using Float = ComputedOf<Element>;
  using Bits = ComputedBits<Element>;

public:
  /// Of rows that have `inner` numbers for each of the groups.
  RowDeltas(const int* deltas, std::size_t groups, std::size_t inner, std::size_t rows) : lowest_(deltas[0]) {
    std::size_t at = 0;
    for (std::size_t group = 0; group < groups; ++group) {
      const Range<Float> range = range_of(ladder<Float, Width>, deltas[group]);
      lowest_ = std::min(lowest_, deltas[group]);
      for (std::size_t i = 0; i < inner; ++i, ++at) {
        lowest_positive_[at] = range.lowest_positive;
        lowest_negative_[at] = range.lowest_negative;
        highest_[at] = range.highest;
        delta_[at] = deltas[group];
      }
    }
    const std::size_t all = rows * at + padding;
    repeat(lowest_positive_, at, all);
    repeat(lowest_negative_, at, all);
    repeat(highest_, at, all);
    repeat(delta_, at, all);
  }

  EachDelta<Float> each() const { return {lowest_positive_, lowest_negative_, highest_, delta_, lowest_}; }

private:
  static constexpr std::size_t padding = 64 / sizeof(int);

  template <class Number>
  static void repeat(Number* numbers, std::size_t period, std::size_t end) {
    for (std::size_t i = period; i < end; ++i)
      numbers[i] = numbers[i - period];
  }

  alignas(64) Bits lowest_positive_[capacity + padding];
  alignas(64) Bits lowest_negative_[capacity + padding];
  alignas(64) Bits highest_[capacity + padding];
  alignas(64) int delta_[capacity + padding];
  int lowest_;
};

template <class Element, class Width>
class SideBySide {
  using Bits = ComputedBits<Element>;
  using Code = typename Codes<Width>::Code;
  static constexpr const auto& rule = ladder<ComputedOf<Element>, Width>;

public:
  /// At once. Their deltas fit the first cache beside them, and a small stack.
  static constexpr std::size_t most_numbers = chunk_size<Element> / 4;

  /// Of a job whose rows are no longer than that.
  SideBySide(const GFPQ_JOB_ST& job, std::size_t threads) : job_(job), threads_(threads) {}

  void run(std::size_t first, std::size_t count) const {
    const std::size_t end = first + count, at_once = most_numbers / job_.inner;
    for (; first < end; first += at_once)
      run_few({first, std::min(at_once, end - first)});
  }

private:
  /// Groups one behind the other.
  struct Run {
    std::size_t first, count;
  };

  /// Leaves out the groups that can't be done, and does those between them.
  void run_few(const Run& run) const {
    int deltas[most_numbers], statuses[most_numbers];
    bool has_init = false;
    for (std::size_t i = 0; i < run.count; ++i) {
      const GFPQ_GROUP_PARAM_ST& param = job_.params[run.first + i];
      const bool is_init = mode_of(job_, param) == GFPQ_MODE_INIT;
      const std::optional<int> delta = is_init ? -Width::delta_limit : delta_held<Width>(param.buf);
      has_init = has_init || is_init;
      deltas[i] = delta.value_or(0);
      statuses[i] = delta ? GFPQ_SUCCESS : GFPQ_ERR_BAD_PARAMETERS;
    }
    if (job_.operation == GFPQ_DECODE)
      find_codes_beyond(run, statuses);
    for (std::size_t begin = 0; begin < run.count;) {
      const int* const end = std::find_if(statuses + begin, statuses + run.count, [](int s) { return s != 0; });
      const std::size_t good = static_cast<std::size_t>(end - statuses) - begin;
      if (good > 0)
        run_good({run.first + begin, good}, deltas + begin, has_init);
      begin += good + 1;
    }
    for (std::size_t i = 0; i < run.count; ++i)
      set_status(job_.params[run.first + i], statuses[i]);
  }

  void run_good(const Run& run, int* deltas, bool has_init) const {
    using Each = EachDelta<ComputedOf<Element>>;
    switch (job_.operation) {
    case GFPQ_FAKE_QUANTIZE:
      return fit_and_transform<FakeQuantize<Element, Width, Each>>(run, deltas, has_init);
    case GFPQ_ENCODE:
      return fit_and_transform<Encode<Element, Width, Each>>(run, deltas, has_init);
    default:
      return transform<Decode<Element, Width, Each>>(run, deltas);
    }
  }

  template <class Transform>
  void fit_and_transform(const Run& run, int* deltas, bool has_init) const {
    if (job_.mode == GFPQ_MODE_APPLY_ONLY)
      return transform<Transform>(run, deltas);
    // The data seldom ask for more than is known: transformed with that, they are read once.
    const bool is_known = !has_init && job_.source != job_.destination;
    std::atomic<Bits> maxima[most_numbers] = {};
    if (is_known)
      transform<Transform>(run, deltas, maxima);
    else
      find_maxima(run, maxima);
    bool is_done = is_known;
    for (std::size_t i = 0; i < run.count; ++i) {
      const int fitted = rule.delta(maxima[i], deltas[i]);
      is_done = is_done && fitted == deltas[i];
      deltas[i] = fitted;
    }
    if (!is_done)
      transform<Transform>(run, deltas);
    for (std::size_t i = 0; i < run.count; ++i)
      encode_block(deltas[i], job_.params[run.first + i].buf);
  }

  /// Transforms all numbers, and raises the groups' maxima, if they are wanted, to their largest magnitudes.
  template <class Transform>
  void transform(const Run& run, const int* deltas, std::atomic<Bits>* maxima = nullptr) const {
    using In = typename Transform::In;
    using Out = typename Transform::Out;
    const In* const source = static_cast<const In*>(job_.source);
    Out* const destination = static_cast<Out*>(job_.destination);
    const RowDeltas<Element, Width, most_numbers> row(deltas, run.count, job_.inner, rows_at_once(run));
    const Transform transform_chunk(target_, row.each());
    for_each_part_of_rows(destination, [&](std::size_t begin, std::size_t end) {
      const auto of_chunk = [&](std::size_t place, std::size_t count) {
        transform_chunk(source + place, destination + place, job_.mask != nullptr ? job_.mask + place : nullptr, count);
      };
      if constexpr (std::is_same_v<In, Element>)
        if (maxima != nullptr) {
          Maxima<Bits> of_part(*this, run);
          for_each_chunk(run, begin, end, [&](std::size_t place, std::size_t count) {
            of_part.raise_to(source + place, count);
            of_chunk(place, count);
          });
          return of_part.raise_groups(maxima);
        }
      for_each_chunk(run, begin, end, of_chunk);
    });
  }

  void find_maxima(const Run& run, std::atomic<Bits>* maxima) const {
    const Element* const source = static_cast<const Element*>(job_.source);
    for_each_part_of_rows(source, [&](std::size_t begin, std::size_t end) {
      Maxima<Bits> of_part(*this, run);
      for_each_chunk(run, begin, end,
                     [&](std::size_t place, std::size_t count) { of_part.raise_to(source + place, count); });
      of_part.raise_groups(maxima);
    });
  }

  /// Gives a status to each good group that has a code that doesn't exist.
  void find_codes_beyond(const Run& run, int* statuses) const {
    if constexpr (Codes<Width>::sign - 1 == Width::max_code)
      return;
    const Code* const source = static_cast<const Code*>(job_.source);
    std::atomic<Code> largest[most_numbers] = {};
    for_each_part_of_rows(source, [&](std::size_t begin, std::size_t end) {
      Maxima<Code> of_part(*this, run);
      for_each_chunk(run, begin, end,
                     [&](std::size_t place, std::size_t count) { of_part.raise_to(source + place, count); });
      of_part.raise_groups(largest);
    });
    for (std::size_t i = 0; i < run.count; ++i)
      if (statuses[i] == GFPQ_SUCCESS && largest[i] > Width::max_code)
        statuses[i] = GFPQ_ERR_BAD_FORMAT;
  }

  /// The largest magnitudes that one thread found at each place of a chunk.
  template <class Number>
  class Maxima {
  public:
    Maxima(const SideBySide& work, const Run& run)
        : target_(work.target_), run_(run), inner_(work.job_.inner), count_(work.numbers_at_once(run)) {
      std::fill_n(numbers_, count_, Number(0));
    }

    void raise_to(const Element* numbers, std::size_t count) {
      with_computed(target_, numbers, count, [&](const ComputedOf<Element>* computed) {
        kernels_of<Element>(target_).raise_each(computed, count, numbers_);
      });
    }
    void raise_to(const Code* codes, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i)
        numbers_[i] = std::max(numbers_[i], Number(codes[i] & (Codes<Width>::sign - 1)));
    }

    void raise_groups(std::atomic<Number>* of_groups) const {
      for (std::size_t at = 0; at < count_;)
        for (std::size_t group = 0; group < run_.count; ++group, at += inner_)
          raise(of_groups[group], *std::max_element(numbers_ + at, numbers_ + at + inner_));
    }

  private:
    const Target& target_;
    const Run run_;
    const std::size_t inner_, count_;
    alignas(64) Number numbers_[most_numbers];
  };

  /// Rows that lie one behind the other: those of all groups.
  std::size_t rows_at_once(const Run& run) const {
    return run.count < job_.groups ? 1 : std::min(job_.outer, most_numbers / (run.count * job_.inner));
  }
  std::size_t numbers_at_once(const Run& run) const { return rows_at_once(run) * run.count * job_.inner; }

  /// Calls `chunk(place, count)` for the numbers of the run in the rows from one to another.
  template <class Chunk>
  void for_each_chunk(const Run& run, std::size_t begin, std::size_t end, const Chunk& chunk) const {
    const std::size_t at_once = rows_at_once(run), row = run.count * job_.inner;
    for (; begin < end; begin += at_once)
      chunk((begin * job_.groups + run.first) * job_.inner, std::min(at_once, end - begin) * row);
  }

  /// Calls `work(begin, end)` on all rows, in parts. `data` is what no two threads should write to one cache line of.
  template <class Data, class Work>
  void for_each_part_of_rows(Data* data, const Work& work) const {
    if (threads_ == 1)
      return work(std::size_t(0), job_.outer);
    const std::size_t row = job_.groups * job_.inner;
    for_each_part(data, job_.outer * row, threads_, [&](Data* part, std::size_t size) {
      const auto begin = static_cast<std::size_t>(part - data);
      work((begin + row - 1) / row, (begin + size + row - 1) / row);
    });
  }

  const GFPQ_JOB_ST& job_;
  const std::size_t threads_;
  const Target& target_ = *chosen_target();
};

} // namespace gfpq

#endif
