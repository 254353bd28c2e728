// Jobs: what they write, for every element type, mode and shape.
#include <cmath>
#include <cstring>
#include <limits>

#include "cases/jobs.hpp"

namespace conformance {
namespace {

constexpr unsigned operations[] = {GFPQ_FAKE_QUANTIZE, GFPQ_ENCODE, GFPQ_DECODE};
constexpr unsigned job_modes[] = {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY, GFPQ_MODE_AUTO};

JobChecks all_checks(Requirements& requirements, const std::string& results) {
  return {requirements[results], requirements[results], requirements["GFPQ-JOB-06"], requirements["GFPQ-JOB-08"],
          requirements["GFPQ-JOB-07"]};
}

/// The requirement on an operation's results.
template <class Element>
std::string results_of(unsigned operation) {
  return operation == GFPQ_ENCODE                                              ? "GFPQ-JOB-04"
         : operation == GFPQ_DECODE                                            ? "GFPQ-JOB-05"
         : ElementFacts<Element>::type == GFPQ_FLOAT32 || sizeof(Element) == 8 ? "GFPQ-JOB-01"
                                                                               : "GFPQ-JOB-02";
}

/// The job in all operations and modes. What the parameters hold before is below, at and above what the data ask for.
template <class Element>
void check_everything(Requirements& requirements, int bits, JobPlan plan, unsigned seed) {
  const std::vector<int> wanted = {-77, -60, -101};
  const std::vector<std::vector<int>> held = {{-77, -80, -90}, {-200, -40, -101}};
  const auto numbers = numbers_for<Element>(bits, plan, wanted, seed);
  for (const unsigned operation : operations)
    for (const unsigned mode : job_modes) {
      if (operation == GFPQ_DECODE && mode != GFPQ_MODE_APPLY_ONLY)
        continue;
      plan.operation = operation;
      plan.mode = mode;
      plan.with_mask = operation != GFPQ_DECODE && (seed + mode) % 2 == 0;
      for (const auto& before : held) {
        plan.held = before;
        if (mode == GFPQ_MODE_AUTO || mode == GFPQ_MODE_INIT)
          plan.held.push_back(GFPQ_NEVER_SET);
        for (const bool in_place : {false, true}) {
          plan.in_place = in_place;
          if (!in_place || operation == GFPQ_FAKE_QUANTIZE)
            check_job(all_checks(requirements, results_of<Element>(operation)), bits, plan, numbers);
        }
      }
    }
}

CONFORMANCE_TEST(Jobs, EveryOperationModeAndShape, "GFPQ-JOB-01", "GFPQ-JOB-02", "GFPQ-JOB-04", "GFPQ-JOB-05",
                 "GFPQ-JOB-06", "GFPQ-JOB-07", "GFPQ-JOB-08") {
  struct Shape {
    std::size_t outer, groups, inner;
  };
  const Shape shapes[] = {{1, 1, 1},    {1, 1, 7},    {3, 1, 50},  {1, 1, 4099}, {1, 5, 33},   {2, 3, 70},
                          {4, 3, 1},    {2500, 2, 1}, {70, 3, 63}, {65, 2, 64},  {300, 2, 17}, {1, 64, 9},
                          {2, 1, 9001}, {2, 2, 5003}, {3, 700, 1}, {5, 37, 3}};
  for_each_element([&](auto element, int bits) {
    unsigned seed = 1;
    for (const Shape& shape : shapes) {
      JobPlan plan;
      plan.outer = shape.outer;
      plan.groups = shape.groups;
      plan.inner = shape.inner;
      plan.offset = seed % 5;
      check_everything<decltype(element)>(requirements, bits, plan, seed++);
    }
  });
}

CONFORMANCE_TEST(Jobs, EveryLengthAndAlignment, "GFPQ-JOB-01", "GFPQ-JOB-02", "GFPQ-JOB-04", "GFPQ-JOB-05",
                 "GFPQ-JOB-06", "GFPQ-JOB-07", "GFPQ-JOB-08") {
  for_each_element([&](auto element, int bits) {
    using Element = decltype(element);
    for (std::size_t length = 0; length < 140; ++length)
      for (const unsigned operation : operations) {
        JobPlan plan;
        plan.operation = operation;
        plan.mode = operation == GFPQ_DECODE || length % 2 == 0 ? GFPQ_MODE_APPLY_ONLY : GFPQ_MODE_UPDATE;
        plan.inner = length;
        plan.offset = length % 64;
        plan.with_mask = operation != GFPQ_DECODE;
        plan.in_place = operation == GFPQ_FAKE_QUANTIZE && length % 3 == 0;
        plan.held = {-77};
        check_job(all_checks(requirements, results_of<Element>(operation)), bits, plan,
                  numbers_for<Element>(bits, plan, {-90}, static_cast<unsigned>(length)));
      }
  });
}

/// Numbers from all over the type's range, infinities and NaN, and both sides of thresholds, at deltas from one end to
/// the other.
CONFORMANCE_TEST(Jobs, NumbersFromAllOver, "GFPQ-JOB-01", "GFPQ-JOB-02", "GFPQ-JOB-04", "GFPQ-JOB-05", "GFPQ-JOB-06",
                 "GFPQ-JOB-07", "GFPQ-JOB-08") {
  for_each_element([&](auto element, int bits) {
    using Element = decltype(element);
    using Computed = ComputedOf<Element>;
    const int step = 2 * width_of(bits).delta_limit / 16;
    for (const int delta : deltas(bits, step)) {
      auto computed = with_nan(mixed_numbers<Computed>(bits, delta, 700, 5));
      computed[3] = std::numeric_limits<Computed>::infinity();
      computed[4] = -computed[3];
      std::vector<Element> numbers;
      for (const Computed number : computed)
        numbers.push_back(ElementFacts<Element>::stored(number));
      for (const unsigned operation : operations) {
        JobPlan plan;
        plan.operation = operation;
        plan.mode = GFPQ_MODE_APPLY_ONLY;
        plan.inner = numbers.size();
        plan.with_mask = operation != GFPQ_DECODE;
        plan.held = {delta};
        check_job(all_checks(requirements, results_of<Element>(operation)), bits, plan, numbers);
      }
    }
  });
}

/// Threads of the library's own: numbers at a tensor's ends and in the middle decide on delta.
CONFORMANCE_TEST_WITH(Jobs, LongTensors, (std::vector<int>{1, 3}), "GFPQ-JOB-01", "GFPQ-JOB-02", "GFPQ-JOB-04",
                      "GFPQ-JOB-05", "GFPQ-JOB-06", "GFPQ-JOB-07", "GFPQ-JOB-08") {
  need_jobs();
  const auto check = [&](auto element, int bits, unsigned operation, unsigned mode, std::size_t groups, int third,
                         std::size_t row = 0) {
    using Element = decltype(element);
    using Computed = ComputedOf<Element>;
    JobPlan plan;
    plan.operation = operation;
    plan.mode = mode;
    plan.groups = groups;
    const std::size_t count = (std::size_t(9) << 20) / sizeof(Element) + 5;
    plan.outer = row > 0 ? count / groups / row : groups == 1 ? 1 : 8;
    plan.inner = row > 0 ? row : count / plan.outer / groups;
    plan.with_mask = operation != GFPQ_DECODE;
    plan.held = {-110};
    const auto pattern = numbers_for<Element>(bits, {operation, mode, 1, 1, 997}, {-130});
    std::vector<Element> numbers(plan.count());
    for (std::size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = pattern[i % pattern.size()];
    const Computed largest = away_from_zero(oracle<Computed>(bits).smallest_maximum(-77), 1 << 17);
    const std::size_t places[] = {0, numbers.size() / 2, numbers.size() - 1}; // one for each of three threads
    numbers[places[third]] = ElementFacts<Element>::stored(largest);
    check_job(all_checks(requirements, results_of<Element>(operation)), bits, plan, numbers);
  };
  check(float(), 8, GFPQ_FAKE_QUANTIZE, GFPQ_MODE_UPDATE, 1, 2);
  check(float(), 8, GFPQ_FAKE_QUANTIZE, GFPQ_MODE_UPDATE, 1, 0);
  check(Float16(), 16, GFPQ_FAKE_QUANTIZE, GFPQ_MODE_INIT, 1, 1);
  check(BFloat16(), 8, GFPQ_FAKE_QUANTIZE, GFPQ_MODE_UPDATE, 12, 2);
  check(double(), 16, GFPQ_ENCODE, GFPQ_MODE_UPDATE, 1, 0);
  check(float(), 8, GFPQ_DECODE, GFPQ_MODE_APPLY_ONLY, 1, 0);
  check(float(), 8, GFPQ_FAKE_QUANTIZE, GFPQ_MODE_UPDATE, 50, 1, 1); // short rows, of few groups and of many
  check(float(), 8, GFPQ_ENCODE, GFPQ_MODE_INIT, 3000, 2, 2);
}

/// Every code of both signs at every delta, and none that is not there.
CONFORMANCE_TEST(Jobs, EveryCode, "GFPQ-JOB-05") {
  for_each_element([&](auto element, int bits) {
    using Element = decltype(element);
    using Computed = ComputedOf<Element>;
    const Width& width = width_of(bits);
    const std::size_t code_size = bytes_of_code(bits);
    std::vector<std::uint16_t> codes;
    for (int k = 0; k <= width.max_code; ++k)
      for (const std::uint16_t sign : {std::uint16_t(0), sign_of_codes(bits)})
        codes.push_back(static_cast<std::uint16_t>(sign | k));
    std::vector<unsigned char> source(codes.size() * code_size);
    for (std::size_t i = 0; i < codes.size(); ++i)
      std::memcpy(&source[i * code_size], &codes[i], code_size);
    std::vector<Element> got(codes.size());
    for (const int delta : deltas(bits, test_run().thorough ? 1 : width.delta_limit / 40)) {
      GFPQ_GROUP_PARAM_ST param{};
      std::memcpy(param.buf, oracle<Computed>(bits).param(0, delta).buf, GFPQ_PARAM_LEN);
      const GFPQ_JOB_ST job{GFPQ_DECODE,
                            ElementFacts<Element>::type,
                            static_cast<unsigned>(bits),
                            GFPQ_MODE_APPLY_ONLY,
                            1,
                            1,
                            codes.size(),
                            source.data(),
                            got.data(),
                            &param,
                            nullptr};
      const int status = run_job(job);
      Checks& checks = requirements["GFPQ-JOB-05"];
      checks.that(status == GFPQ_SUCCESS, [&] { return "GFPQ_RunJobs(DECODE) returned " + show_status(status); });
      for (std::size_t i = 0; status == GFPQ_SUCCESS && i < codes.size(); ++i) {
        const Element want = ElementFacts<Element>::stored(right_value<Computed>(bits, codes[i], delta));
        checks.that(std::memcmp(&got[i], &want, sizeof want) == 0, [&] {
          return std::string("GFPQ_RunJobs(DECODE, ") + ElementFacts<Element>::name + ", " + std::to_string(bits) +
                 " bit), delta " + std::to_string(delta) + ": code " + std::to_string(codes[i]) + " has another value";
        });
      }
    }
  });
}

/// All 65536 numbers of a half type: fake-quantized, encoded, and decoded again.
template <class HalfType>
class EveryHalf {
public:
  EveryHalf(int bits, Requirements& requirements) : bits_(bits), requirements_(requirements) {
    for (unsigned pattern = 0; pattern < 0x10000; ++pattern)
      numbers_.push_back({static_cast<std::uint16_t>(pattern)});
    for (const HalfType number : numbers_) {
      const float wide = widened(number), magnitude = std::fabs(wide);
      widened_.push_back(wide);
      exponents_.push_back(std::isnan(wide) ? 0 : right_.nearest_exponent(magnitude));
    }
    for (int exponent = right_.lowest_exponent(); exponent <= right_.highest_exponent(); ++exponent)
      values_.push_back(rounded<HalfType>(right_.value(exponent)).bits);
    results_.resize(numbers_.size());
    codes_.resize(numbers_.size() * bytes_of_code(bits));
  }

  void check(int delta) {
    const ChecksOfKind of_kind(bits_, false);
    std::memcpy(param_.buf, right_.param(0, delta).buf, GFPQ_PARAM_LEN);
    run(GFPQ_FAKE_QUANTIZE, numbers_.data(), results_.data());
    compare(delta, "fake-quantized");
    run(GFPQ_ENCODE, numbers_.data(), codes_.data());
    run(GFPQ_DECODE, codes_.data(), results_.data());
    compare(delta, "encoded and decoded");
  }

private:
  void run(unsigned operation, const void* source, void* destination) {
    const GFPQ_JOB_ST job{operation,
                          ElementFacts<HalfType>::type,
                          static_cast<unsigned>(bits_),
                          GFPQ_MODE_APPLY_ONLY,
                          1,
                          1,
                          numbers_.size(),
                          source,
                          destination,
                          &param_,
                          nullptr};
    const int status = run_job(job);
    requirements_["GFPQ-JOB-03"].that(status == GFPQ_SUCCESS, [&] { return "returned " + show_status(status); });
  }

  void compare(int delta, const char* what) {
    const float positive_zero = right_.positive_zero(delta), negative_zero = right_.negative_zero(delta);
    std::size_t wrong = 0, first = 0;
    for (std::size_t i = 0; i < numbers_.size(); ++i) {
      const float number = widened_[i];
      const bool is_negative = i >= 0x8000;
      const bool is_zero = !(is_negative ? number < negative_zero : number > positive_zero); // NaN too
      const int lowest = delta + (is_negative ? 1 : 0), highest = delta + right_.max_code();
      const int exponent = std::min(std::max(exponents_[i], lowest), highest);
      const auto value = values_[static_cast<std::size_t>(exponent - right_.lowest_exponent())];
      const auto want = static_cast<std::uint16_t>(is_zero ? 0 : is_negative ? value | HalfType::sign : value);
      if (results_[i].bits != want && wrong++ == 0)
        first = i;
    }
    requirements_["GFPQ-JOB-03"].that(wrong == 0, [&] {
      return std::string(ElementFacts<HalfType>::name) + ", " + std::to_string(bits_) + " bit, delta " +
             std::to_string(delta) + ": " + std::to_string(wrong) + " of 65536 numbers, " + what +
             ", are wrong; the first is " + std::to_string(first) + ", which became " +
             std::to_string(results_[first].bits);
    });
  }

  int bits_;
  Requirements& requirements_;
  const Oracle<float>& right_ = oracle<float>(bits_);
  GFPQ_GROUP_PARAM_ST param_{};
  std::vector<HalfType> numbers_, results_;
  std::vector<float> widened_;
  std::vector<int> exponents_;
  std::vector<std::uint16_t> values_; // by exponent
  std::vector<unsigned char> codes_;
};

CONFORMANCE_TEST(Jobs, EveryHalf, "GFPQ-JOB-03") {
  need_jobs();
  for (const Width& width : widths) {
    EveryHalf<Float16> float16(width.bits, requirements);
    EveryHalf<BFloat16> bfloat16(width.bits, requirements);
    for (const int delta : deltas(width.bits, test_run().thorough ? 1 : width.delta_limit / 50)) {
      float16.check(delta);
      bfloat16.check(delta);
    }
  }
}

} // namespace
} // namespace conformance
