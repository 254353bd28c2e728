#include "cases/jobs.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "cases/everywhere.hpp"
#include "runner/gpu_memory.hpp"

namespace conformance {
namespace {

/// Memory with a margin to both sides, which must stay as it is.
class Guarded {
public:
  Guarded(std::size_t bytes, std::size_t offset)
      : size_(bytes), memory_(2 * margin + offset + bytes + alignment, fill) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    begin_ = (alignment - address % alignment) % alignment + margin + offset;
  }
  unsigned char* begin() { return memory_.data() + begin_; }
  bool margins_are_untouched() const {
    const auto is_fill = [](unsigned char byte) { return byte == fill; };
    const auto first = memory_.begin() + static_cast<std::ptrdiff_t>(begin_);
    return std::all_of(memory_.begin(), first, is_fill) &&
           std::all_of(first + static_cast<std::ptrdiff_t>(size_), memory_.end(), is_fill);
  }

private:
  static constexpr std::size_t margin = 256, alignment = 64;
  static constexpr unsigned char fill = 0x7b; // as numbers of any type large ones: one that is read spoils the maximum
  std::size_t size_, begin_;
  std::vector<unsigned char> memory_;
};

/// A piece of host memory on the GPU, there at an address as far beyond a 64-byte border, or the next that is aligned.
class OnDevice {
public:
  OnDevice(const void* host, std::size_t bytes, std::size_t alignment = 1)
      : host_(const_cast<void*>(host)), bytes_(host != nullptr ? bytes : 0),
        begin_(margin + (reinterpret_cast<std::uintptr_t>(host) % 64 + alignment - 1) / alignment * alignment),
        image_(begin_ + bytes_ + margin, fill), memory_(image_.size()) {
    if (bytes_ > 0)
      std::memcpy(&image_[begin_], host_, bytes_);
    memory_.upload(image_.data());
  }

  void* address() const { return host_ != nullptr ? memory_.address(begin_) : nullptr; }

  /// Where it was written; nothing may be beside it.
  void copy_back() const {
    std::vector<unsigned char> now(image_.size());
    memory_.download(now.data());
    if (!std::equal(now.begin(), now.begin() + std::ptrdiff_t(begin_), image_.begin()) ||
        !std::equal(now.end() - margin, now.end(), image_.end() - margin))
      throw std::runtime_error("a job wrote beside its memory on the GPU");
    if (bytes_ > 0 && std::memcmp(&now[begin_], &image_[begin_], bytes_) != 0)
      std::memcpy(host_, &now[begin_], bytes_);
  }

private:
  static constexpr std::size_t margin = 256;
  static constexpr unsigned char fill = 0x7b;
  void* host_;
  std::size_t bytes_, begin_;
  std::vector<unsigned char> image_;
  GpuMemory memory_;
};

const char* operation_name(unsigned operation) {
  constexpr const char* names[] = {"FAKE_QUANTIZE", "ENCODE", "DECODE"};
  return operation <= GFPQ_DECODE ? names[operation] : "unknown operation";
}

template <class Element>
std::uint64_t pattern_of(Element number) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof number);
  return bits;
}

std::string hex(std::uint64_t bits) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(bits));
  return text;
}

} // namespace

void need_jobs() {
  if (!test_run().library->has_jobs(test_run().device))
    throw MissingFunction("the functions of gfpq_jobs.hpp");
}

void need_jobs_of_host_memory() {
  need_host_memory();
  need_jobs();
}

int run_job(GFPQ_JOB_ST job) {
  const Library& library = *test_run().library;
  if (test_run().device == Device::cpu)
    return library.run_jobs(&job, 1);
  const std::size_t count = job.outer * job.groups * job.inner;
  const std::size_t code_size = bytes_of_code(static_cast<int>(job.bit_width));
  const std::size_t element_size = job.type == GFPQ_FLOAT64 ? 8 : job.type == GFPQ_FLOAT32 ? 4 : 2;
  const OnDevice source(job.source, count * (job.operation == GFPQ_DECODE ? code_size : element_size));
  const OnDevice destination(job.destination, count * (job.operation == GFPQ_ENCODE ? code_size : element_size));
  const OnDevice params(job.params, job.groups * sizeof *job.params, 8), mask(job.mask, count);
  const bool is_in_place = job.source == job.destination;
  job.source = source.address();
  job.destination = is_in_place ? source.address() : destination.address();
  job.params = static_cast<GFPQ_GROUP_PARAM_ST*>(params.address());
  job.mask = static_cast<unsigned char*>(mask.address());
  const int status = library.run_jobs_gpu(&job, 1);
  for (const OnDevice* const piece : {&source, &params, &mask})
    piece->copy_back();
  if (!is_in_place)
    destination.copy_back();
  return status;
}

std::size_t bytes_of_code(int bits) { return bits <= 8 ? 1 : 2; }
std::uint16_t sign_of_codes(int bits) { return static_cast<std::uint16_t>(1u << (8 * bytes_of_code(bits) - 1)); }

template <class Float>
std::uint16_t right_code(int bits, Float number, int delta) {
  const Oracle<Float>& right = oracle<Float>(bits);
  const Float value = right.quantize(number, delta);
  const std::uint16_t sign = sign_of_codes(bits);
  if (value == 0)
    return sign;
  const int k = right.nearest_exponent(std::fabs(value)) - delta;
  return static_cast<std::uint16_t>(value < 0 ? sign | k : k);
}

template <class Float>
Float right_value(int bits, std::uint16_t code, int delta) {
  const std::uint16_t sign = sign_of_codes(bits);
  if (code == sign)
    return 0;
  const Float value = oracle<Float>(bits).value(delta + (code & (sign - 1)));
  return (code & sign) != 0 ? -value : value;
}

template <class Element>
void check_job(JobChecks checks, int bits, const JobPlan& plan, const std::vector<Element>& numbers) {
  using Facts = ElementFacts<Element>;
  using Computed = ComputedOf<Element>;
  const Oracle<Computed>& right = oracle<Computed>(bits);
  const std::size_t count = plan.count(), code_size = bytes_of_code(bits);
  const std::size_t in_size = plan.operation == GFPQ_DECODE ? code_size : sizeof(Element);
  const std::size_t out_size = plan.operation == GFPQ_ENCODE ? code_size : sizeof(Element);
  const ChecksOfKind of_kind(bits, sizeof(Computed) == sizeof(double));

  // What is right.
  std::vector<int> deltas(plan.groups);
  std::vector<GFPQ_GROUP_PARAM_ST> want_params(plan.groups);
  std::vector<std::uint64_t> sources(count), want(count);
  std::vector<unsigned char> want_mask(count);
  Guarded params(plan.groups * sizeof(GFPQ_GROUP_PARAM_ST), 4);
  for (std::size_t group = 0; group < plan.groups; ++group) {
    const int held = plan.held.empty() ? GFPQ_NEVER_SET : plan.held[group % plan.held.size()];
    std::vector<Computed> own(plan.outer * plan.inner);
    for (std::size_t i = 0; i < own.size(); ++i)
      own[i] = Facts::computed(numbers[plan.place(group, i)]);
    const bool applies = plan.mode == GFPQ_MODE_APPLY_ONLY;
    const bool updates = plan.mode == GFPQ_MODE_UPDATE || (plan.mode == GFPQ_MODE_AUTO && held != GFPQ_NEVER_SET);
    const int delta = deltas[group] = applies ? held : updates ? std::max(held, right.delta(own)) : right.delta(own);
    std::memcpy(want_params[group].buf, right.param(0, delta).buf, GFPQ_PARAM_LEN);
    GFPQ_GROUP_PARAM_ST before{};
    if (held != GFPQ_NEVER_SET)
      std::memcpy(before.buf, right.param(0, held).buf, GFPQ_PARAM_LEN);
    before.status = static_cast<int>(group % 2 == 0 ? GFPQ_SUCCESS : GFPQ_ERR_GENERIC);
    std::memcpy(params.begin() + group * sizeof before, &before, sizeof before);
    const Computed largest = right.value(delta + right.max_code());
    for (std::size_t i = 0; i < own.size(); ++i) {
      const std::size_t place = plan.place(group, i);
      const std::uint16_t code = right_code(bits, own[i], delta);
      const Element value = Facts::stored(right_value<Computed>(bits, code, delta));
      sources[place] = plan.operation == GFPQ_DECODE ? code : pattern_of(numbers[place]);
      want[place] = plan.operation == GFPQ_ENCODE ? code : pattern_of(value);
      want_mask[place] = std::fabs(own[i]) <= largest;
    }
  }

  Guarded source(count * in_size, plan.offset * in_size), destination(count * out_size, plan.offset * out_size);
  Guarded mask(count, plan.offset);
  for (std::size_t i = 0; i < count; ++i)
    std::memcpy(source.begin() + i * in_size, &sources[i], in_size); // little-endian
  Guarded& results = plan.in_place ? source : destination;
  const GFPQ_JOB_ST job{plan.operation,
                        Facts::type,
                        static_cast<unsigned>(bits),
                        plan.mode,
                        plan.outer,
                        plan.groups,
                        plan.inner,
                        source.begin(),
                        results.begin(),
                        reinterpret_cast<GFPQ_GROUP_PARAM_ST*>(params.begin()),
                        plan.with_mask ? mask.begin() : nullptr};
  const int status = run_job(job);

  const auto describe = [&] {
    const std::string mode = plan.mode == GFPQ_MODE_AUTO ? "AUTO" : mode_name(plan.mode);
    return std::string("GFPQ_RunJobs(") + operation_name(plan.operation) + ", " + Facts::name + ", " +
           std::to_string(bits) + " bit, " + mode + "), " + std::to_string(plan.outer) + " x " +
           std::to_string(plan.groups) + " x " + std::to_string(plan.inner) + (plan.in_place ? ", in place" : "") +
           (plan.with_mask ? ", with a mask" : "") + (plan.note.empty() ? "" : ", " + plan.note);
  };
  checks.status.that(status == GFPQ_SUCCESS, [&] { return describe() + "\n      returned " + show_status(status); });
  checks.surroundings.that(source.margins_are_untouched() && destination.margins_are_untouched() &&
                               mask.margins_are_untouched() && params.margins_are_untouched(),
                           [&] { return describe() + "\n      wrote beside its memory"; });
  if (!plan.in_place)
    for (std::size_t i = 0; i < count; ++i)
      if (std::memcmp(source.begin() + i * in_size, &sources[i], in_size) != 0) {
        checks.surroundings.that(false, [&] { return describe() + "\n      wrote to its source"; });
        break;
      }
  if (status != GFPQ_SUCCESS)
    return;
  for (std::size_t group = 0; group < plan.groups; ++group) {
    GFPQ_GROUP_PARAM_ST got;
    std::memcpy(&got, params.begin() + group * sizeof got, sizeof got);
    GFPQ_PARAM_ST got_block{0, {}}, want_block{0, {}};
    std::memcpy(got_block.buf, got.buf, sizeof got.buf);
    std::memcpy(want_block.buf, want_params[group].buf, sizeof got.buf);
    checks.params.that(
        std::memcmp(got.buf, want_params[group].buf, sizeof got.buf) == 0 && got.status == GFPQ_SUCCESS, [&] {
          return describe() + ", group " + std::to_string(group) + "\n      block " + show_block(got_block) +
                 ", status " + show_status(got.status) + "\n      want  " + show_block(want_block);
        });
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t got = 0;
    std::memcpy(&got, results.begin() + i * out_size, out_size);
    const int delta = deltas[i / plan.inner % plan.groups];
    checks.results.that(got == want[i], [&] {
      return describe() + ", delta " + std::to_string(delta) + "\n      number " + std::to_string(i) + ", " +
             hex(sources[i]) + "\n      got  " + hex(got) + "\n      want " + hex(want[i]);
    });
    if (plan.with_mask)
      checks.masks.that(mask.begin()[i] == want_mask[i], [&] {
        return describe() + ", delta " + std::to_string(delta) + "\n      number " + std::to_string(i) + ", " +
               hex(sources[i]) + ", has the mask " + std::to_string(mask.begin()[i]);
      });
  }
}

template <class Element>
std::vector<Element> numbers_for(int bits, const JobPlan& plan, const std::vector<int>& deltas, unsigned seed) {
  using Computed = ComputedOf<Element>;
  std::vector<Element> numbers(plan.count());
  for (std::size_t group = 0; group < plan.groups; ++group) {
    const std::size_t size = plan.outer * plan.inner;
    auto own = with_nan(
        numbers_in_range<Computed>(bits, deltas[group % deltas.size()], size, seed + static_cast<unsigned>(group)),
        seed);
    if (!own.empty()) // doubles at a safe distance from the step of the delta rule
      own[size / 2] = -at_safe_distance(
          bits, away_from_zero(oracle<Computed>(bits).smallest_maximum(deltas[group % deltas.size()]), 64));
    for (std::size_t i = 0; i < size; ++i)
      numbers[plan.place(group, i)] = ElementFacts<Element>::stored(own[i]);
  }
  return numbers;
}

#define GFPQ_INSTANTIATE(Element)                                                                                      \
  template void check_job(JobChecks, int, const JobPlan&, const std::vector<Element>&);                                \
  template std::vector<Element> numbers_for<Element>(int, const JobPlan&, const std::vector<int>&, unsigned);
GFPQ_INSTANTIATE(float)
GFPQ_INSTANTIATE(double)
GFPQ_INSTANTIATE(Float16)
GFPQ_INSTANTIATE(BFloat16)
#undef GFPQ_INSTANTIATE
template std::uint16_t right_code(int, float, int);
template std::uint16_t right_code(int, double, int);
template float right_value(int, std::uint16_t, int);
template double right_value(int, std::uint16_t, int);

} // namespace conformance
