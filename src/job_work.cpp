#include "job_work.hpp"

#include "cpu_backend.hpp"
#include "group_param.hpp"
#include "job_checks.hpp"
#include "parts.hpp"
#include "places.hpp"
#include "side_by_side.hpp"
#include "transforms.hpp"

namespace gfpq {
namespace {

/// Groups with shorter rows than this are worked on side by side: a row is not worth a call of a kernel.
constexpr std::size_t shortest_row = 64;

/// The work on one group, on as many threads as it is given: a group that is not all of the tensor has one.
template <class Element, class Width>
class Group {
  using Bits = ComputedBits<Element>;
  using Code = typename Codes<Width>::Code;
  static constexpr const auto& rule = ladder<ComputedOf<Element>, Width>;

public:
  Group(const GFPQ_JOB_ST& job, std::size_t number, std::size_t threads)
      : job_(job), param_(job.params[number]), places_(job.outer, job.groups, job.inner, number), threads_(threads) {}

  /// \return the status of the parameter.
  int run() const {
    const unsigned mode = mode_of(job_, param_);
    int delta = -Width::delta_limit;
    if (mode != GFPQ_MODE_INIT) {
      const std::optional<int> held = delta_held<Width>(param_.buf);
      if (!held)
        return GFPQ_ERR_BAD_PARAMETERS;
      delta = *held;
    }
    switch (job_.operation) {
    case GFPQ_FAKE_QUANTIZE:
      fit_and_transform<FakeQuantize<Element, Width>>(mode, delta);
      return GFPQ_SUCCESS;
    case GFPQ_ENCODE:
      fit_and_transform<Encode<Element, Width>>(mode, delta);
      return GFPQ_SUCCESS;
    default:
      if (!codes_exist())
        return GFPQ_ERR_BAD_FORMAT;
      transform(Decode<Element, Width>(target_, delta));
      return GFPQ_SUCCESS;
    }
  }

private:
  template <class Transform>
  void fit_and_transform(unsigned mode, int delta) const {
    if (mode == GFPQ_MODE_APPLY_ONLY)
      return transform(Transform(target_, delta));
    int fitted = delta;
    if (mode == GFPQ_MODE_UPDATE && job_.source != job_.destination) {
      // The data seldom ask for more than is known: transformed with that, they are read once.
      std::atomic<Bits> maximum{0};
      transform(Transform(target_, delta), &maximum);
      fitted = rule.delta(maximum, delta);
      if (fitted != delta)
        transform(Transform(target_, fitted));
    } else {
      fitted = rule.delta(maximum_of_all(), delta);
      transform(Transform(target_, fitted));
    }
    encode_block(fitted, param_.buf);
  }

  /// Transforms all numbers, and raises the maximum, if there is one, to their largest magnitude.
  template <class Transform>
  void transform(const Transform& transform_chunk, std::atomic<Bits>* maximum = nullptr) const {
    using In = typename Transform::In;
    using Out = typename Transform::Out;
    Out* const destination = static_cast<Out*>(job_.destination);
    for_each_position(destination, [&](std::size_t begin, std::size_t end) {
      Bits of_part = 0;
      for_each_chunk<In>(destination, job_.mask, begin, end,
                         [&](const In* in, Out* out, unsigned char* mask, std::size_t count) {
                           if constexpr (std::is_same_v<In, Element>)
                             if (maximum != nullptr)
                               of_part = std::max(of_part, max_abs(target_, in, count));
                           transform_chunk(in, out, mask, count);
                         });
      if (maximum != nullptr)
        raise(*maximum, of_part);
    });
  }

  Bits maximum_of_all() const {
    std::atomic<Bits> maximum{0};
    for_each_position(static_cast<const Element*>(job_.source), [&](std::size_t begin, std::size_t end) {
      Bits of_part = 0;
      unsigned char* const nothing = nullptr;
      for_each_chunk<Element>(nothing, nothing, begin, end,
                              [&](const Element* in, unsigned char*, unsigned char*, std::size_t count) {
                                of_part = std::max(of_part, max_abs(target_, in, count));
                              });
      raise(maximum, of_part);
    });
    return maximum;
  }

  /// Calls `chunk(in, out, mask, count)` on the numbers from one position to another, and on the memory for their
  /// results, of which there may be none.
  template <class In, class Out, class Chunk>
  void for_each_chunk(Out* destination, unsigned char* mask, std::size_t begin, std::size_t end,
                      const Chunk& chunk) const {
    const In* const source = static_cast<const In*>(job_.source);
    for (std::size_t position = begin; position < end;) {
      const std::size_t most = std::min(chunk_size<Element>, end - position);
      const std::size_t row = std::min(most, places_.row_from(position)), place = places_.of(position);
      chunk(source + place, destination != nullptr ? destination + place : nullptr,
            mask != nullptr ? mask + place : nullptr, row);
      position += row;
    }
  }

  bool codes_exist() const {
    if constexpr (Codes<Width>::sign - 1 == Width::max_code)
      return true;
    const Code* const source = static_cast<const Code*>(job_.source);
    std::atomic<int> largest{0};
    for_each_position(source, [&](std::size_t begin, std::size_t end) {
      int of_part = 0;
      unsigned char* const nothing = nullptr;
      for_each_chunk<Code>(nothing, nothing, begin, end,
                           [&](const Code* in, unsigned char*, unsigned char*, std::size_t count) {
                             of_part = std::max(of_part, largest_code<Width>(in, count));
                           });
      raise(largest, of_part);
    });
    return largest <= Width::max_code;
  }

  /// Calls `work(begin, end)` on all positions, in parts. `data` is what no two threads should write to one cache line
  /// of.
  template <class Data, class Work>
  void for_each_position(Data* data, const Work& work) const {
    if (places_.count() == 0)
      return;
    if (threads_ == 1)
      return work(std::size_t(0), places_.count());
    for_each_part(data, places_.count(), threads_, [&](Data* part, std::size_t size) {
      const auto begin = static_cast<std::size_t>(part - data);
      work(begin, begin + size);
    });
  }

  const GFPQ_JOB_ST& job_;
  GFPQ_GROUP_PARAM_ST& param_;
  const Places places_;
  const std::size_t threads_;
  const Target& target_ = *chosen_target();
};

template <class Element, class Width>
void do_group(const GFPQ_JOB_ST& job, std::size_t number, std::size_t threads) {
  set_status(job.params[number], Group<Element, Width>(job, number, threads).run());
}

/// Does all groups, several side by side, on so many threads: each has its groups where that is enough for all, else
/// its rows.
template <class Element, class Width>
void do_groups_side_by_side(const GFPQ_JOB_ST& job, std::size_t threads) {
  using Groups = SideBySide<Element, Width>;
  if (job.groups * job.inner / Groups::most_numbers < threads)
    return Groups(job, threads).run(0, job.groups);
  for_each_part(job.params, job.groups, threads, [&](GFPQ_GROUP_PARAM_ST* part, std::size_t size) {
    Groups(job, 1).run(static_cast<std::size_t>(part - job.params), size);
  });
}

/// Says why the first group that was left out was. \return its status.
template <class Width>
int status_of(const GFPQ_JOB_ST& job) {
  for (std::size_t group = 0; group < job.groups; ++group) {
    const GFPQ_GROUP_PARAM_ST& param = job.params[group];
    if (param.status == GFPQ_ERR_BAD_FORMAT)
      return GFPQ_FAIL(errors::no_such_code, group, Width::max_code, Width::bits);
    if (param.status != GFPQ_SUCCESS)
      return fail_block<Width>(param.buf);
  }
  return GFPQ_SUCCESS;
}

template <class Element, class Width>
int do_job_of(const GFPQ_JOB_ST& job) {
  const std::size_t threads = CpuBackend::threads_for(job.outer * job.groups * job.inner * sizeof(Element));
  if (job.groups == 1) {
    do_group<Element, Width>(job, 0, threads);
  } else if (job.outer > 0 && job.inner > 0 && job.inner < shortest_row) {
    do_groups_side_by_side<Element, Width>(job, threads);
  } else {
    for_each_part(job.params, job.groups, std::min(threads, job.groups),
                  [&](GFPQ_GROUP_PARAM_ST* part, std::size_t size) {
                    const auto first = static_cast<std::size_t>(part - job.params);
                    for (std::size_t group = first; group < first + size; ++group)
                      do_group<Element, Width>(job, group, 1);
                  });
  }
  return status_of<Width>(job);
}

} // namespace

int do_job(const GFPQ_JOB_ST& job) {
  int status = GFPQ_ERR_GENERIC;
  const bool is_known = with_element(job.type, [&](auto element) {
    const bool has_width =
        with_width(job.bit_width, [&](auto width) { status = do_job_of<decltype(element), decltype(width)>(job); });
    static_cast<void>(has_width); // both were checked
  });
  static_cast<void>(is_known);
  return status;
}

} // namespace gfpq
