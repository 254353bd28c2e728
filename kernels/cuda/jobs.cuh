// The kernels that do jobs, two for each batch: `begin_jobs` and `end_jobs`, which has nothing to do where the first
// found no number that asks for a larger delta. No call waits for the GPU, so what the first finds is left in the
// groups' parameters. As kernels.cuh without any header, for every architecture.
#ifndef GFPQ_KERNELS_CUDA_JOBS_CUH
#define GFPQ_KERNELS_CUDA_JOBS_CUH

#include "job_operations.cuh"

namespace gfpq {
namespace cuda {

/// `end_jobs` takes the units in turn with no more blocks than these: where all is left to it, and where in most calls
/// they only see that all is done.
constexpr unsigned max_end_blocks = 2048, few_end_blocks = 264;

#ifdef GFPQ_CUDA_KERNELS

/// What a kernel does with the numbers of a unit.
struct Plan {
  bool looks, writes;
  int delta;
};

/// What the group's parameter says, before a call.
template <class Operation>
class HeldDelta {
  using Width = typename Operation::Width;

public:
  __device__ GFPQ_ALWAYS_INLINE HeldDelta(const Job& job, const BlockWords& block) {
    is_fitted = job.mode == job_init || ((job.mode == job_auto) & block.was_never_set());
    delta = is_fitted ? -Width::delta_limit : block.delta();
    const bool is_in_range = delta >= -Width::delta_limit && delta <= Width::delta_limit;
    is_right = is_fitted | (block.is_valid() & is_in_range);
  }

  bool is_fitted; ///< anew, as INIT does
  bool is_right;
  int delta; ///< the least that the group may get
};

/// A thread's part of a unit's packets, in registers.
template <class Operation>
class HeldPackets {
  using In = typename Operation::In;
  using Out = typename Operation::Out;
  using Seen = typename Operation::Seen;
  static constexpr unsigned lanes = Unit<In, Out>::lanes;

public:
  __device__ GFPQ_ALWAYS_INLINE void load(const Unit<In, Out>& unit) {
    const auto* const from = reinterpret_cast<const Packet<In, lanes>*>(unit.source);
    GFPQ_UNROLL
    for (unsigned i = 0; i < unit_vectors; ++i) {
      packets_[i].clear();
      const unsigned number = GfpqThreadIndex::thread() + i * block_threads;
      if (number < unit.packets)
        packets_[i] = from[number];
    }
  }

  /// The largest that was seen; 0 of what was not loaded.
  __device__ GFPQ_ALWAYS_INLINE Seen largest() const {
    const Seen of_all = largest_below(~Seen(0));
    return of_all <= Operation::largest_seen ? of_all : largest_below(Operation::largest_seen); // a NaN is rare
  }

  __device__ GFPQ_ALWAYS_INLINE void store(const Operation& operation, const Unit<In, Out>& unit) const {
    auto* const to = reinterpret_cast<Packet<Out, lanes>*>(unit.destination);
    GFPQ_UNROLL
    for (unsigned i = 0; i < unit_vectors; ++i) {
      const unsigned number = GfpqThreadIndex::thread() + i * block_threads;
      if (number < unit.packets) {
        Packet<Out, lanes> result;
        result.clear();
        GFPQ_UNROLL
        for (unsigned j = 0; j < lanes; ++j)
          result.set(j, operation(packets_[i].get(j)));
        to[number] = result;
      }
    }
  }

  __device__ GFPQ_ALWAYS_INLINE void store_mask(const Operation& operation, const Unit<In, Out>& unit) const {
    auto* const to = reinterpret_cast<Packet<unsigned char, lanes>*>(unit.mask);
    GFPQ_UNROLL
    for (unsigned i = 0; i < unit_vectors; ++i) {
      const unsigned number = GfpqThreadIndex::thread() + i * block_threads;
      if (number < unit.packets) {
        Packet<unsigned char, lanes> result;
        result.clear();
        GFPQ_UNROLL
        for (unsigned j = 0; j < lanes; ++j)
          result.set(j, operation.is_within(packets_[i].get(j)));
        to[number] = result;
      }
    }
  }

private:
  /// Without what is beyond a limit.
  __device__ GFPQ_ALWAYS_INLINE Seen largest_below(Seen limit) const {
    Seen largest = 0;
    GFPQ_UNROLL
    for (unsigned i = 0; i < unit_vectors; ++i)
      GFPQ_UNROLL
    for (unsigned j = 0; j < lanes; ++j) {
      const Seen seen = Operation::look(packets_[i].get(j));
      largest = seen > largest && seen <= limit ? seen : largest;
    }
    return largest;
  }

  Packet<In, lanes> packets_[unit_vectors];
};

/// Does what is planned with a unit's singles.
template <class Operation>
__device__ GFPQ_ALWAYS_INLINE void do_singles(const Operation& operation,
                                              const Unit<typename Operation::In, typename Operation::Out>& unit,
                                              const Plan& plan, typename Operation::Seen& largest) {
  using In = typename Operation::In;
  for (unsigned first = GfpqThreadIndex::thread(); first < unit.singles; first += block_threads * unit_vectors) {
    // Several are on their way at a time.
    In numbers[unit_vectors];
    long long places[unit_vectors];
    GFPQ_UNROLL
    for (unsigned i = 0; i < unit_vectors; ++i) {
      const unsigned single = first + i * block_threads;
      numbers[i] = 0;
      places[i] = unit.place(single);
      if (single < unit.singles)
        numbers[i] = unit.source[places[i]];
    }
    GFPQ_UNROLL
    for (unsigned i = 0; i < unit_vectors; ++i) {
      if (plan.looks) {
        const typename Operation::Seen seen = Operation::look(numbers[i]);
        largest = seen > largest && seen <= Operation::largest_seen ? seen : largest;
      }
      if (plan.writes && first + i * block_threads < unit.singles) {
        if (unit.mask != nullptr)
          unit.mask[places[i]] = operation.is_within(numbers[i]);
        unit.destination[places[i]] = operation(numbers[i]);
      }
    }
  }
}

/// \return the largest that the thread saw.
template <class Operation>
__device__ GFPQ_ALWAYS_INLINE typename Operation::Seen
do_unit(const typename Operation::Tables& tables, const HeldPackets<Operation>& held,
        const Unit<typename Operation::In, typename Operation::Out>& unit, const Plan& plan) {
  const Operation operation(plan.delta, tables);
  typename Operation::Seen largest = 0;
  if (plan.looks)
    largest = held.largest();
  if (plan.writes) {
    if (unit.mask != nullptr)
      held.store_mask(operation, unit);
    held.store(operation, unit);
  }
  do_singles(operation, unit, plan, largest);
  return largest;
}

/// Raises what the second kernel looks at. Many threads may find a number beyond the range: most see by one look that
/// another has found a larger one.
__device__ inline void raise_param(GroupParam* param, unsigned long long number) {
  if (gfpq_peek(&param->raised) < number)
    raise_for_all(&param->raised, number);
}

/// Does all of APPLY_ONLY, and UPDATE's work out of place with the delta that is known; looks for what asks for more.
template <class Operation, unsigned capacity>
__global__ void __launch_bounds__(block_threads) begin_jobs(JobBatch<capacity> batch) {
  using Width = typename Operation::Width;
  __shared__ typename Operation::Tables tables;
  const unsigned thread = GfpqThreadIndex::thread();

  for (unsigned number = GfpqThreadIndex::block(); number < batch.units(); number += GfpqThreadIndex::blocks()) {
    const unsigned at = batch.job_of(number);
    const Job& job = batch.jobs[at];
    const Unit<typename Operation::In, typename Operation::Out> unit(job, number - batch.first_unit(at));
    // The numbers are on their way while the block and the tables are read.
    HeldPackets<Operation> held;
    held.load(unit);
    if (number == GfpqThreadIndex::block())
      tables.load();
    GroupParam* const param = unit.param;
    const HeldDelta<Operation> known(job, param->block);
    const bool tells = unit.is_first && thread == 0;
    const int former_status = tells ? param->status : 0;
    __syncthreads(); // for the tables, and for what block_maximum() shares
    const int status = known.is_right ? job_success : job_bad_parameters;
    if (tells && status != former_status) // other calls may share it
      param->status = status;
    if (!known.is_right)
      continue;

    if constexpr (Operation::is_decode) {
      constexpr bool ends = Operation::ends_at_once;
      if (do_unit(tables, held, unit, Plan{!ends, ends, known.delta}) > unsigned(Width::max_code))
        raise_param(param, 1);
    } else {
      const auto& rule = device_ladder<typename Operation::Float, Width>;
      constexpr int of_zeros = ladder<typename Operation::Float, Width>.delta(0);
      const bool is_known = job.mode == job_apply_only;
      // A group of zeros may ask for more than what is known.
      const bool is_likely = !known.is_fitted && job.source != job.destination && known.delta >= of_zeros;
      const auto largest =
          Operation::magnitude_of(do_unit(tables, held, unit, Plan{!is_known, is_known || is_likely, known.delta}));
      if (is_known)
        continue;
      if (is_likely) {
        if (largest > rule.largest_within(known.delta))
          raise_param(param, static_cast<unsigned long long>(largest) + 1);
      } else {
        const auto of_unit = block_maximum(largest);
        if (thread == 0)
          raise_param(param, static_cast<unsigned long long>(of_unit) + 1);
      }
    }
  }
}

/// Does the groups whose parameter was raised, and ends the raise with the last unit of each.
template <class Operation, unsigned capacity>
__global__ void __launch_bounds__(block_threads) end_jobs(JobBatch<capacity> batch) {
  __shared__ typename Operation::Tables tables;
  bool has_tables = false;
  const GroupParam* done = nullptr;

  for (unsigned number = GfpqThreadIndex::block(); number < batch.units(); number += GfpqThreadIndex::blocks()) {
    const unsigned at = batch.job_of(number);
    const Job& job = batch.jobs[at];
    const unsigned of_job = number - batch.first_unit(at);
    GroupParam* const param = job.params + of_job / job.group_units;
    if (param == done)
      continue;
    const unsigned long long raised = param->raised;
    const HeldDelta<Operation> known(job, param->block);
    if (Operation::is_decode ? !known.is_right : raised == 0) {
      done = param;
      continue;
    }
    Plan plan{false, true, known.delta};
    if constexpr (Operation::is_decode) {
      plan.writes = raised == 0;
    } else {
      using Bits = typename Operation::Bits;
      plan.delta = device_ladder<typename Operation::Float, typename Operation::Width>.delta(
          static_cast<Bits>(raised - 1), known.delta);
    }
    if (!has_tables)
      tables.load();
    has_tables = true;
    __syncthreads();
    if (plan.writes) {
      const Unit<typename Operation::In, typename Operation::Out> unit(job, of_job);
      HeldPackets<Operation> held;
      held.load(unit);
      do_unit(tables, held, unit, plan);
    }
    if (raised == 0)
      continue;
    __syncthreads(); // all have read the parameter
    if (GfpqThreadIndex::thread() != 0)
      continue;
    __threadfence();
    if (atomicInc(&param->units_done, job.group_units - 1) != job.group_units - 1) // the last sets it to 0
      continue;
    __threadfence();
    param->raised = 0;
    if constexpr (Operation::is_decode)
      param->status = job_bad_format;
    else
      param->block = BlockWords::of(plan.delta);
  }
}

#endif // GFPQ_CUDA_KERNELS

} // namespace cuda
} // namespace gfpq

#endif
