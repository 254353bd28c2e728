// Jobs of many groups give what a job for each group alone gives: for every way in which rows are walked, with groups
// that are left out among them.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "gfpq_jobs.hpp"
#include "group_param.hpp"
#include "kernels/codes.hpp"
#include "kernels/elements.hpp"
#include "unit_test.hpp"

namespace gfpq {
namespace {

struct JobShape {
  std::size_t outer, groups, inner;
  std::size_t count() const { return outer * groups * inner; }
};

template <class Element_, unsigned type_>
struct JobType {
  using Element = Element_;
  static constexpr unsigned type = type_;
};

/// A tensor of any bit patterns near the ladder of delta 0, its results, and its groups' parameters.
template <class Type, class Width>
class JobOfGroups {
  using Element = typename Type::Element;
  using Code = typename Codes<Width>::Code;

public:
  JobOfGroups(unsigned operation, unsigned mode, const JobShape& shape, std::mt19937& random)
      : operation_(operation), mode_(mode), shape_(shape), params_(shape.groups) {
    const auto bytes_of_code = [](std::size_t numbers) { return numbers * sizeof(Code); };
    const std::size_t numbers = shape.count();
    source_.resize(operation == GFPQ_DECODE ? bytes_of_code(numbers) : numbers * sizeof(Element));
    for (std::size_t i = 0; i < numbers; ++i)
      set_source(i, random);
    destination_.assign(operation == GFPQ_ENCODE ? bytes_of_code(numbers) : numbers * sizeof(Element), 0xa5);
    mask_.assign(operation == GFPQ_DECODE ? 0 : numbers, 0xa5);
    for (GFPQ_GROUP_PARAM_ST& param : params_)
      if (mode != GFPQ_MODE_AUTO || random() % 2 == 0)
        encode_block(int(random() % 40) - Width::max_code - 20, param.buf);
  }

  void damage(std::size_t group) { params_[group].buf[5] ^= 1; }

  int run(bool in_place) {
    GFPQ_JOB_ST job = as_job();
    if (in_place)
      job.destination = source_.data();
    const int status = GFPQ_RunJobs(&job, 1);
    if (in_place)
      destination_ = source_;
    return status;
  }

  /// The same by a job for each group, whose numbers are brought together.
  int run_one_by_one() {
    int first = GFPQ_SUCCESS;
    for (std::size_t group = 0; group < shape_.groups; ++group) {
      JobOfGroups alone = of_group(group);
      for_each_row(group, [&](std::size_t here, std::size_t there) { copy_row(*this, here, alone, there); });
      const GFPQ_JOB_ST job = alone.as_job();
      const int status = GFPQ_RunJobs(&job, 1);
      first = first != GFPQ_SUCCESS ? first : status;
      for_each_row(group, [&](std::size_t here, std::size_t there) { copy_row(alone, there, *this, here); });
      params_[group] = alone.params_[0];
    }
    return first;
  }

  void expect_same(const JobOfGroups& other, bool is_source_same) const {
    EXPECT_TRUE(destination_ == other.destination_);
    EXPECT_TRUE(mask_ == other.mask_);
    EXPECT_TRUE(!is_source_same || source_ == other.source_);
    for (std::size_t group = 0; group < shape_.groups; ++group)
      ASSERT_EQ(std::memcmp(&params_[group], &other.params_[group], sizeof(GFPQ_GROUP_PARAM_ST)), 0)
          << "group " << group << ", status " << params_[group].status << " and " << other.params_[group].status;
  }

  /// In place a group that is left out keeps its source.
  void begin_with_source() { destination_ = source_; }

private:
  JobOfGroups() = default;

  /// A job for one group, with room for its numbers.
  JobOfGroups of_group(std::size_t group) const {
    JobOfGroups alone;
    alone.operation_ = operation_;
    alone.mode_ = mode_;
    alone.shape_ = {1, 1, shape_.outer * shape_.inner};
    alone.source_.resize(source_.size() / shape_.groups);
    alone.destination_.resize(destination_.size() / shape_.groups);
    alone.mask_.resize(mask_.size() / shape_.groups);
    alone.params_ = {params_[group]};
    return alone;
  }

  void set_source(std::size_t i, std::mt19937& random) {
    if (operation_ == GFPQ_DECODE) {
      const unsigned code = random() % (Width::max_code + 1) | (random() % 2 == 0 ? Codes<Width>::sign : 0u);
      const bool is_beyond = shape_.groups > 3 && i / shape_.inner % shape_.groups == 1 && i / shape_.inner > 1;
      const Code stored = static_cast<Code>(is_beyond && Width::bits == 16 ? 0x7fffu : code);
      std::memcpy(&source_[i * sizeof stored], &stored, sizeof stored);
    } else {
      // Its upper half has the sign and the exponent of float32, or of any other type: whatever number that is.
      const unsigned exponent = random() % 24 + 108, any = random();
      const unsigned long long bits = sizeof(Element) == 8         ? (exponent + 896ull) << 52 | any
                                      : Type::type == GFPQ_FLOAT16 ? any & 0x7fffu
                                      : sizeof(Element) == 2       ? exponent << 7 | (any & 0x7f)
                                                                   : exponent << 23 | (any & 0x7fffff);
      const unsigned long long sign = (any >> 31 ? 1ull : 0ull) << (8 * sizeof(Element) - 1);
      const unsigned long long stored = bits | sign;
      std::memcpy(&source_[i * sizeof(Element)], &stored, sizeof(Element));
    }
  }

  GFPQ_JOB_ST as_job() {
    return {operation_,
            Type::type,
            Width::bits,
            mode_,
            shape_.outer,
            shape_.groups,
            shape_.inner,
            source_.data(),
            destination_.data(),
            params_.data(),
            mask_.empty() ? nullptr : mask_.data()};
  }

  template <class Copy>
  void for_each_row(std::size_t group, const Copy& copy) const {
    for (std::size_t row = 0; row < shape_.outer; ++row)
      copy((row * shape_.groups + group) * shape_.inner, row * shape_.inner);
  }

  void copy_row(const JobOfGroups& from, std::size_t at, JobOfGroups& to, std::size_t place) const {
    const auto copy = [&](const std::vector<unsigned char>& bytes, std::vector<unsigned char>& room) {
      const std::size_t size = bytes.size() / from.shape_.count();
      std::copy_n(bytes.begin() + std::ptrdiff_t(at * size), shape_.inner * size,
                  room.begin() + std::ptrdiff_t(place * size));
    };
    copy(from.source_, to.source_);
    copy(from.destination_, to.destination_);
    copy(from.mask_, to.mask_);
  }

  unsigned operation_ = 0, mode_ = 0;
  JobShape shape_{};
  std::vector<unsigned char> source_, destination_, mask_;
  std::vector<GFPQ_GROUP_PARAM_ST> params_;
};

template <class Type>
class JobShapes : public testing::Test {
public:
  template <class Width>
  static void expect_same(const JobShape& shape, unsigned operation, unsigned mode, bool in_place, bool is_damaged) {
    SCOPED_TRACE(testing::Message() << shape.outer << " x " << shape.groups << " x " << shape.inner << ", "
                                    << Width::bits << " bit, operation " << operation << ", mode " << mode
                                    << (in_place ? ", in place" : "") << (is_damaged ? ", damaged" : ""));
    std::mt19937 random(unsigned(shape.count() + mode));
    JobOfGroups<Type, Width> job(operation, mode, shape, random);
    if (is_damaged)
      for (std::size_t group = 2; group < shape.groups; group += 1 + random() % 9)
        job.damage(group);
    if (in_place)
      job.begin_with_source();
    JobOfGroups<Type, Width> wanted = job;
    EXPECT_EQ(job.run(in_place), wanted.run_one_by_one());
    job.expect_same(wanted, !in_place);
  }

  static void expect_same_in_all_ways(const JobShape& shape) {
    for (const bool is_damaged : {false, true})
      for (const unsigned mode : {unsigned(GFPQ_MODE_INIT), unsigned(GFPQ_MODE_UPDATE), unsigned(GFPQ_MODE_APPLY_ONLY),
                                  unsigned(GFPQ_MODE_AUTO)})
        for (const bool in_place : {false, true}) {
          expect_same<Width8>(shape, GFPQ_FAKE_QUANTIZE, mode, in_place, is_damaged);
          expect_same<Width16>(shape, GFPQ_FAKE_QUANTIZE, mode, in_place, is_damaged);
          if (in_place)
            continue;
          expect_same<Width8>(shape, GFPQ_ENCODE, mode, false, is_damaged);
          expect_same<Width16>(shape, GFPQ_ENCODE, mode, false, is_damaged);
          if (mode != GFPQ_MODE_APPLY_ONLY)
            continue;
          expect_same<Width8>(shape, GFPQ_DECODE, mode, false, is_damaged);
          expect_same<Width16>(shape, GFPQ_DECODE, mode, false, is_damaged);
        }
  }
};
using JobTypes = testing::Types<JobType<float, GFPQ_FLOAT32>, JobType<double, GFPQ_FLOAT64>,
                                JobType<Float16, GFPQ_FLOAT16>, JobType<BFloat16, GFPQ_BFLOAT16>>;
TYPED_TEST_SUITE(JobShapes, JobTypes);

TYPED_TEST(JobShapes, ManyGroupsGiveWhatEachGivesAlone) {
  set_environment("GFPQ_MESSAGES", "none");
  set_environment("OMP_NUM_THREADS", "1");
  for (const JobShape& shape :
       {JobShape{1, 5, 1}, JobShape{7, 4, 1}, JobShape{300, 10, 1}, JobShape{3, 700, 1}, JobShape{2, 300, 3},
        JobShape{9, 13, 17}, JobShape{4, 20, 49}, JobShape{3, 9, 63}, JobShape{2, 5, 64}, JobShape{3, 4, 500}})
    TestFixture::expect_same_in_all_ways(shape);
}

TYPED_TEST(JobShapes, SeveralThreadsGiveTheSame) {
  set_environment("GFPQ_MESSAGES", "none");
  set_environment("OMP_NUM_THREADS", "3");
  bool is_damaged = false; // in turn: each operation and each shape has both
  for (const JobShape& shape : {JobShape{70001, 31, 1}, JobShape{701, 3001, 1}, JobShape{33, 5, 13001}}) {
    TestFixture::template expect_same<Width8>(shape, GFPQ_FAKE_QUANTIZE, GFPQ_MODE_UPDATE, false, is_damaged);
    is_damaged = !is_damaged;
    TestFixture::template expect_same<Width16>(shape, GFPQ_DECODE, GFPQ_MODE_APPLY_ONLY, false, is_damaged);
  }
  TestFixture::template expect_same<Width16>({70001, 31, 1}, GFPQ_ENCODE, GFPQ_MODE_INIT, false, false);
  set_environment("OMP_NUM_THREADS", "");
}

} // namespace
} // namespace gfpq
