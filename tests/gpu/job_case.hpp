// A job for tests: its memory as bytes, so that what the CPU makes of them and what a GPU does can be compared to the
// last one, with what lies around.
#ifndef GFPQ_TESTS_GPU_JOB_CASE_HPP
#define GFPQ_TESTS_GPU_JOB_CASE_HPP

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "gfpq_jobs.hpp"
#include "kernels/block.hpp"
#include "kernels/codes.hpp"
#include "kernels/elements.hpp"
#include "tests/unit/numbers.hpp"

namespace gfpq {

enum class Numbers { bounded, wild, zeros, nan, denormal };

struct JobCase {
  unsigned operation = GFPQ_FAKE_QUANTIZE, type = GFPQ_FLOAT32, bits = 8, mode = GFPQ_MODE_AUTO;
  std::size_t outer = 1, groups = 1, inner = 100;
  unsigned source_offset = 0, destination_offset = 0, mask_offset = 0; ///< in numbers
  bool has_mask = false, in_place = false;
  std::vector<int> held = {GFPQ_NEVER_SET}; ///< the groups', in turn
  std::vector<int> asked = {-77};           ///< the deltas that the groups' numbers ask for, in turn
  Numbers numbers = Numbers::bounded;
  unsigned seed = 1;

  std::size_t count() const { return outer * groups * inner; }
};

inline std::ostream& operator<<(std::ostream& to, const JobCase& job) {
  return to << "operation " << job.operation << ", type " << job.type << ", " << job.bits << " bit, mode " << job.mode
            << ", " << job.outer << " x " << job.groups << " x " << job.inner << ", at " << job.source_offset << ", "
            << job.destination_offset << ", " << job.mask_offset << (job.has_mask ? ", mask" : "")
            << (job.in_place ? ", in place" : "") << ", seed " << job.seed;
}

/// Bytes that begin at a multiple of 256, as those of a GPU do.
class Bytes {
public:
  explicit Bytes(std::size_t size) : lines_(size / sizeof(Line) + 1), size_(size) {
    std::memset(data(), 0xc3, lines_.size() * sizeof(Line));
  }
  unsigned char* data() { return lines_.front().bytes; }
  const unsigned char* data() const { return lines_.front().bytes; }
  std::size_t size() const { return size_; }

private:
  struct alignas(256) Line {
    unsigned char bytes[256];
  };
  std::vector<Line> lines_;
  std::size_t size_;
};

class TestJob {
public:
  explicit TestJob(const JobCase& job)
      : case_(job), element_size_(job.type == GFPQ_FLOAT64   ? 8
                                  : job.type == GFPQ_FLOAT32 ? 4
                                                             : 2),
        code_size_(job.bits / 8), params_at_(margin), source_at_(up(params_at_ + job.groups * 64) + margin),
        destination_at_(up(source_at_ + (job.count() + job.source_offset) * 8) + margin),
        mask_at_(up(destination_at_ + (job.count() + job.destination_offset) * 8) + margin),
        bytes_(up(mask_at_ + job.count() + job.mask_offset) + margin) {
    for (std::size_t group = 0; group < job.groups; ++group) {
      GFPQ_GROUP_PARAM_ST param{};
      if (const int held = job.held[group % job.held.size()]; held != GFPQ_NEVER_SET)
        set_block(param, held);
      set_param(group, param);
    }
    renumber(job.asked, job.seed);
  }

  const JobCase& facts() const { return case_; }
  Bytes& bytes() { return bytes_; }
  std::size_t source_begin() const { return source_at_; }
  std::size_t source_end() const { return destination_at_; }

  /// The job on memory that has these bytes.
  GFPQ_JOB_ST at(unsigned char* memory) const {
    const bool decodes = case_.operation == GFPQ_DECODE, encodes = case_.operation == GFPQ_ENCODE;
    unsigned char* const source = memory + source_at_ + case_.source_offset * (decodes ? code_size_ : element_size_);
    unsigned char* const apart =
        memory + destination_at_ + case_.destination_offset * (encodes ? code_size_ : element_size_);
    GFPQ_JOB_ST job{};
    job.operation = case_.operation;
    job.type = case_.type;
    job.bit_width = case_.bits;
    job.mode = case_.mode;
    job.outer = case_.outer;
    job.groups = case_.groups;
    job.inner = case_.inner;
    job.source = source;
    job.destination = case_.in_place ? source : apart;
    job.params = reinterpret_cast<GFPQ_GROUP_PARAM_ST*>(memory + params_at_);
    job.mask = case_.has_mask ? memory + mask_at_ + case_.mask_offset : nullptr;
    return job;
  }

  /// Does the job on the CPU. \return its status.
  int run() {
    const GFPQ_JOB_ST job = at(bytes_.data());
    return GFPQ_RunJobs(&job, 1);
  }

  /// Other numbers in the source.
  void renumber(const std::vector<int>& asked, unsigned seed) {
    case_.bits == 8 ? renumber_of_width<Width8>(asked, seed) : renumber_of_width<Width16>(asked, seed);
  }

  void set_param(std::size_t group, const GFPQ_GROUP_PARAM_ST& param) {
    std::memcpy(bytes_.data() + params_at_ + group * sizeof param, &param, sizeof param);
  }
  GFPQ_GROUP_PARAM_ST param(std::size_t group) const {
    GFPQ_GROUP_PARAM_ST param;
    std::memcpy(&param, bytes_.data() + params_at_ + group * sizeof param, sizeof param);
    return param;
  }
  /// Puts a code into the source.
  void set_code(std::size_t place, unsigned code) {
    std::memcpy(bytes_.data() + source_at_ + (case_.source_offset + place) * code_size_, &code, code_size_);
  }

  /// Of a half type, 65536 numbers: all that there are.
  void set_all_halves() {
    for (unsigned i = 0; i < 0x10000; ++i) {
      const auto bits = static_cast<unsigned short>(i);
      std::memcpy(bytes_.data() + source_at_ + 2 * (case_.source_offset + i), &bits, 2);
    }
  }

  /// Compares with other memory, whose bytes began as these.
  void expect_same(const Bytes& others) const {
    const unsigned char *const mine = bytes_.data(), *const other = others.data();
    for (std::size_t i = 0; i < bytes_.size(); ++i)
      if (mine[i] != other[i]) {
        ADD_FAILURE() << case_ << ": byte " << place_of(i) << " is " << int(other[i]) << " instead of " << int(mine[i]);
        return;
      }
  }

private:
  static constexpr std::size_t margin = 256;
  static std::size_t up(std::size_t size) { return (size + 255) / 256 * 256; }

  static void set_block(GFPQ_GROUP_PARAM_ST& param, int delta) {
    const BlockWords words = BlockWords::of(delta);
    std::memcpy(param.buf, &words, sizeof words);
  }

  std::string place_of(std::size_t byte) const {
    const auto in = [byte](const char* name, std::size_t begin) {
      return std::to_string(static_cast<long>(byte) - static_cast<long>(begin)) + " of the " + name;
    };
    return byte >= mask_at_          ? in("mask", mask_at_)
           : byte >= destination_at_ ? in("destination", destination_at_)
           : byte >= source_at_      ? in("source", source_at_)
                                     : in("parameters", params_at_);
  }

  template <class Width>
  void renumber_of_width(const std::vector<int>& asked, unsigned seed) {
    if (case_.operation == GFPQ_DECODE)
      return fill_codes<Width>(seed);
    switch (case_.type) {
    case GFPQ_FLOAT32:
      return fill<float, Width>(asked, seed);
    case GFPQ_FLOAT64:
      return fill<double, Width>(asked, seed);
    case GFPQ_FLOAT16:
      return fill<Float16, Width>(asked, seed);
    default:
      return fill<BFloat16, Width>(asked, seed);
    }
  }

  template <class Width>
  void fill_codes(unsigned seed) {
    std::mt19937 engine(seed);
    for (std::size_t i = 0; i < case_.count(); ++i)
      set_code(i, engine() % (Width::max_code + 1) | (engine() % 2 != 0 ? Codes<Width>::sign : 0u));
  }

  template <class Element, class Width>
  void fill(const std::vector<int>& asked, unsigned seed) {
    using Computed = typename ElementType<Element>::Computed;
    using F = Format<Computed>;
    using Bits = typename F::Bits;
    constexpr std::size_t pool_size = 1021;
    std::vector<std::vector<Bits>> pools;
    for (const int delta : asked) {
      pools.push_back(random_numbers<Computed, Width>(delta, pool_size, seed));
      for (Bits& number : pools.back())
        number = of_kind<Computed, Width>(number, delta);
      pools.back()[pool_size / 3] = case_.numbers == Numbers::bounded || case_.numbers == Numbers::wild
                                        ? ladder<Computed, Width>.largest_within(delta) | F::sign
                                        : pools.back()[0];
    }
    unsigned char* to = bytes_.data() + source_at_ + case_.source_offset * element_size_;
    for (std::size_t i = 0; i < case_.count(); ++i, to += element_size_) {
      const std::size_t group = i / case_.inner % case_.groups;
      const auto number = ElementType<Element>::rounded(pools[group % pools.size()][(i * 7 + seed) % pool_size]);
      std::memcpy(to, &number, element_size_);
    }
  }

  template <class Computed, class Width>
  typename Format<Computed>::Bits of_kind(typename Format<Computed>::Bits number, int delta) const {
    using F = Format<Computed>;
    using Bits = typename F::Bits;
    const Bits magnitude = number & ~F::sign;
    switch (case_.numbers) {
    case Numbers::bounded:
      return magnitude > ladder<Computed, Width>.largest_within(delta) && magnitude <= F::infinity
                 ? (number & F::sign) | ladder<Computed, Width>.value(delta)
                 : number;
    case Numbers::zeros:
      return number & F::sign;
    case Numbers::nan:
      return number | F::infinity | F::one_millionth;
    case Numbers::denormal:
      return number & ~F::infinity;
    default:
      return number;
    }
  }

  JobCase case_;
  std::size_t element_size_, code_size_, params_at_, source_at_, destination_at_, mask_at_;
  Bytes bytes_;
};

/// Cases of every operation, type, width, mode and shape: each piece of the kernels runs in some. `density` leaves out
/// all but each so manieth.
inline std::vector<JobCase> job_cases(unsigned density) {
  struct Shape {
    std::size_t outer, groups, inner;
  };
  const Shape shapes[] = {{1, 1, 0},  {1, 1, 1}, {1, 1, 7},    {3, 1, 50},   {1, 1, 4099}, {2, 1, 9001}, {1, 5, 33},
                          {2, 3, 70}, {4, 3, 1}, {2500, 2, 1}, {70, 3, 63},  {3, 2, 600},  {1, 64, 9},   {2, 2, 5003},
                          {0, 3, 5},  {2, 3, 0}, {1, 2, 8200}, {9000, 1, 1}, {40, 3, 511}};
  const unsigned modes[] = {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY, GFPQ_MODE_AUTO};
  const std::vector<std::vector<int>> held = {{-77, -80, -90}, {-200, -40, -101}, {-77, GFPQ_NEVER_SET}};
  std::vector<JobCase> cases;
  unsigned number = 0;
  for (const unsigned operation : {GFPQ_FAKE_QUANTIZE, GFPQ_ENCODE, GFPQ_DECODE})
    for (const unsigned type : {GFPQ_FLOAT32, GFPQ_FLOAT64, GFPQ_FLOAT16, GFPQ_BFLOAT16})
      for (const unsigned bits : {8u, 16u})
        for (const Shape& shape : shapes)
          for (const unsigned mode : modes)
            for (const bool in_place : {false, true})
              for (std::size_t i = 0; i < held.size(); ++i) {
                if (operation == GFPQ_DECODE && mode != GFPQ_MODE_APPLY_ONLY)
                  continue;
                if (operation != GFPQ_FAKE_QUANTIZE && in_place)
                  continue;
                if (++number % density != 0)
                  continue;
                JobCase job;
                job.operation = operation;
                job.type = type;
                job.bits = bits;
                job.mode = mode;
                job.outer = shape.outer;
                job.groups = shape.groups;
                job.inner = shape.inner;
                job.in_place = in_place;
                job.seed = number;
                std::mt19937 engine(number);
                job.source_offset = engine() % 17;
                job.destination_offset = engine() % 2 == 0 ? job.source_offset : engine() % 17;
                job.has_mask = operation != GFPQ_DECODE && engine() % 2 == 0;
                job.mask_offset = engine() % 2 == 0 ? job.source_offset : engine() % 17;
                job.held = held[i];
                job.asked = {-77, -60, -101};
                constexpr Numbers others[] = {Numbers::wild, Numbers::zeros, Numbers::nan, Numbers::denormal};
                if (engine() % 3 == 0)
                  job.numbers = others[engine() % 4];
                if (job.numbers == Numbers::zeros && engine() % 2 == 0)
                  job.held = {-480}; // less than zeros ask for
                cases.push_back(job);
              }
  return cases;
}

} // namespace gfpq

#endif
