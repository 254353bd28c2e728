// Jobs as the GPU is told of them, and how they are cut into units of work for its blocks. For host and device.
#ifndef GFPQ_KERNELS_CUDA_JOB_UNITS_HPP
#define GFPQ_KERNELS_CUDA_JOB_UNITS_HPP

#include "packets.hpp"
// After language.hpp, which is in that.
#include "../block.hpp"

namespace gfpq {
namespace cuda {

/// As GFPQ_GROUP_PARAM_ST, with what the kernels need between each other, zero before a call and after it.
struct alignas(8) GroupParam {
  BlockWords block;
  int status;
  unsigned units_done;
  unsigned long long raised; ///< 0, or the largest magnitude that matters plus 1; to decode, 1 for a code beyond K
  unsigned unused[8];
};

// As in gfpq.hpp and gfpq_jobs.hpp, which NVRTC cannot read.
enum JobMode : unsigned { job_init, job_update, job_apply_only, job_auto };
constexpr int job_success = 0;
constexpr int job_bad_format = int(0xFFFF0005), job_bad_parameters = int(0xFFFF0006);
constexpr int job_never_set = int(0x80000000), job_damaged = 0x7fffffff;

/// One job. A group's numbers lie in rows. Its units are pieces of them, of one row each where rows are long, else of
/// several, number by number.
struct Job {
  const void* source;
  void* destination;
  GroupParam* params;
  unsigned char* mask;
  Size row;             ///< numbers in a row
  Size stride;          ///< from a group's row to its next
  Size count;           ///< numbers in a group
  unsigned end_unit;    ///< in the batch
  unsigned group_units; ///< of each group, one at least
  unsigned row_units;   ///< of each row; 0 where units are of several rows
  unsigned mode;
};

/// Jobs that one launch does. With 56 of them it fits the 4 KiB of parameters that a kernel has with every driver.
constexpr unsigned max_batch_jobs = 56;
template <unsigned capacity>
struct JobBatch {
  Job jobs[capacity];
  unsigned count;

  // A constant place, so that the compiler keeps a single job out of local memory.
  GFPQ_HOST_DEVICE unsigned units() const { return jobs[capacity == 1 ? 0 : count - 1].end_unit; }
  GFPQ_HOST_DEVICE unsigned first_unit(unsigned at) const {
    return capacity == 1 || at == 0 ? 0 : jobs[at - 1].end_unit;
  }

  /// The job that a unit belongs to.
  GFPQ_HOST_DEVICE GFPQ_ALWAYS_INLINE unsigned job_of(unsigned unit) const {
    if (capacity == 1)
      return 0;
    unsigned first = 0, last = count - 1;
    while (first < last) {
      const unsigned middle = (first + last) / 2;
      if (jobs[middle].end_unit <= unit)
        first = middle + 1;
      else
        last = middle;
    }
    return first;
  }
};
static_assert(sizeof(JobBatch<max_batch_jobs>) <= 4096, "a kernel's parameters");

constexpr unsigned unit_vectors = 4; ///< loads that a thread has under way
constexpr unsigned unit_packets = block_threads * unit_vectors;
/// Numbers in a packet: 16 bytes of the element type, which is no smaller than a code.
constexpr unsigned packet_lanes(unsigned element_size) { return 16 / element_size; }
constexpr unsigned unit_size(unsigned element_size) { return unit_packets * packet_lanes(element_size); }
/// Rows from here on have units of their own.
constexpr Size shortest_own_row = 512;

/// The part of a tensor that one block works on at a time: packets first, and besides some singles, which are numbers
/// at the ends of a row, or all of them where packets are not possible.
template <class In, class Out>
class Unit {
public:
  static constexpr unsigned lanes = packet_lanes(sizeof(In) > sizeof(Out) ? sizeof(In) : sizeof(Out));
  static constexpr unsigned size = unit_packets * lanes;

  const In* source; ///< of packet 0 and of place 0; likewise the others
  Out* destination;
  unsigned char* mask; ///< or null
  GroupParam* param;
  bool is_first;    ///< of its group
  unsigned packets; ///< in the unit
  unsigned singles;

  /// \param number of the job's units
  GFPQ_HOST_DEVICE GFPQ_ALWAYS_INLINE Unit(const Job& job, unsigned number) {
    const unsigned group = number / job.group_units, rest = number - group * job.group_units;
    param = job.params + group;
    is_first = rest == 0;
    packets = 0;
    singles = 0;
    split_ = ~0u;
    Size start = group * job.row;
    if (job.row_units == 0) {
      const Size begin = Size(rest) * size, first_row = begin / job.row;
      singles = unsigned(least(job.count - begin, size));
      start += first_row * job.stride;
      row_ = unsigned(job.row);
      column_ = unsigned(begin - first_row * job.row);
      stride_ = static_cast<long long>(job.stride);
    } else {
      const unsigned row = rest / job.row_units, piece = rest - row * job.row_units;
      start += row * job.stride;
      row_ = 0;
      const In* const row_source = static_cast<const In*>(job.source) + start;
      Out* const row_destination = static_cast<Out*>(job.destination) + start;
      const unsigned head = until_packet(row_source);
      const bool has_packets = head == until_packet(row_destination) &&
                               (job.mask == nullptr || head == until_packet(job.mask + start)) && head < job.row;
      if (has_packets) {
        const Size row_packets = (job.row - head) / lanes, before = Size(piece) * unit_packets;
        const unsigned tail = unsigned(job.row - head - row_packets * lanes);
        packets = row_packets > before ? unsigned(least(row_packets - before, unit_packets)) : 0;
        start += head + before * lanes;
        split_ = piece == 0 ? head : 0;
        singles = split_ + (piece == job.row_units - 1 ? tail : 0);
        low_shift_ = -static_cast<long long>(head);
        high_shift_ = static_cast<long long>(row_packets - before) * lanes - split_;
      } else {
        const Size before = Size(piece) * size;
        singles = job.row > before ? unsigned(least(job.row - before, size)) : 0;
        start += before;
        low_shift_ = high_shift_ = 0;
      }
    }
    source = static_cast<const In*>(job.source) + start;
    destination = static_cast<Out*>(job.destination) + start;
    mask = job.mask != nullptr ? job.mask + start : nullptr;
  }

  /// Where a single lies, counted from `source` and so on.
  GFPQ_HOST_DEVICE GFPQ_ALWAYS_INLINE long long place(unsigned single) const {
    if (row_ == 0)
      return single + (single < split_ ? low_shift_ : high_shift_);
    const unsigned position = column_ + single, row = position / row_;
    return row * stride_ + (position - row * row_);
  }

private:
  GFPQ_HOST_DEVICE static Size least(Size number, unsigned other) { return number < other ? number : other; }

  /// Numbers before the first that a packet may begin with.
  template <class Number>
  GFPQ_HOST_DEVICE static unsigned until_packet(const Number* numbers) {
    const unsigned beyond = unsigned(reinterpret_cast<Size>(numbers) / sizeof(Number)) % lanes;
    return (lanes - beyond) % lanes;
  }

  unsigned row_, column_; ///< the row's length, 0 where the unit is of one row, and where in it the unit begins
  unsigned split_;        ///< singles before the packets; the others are behind
  long long stride_, low_shift_, high_shift_;
};

} // namespace cuda
} // namespace gfpq

#endif
