#include "delta_sweep.hpp"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>

#include "loops.hpp"
#include "segments.hpp"

namespace conformance {
namespace {

/// Doubles on either side of a border.
constexpr std::uint64_t border_width = 64;

constexpr std::size_t max_ranges = 16;

// Statuses of calls that return success.
constexpr int wrong_block = 1;   ///< the block is not delta's
constexpr int wrong_maximum = 2; ///< the number that decides delta is wrong itself

double cpu_seconds_of_thread() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

template <class Float>
constexpr const char* type_name = sizeof(Float) == 4 ? "float" : "double";

/// One type's part of a delta's sweep.
template <class Float>
class Sweep {
public:
  using Bits = BitsOf<Float>;

  Sweep(const Library& library, const Method& method, DeltaResult& result)
      : library_(library), method_(method), result_(result), right_(oracle<Float>(result.bits)),
        segments_(allowed_segments()) {}

  void all_patterns();
  void borders();
  void random_numbers(std::uint64_t count, std::uint64_t seed);

private:
  /// Those whose numbers ask for no larger delta where the data are asked.
  std::vector<Segment<Float>> allowed_segments() const {
    std::vector<Segment<Float>> all = segments(right_, result_.delta);
    if (method_.mode == GFPQ_MODE_APPLY_ONLY || result_.delta == right_.delta_limit())
      return all;
    const Bits sign = bits_of(Float(-0.0)), infinity = bits_of(std::numeric_limits<Float>::infinity());
    const Bits largest = bits_of(right_.smallest_maximum(result_.delta + 1)) - 1;
    std::vector<Segment<Float>> allowed;
    for (Segment<Float> segment : all) {
      const Bits first = segment.first & ~sign, last = segment.last & ~sign;
      if (first > largest && last <= infinity)
        continue;
      if (last <= infinity && last > largest)
        segment.last = (segment.first & sign) | largest;
      allowed.push_back(segment);
    }
    return allowed;
  }

  /// Makes a call and checks its status and block. \return a status that is not GFPQ_SUCCESS where either is wrong
  int quantize(std::vector<Bits>& data) {
    const unsigned mode = method_.mode;
    // Where the data decide, the block is another one before the call.
    const bool data_decide = mode == GFPQ_MODE_INIT || (mode == GFPQ_MODE_UPDATE && ++calls_ % 2 == 0);
    const int stored = data_decide ? -right_.delta_limit() : result_.delta;
    // Else a number that asks for no larger one, for a call on nothing but zeros and NaN asks for that of 1e-6.
    const Float deciding = data_decide
                               ? away_from_zero(right_.smallest_maximum(result_.delta), sizeof(Float) == 4 ? 0 : 64)
                               : std::numeric_limits<Float>::denorm_min();
    if (mode != GFPQ_MODE_APPLY_ONLY)
      data.push_back(bits_of(deciding));
    GFPQ_PARAM_ST param = right_.param(mode, stored);
    const GFPQ_PARAM_ST want_param = right_.param(mode, result_.delta);
    int status = library_.quantize(Device::cpu, reinterpret_cast<Float*>(data.data()),
                                   static_cast<unsigned>(data.size()), static_cast<unsigned>(result_.bits), &param);
    if (status == GFPQ_SUCCESS && std::memcmp(&param, &want_param, sizeof param) != 0)
      status = wrong_block;
    if (mode != GFPQ_MODE_APPLY_ONLY) {
      if (status == GFPQ_SUCCESS && data.back() != bits_of(right_.quantize(deciding, result_.delta)))
        status = wrong_maximum;
      data.pop_back();
    }
    return status;
  }

  // Numbers with expected results, collected until they are worth a call.
  void add(Bits input, Bits want) {
    inputs_.push_back(input);
    wants_.push_back(want);
    if (inputs_.size() == std::max<std::size_t>(method_.length / 8, 1))
      compare_collected();
  }
  void compare_collected();

  void count_wrong(Bits input, Bits got, Bits want, int status);

  const Library& library_;
  const Method& method_;
  DeltaResult& result_;
  const Oracle<Float>& right_;
  const std::vector<Segment<Float>> segments_;
  std::uint64_t calls_ = 0;
  std::vector<Bits> inputs_, wants_;
  WrongRange range_{}; ///< the last one
  bool in_range_ = false;
};

template <>
void Sweep<float>::all_patterns() {
  std::vector<std::uint32_t> data;
  for (auto segment = segments_.begin(); segment != segments_.end();) {
    // Consecutive patterns from the first that is left, to where patterns are left out.
    auto end_of_run = segment;
    while (end_of_run + 1 != segments_.end() && (end_of_run + 1)->first == end_of_run->last + 1)
      ++end_of_run;
    const std::uint64_t end_of_patterns = std::uint64_t{end_of_run->last} + 1;
    for (std::uint64_t block = segment->first; block < end_of_patterns; block += data.size()) {
      const auto first = static_cast<std::uint32_t>(block);
      data.resize(std::min<std::uint64_t>(method_.length, end_of_patterns - block));
      fill_consecutive(data.data(), data.size(), first);
      const int status = quantize(data);
      for (std::size_t at = 0; at < data.size();) {
        const std::size_t end = std::min<std::uint64_t>(std::uint64_t{segment->last} + 1 - first, data.size());
        if (status != GFPQ_SUCCESS || !all_equal(data.data() + at, end - at, segment->want))
          for (std::size_t i = at; i < end; ++i)
            if (status != GFPQ_SUCCESS || data[i] != segment->want)
              count_wrong(first + static_cast<std::uint32_t>(i), data[i], segment->want, status);
        if (first + static_cast<std::uint32_t>(end - 1) == segment->last)
          ++segment;
        at = end;
      }
      result_.floats += data.size();
    }
  }
}

template <class Float>
void Sweep<Float>::borders() {
  for (const Segment<Float>& segment : segments_) {
    const std::uint64_t length = segment.last - segment.first + 1, ends = std::min(length, border_width);
    for (std::uint64_t i = 0; i < ends; ++i)
      add(static_cast<Bits>(segment.first + i), segment.want);
    for (std::uint64_t i = std::max(ends, length - ends); i < length; ++i)
      add(static_cast<Bits>(segment.first + i), segment.want);
  }
  compare_collected();
}

template <class Float>
void Sweep<Float>::random_numbers(std::uint64_t count, std::uint64_t seed) {
  std::seed_seq sequence{seed & 0xffffffff, seed >> 32, static_cast<std::uint64_t>(result_.bits),
                         static_cast<std::uint64_t>(static_cast<std::uint32_t>(result_.delta))};
  std::mt19937_64 random(sequence);
  for (std::uint64_t i = 0; i < count; ++i) {
    // Each segment as likely: by pattern, nearly all numbers would lie beyond the ladder.
    const Segment<Float>& segment = segments_[random() % segments_.size()];
    add(static_cast<Bits>(segment.first + random() % (segment.last - segment.first + 1)), segment.want);
  }
  compare_collected();
}

template <class Float>
void Sweep<Float>::compare_collected() {
  if (inputs_.empty())
    return;
  std::vector<Bits> data = inputs_;
  const int status = quantize(data);
  for (std::size_t i = 0; i < data.size(); ++i)
    if (status != GFPQ_SUCCESS || data[i] != wants_[i])
      count_wrong(inputs_[i], data[i], wants_[i], status);
  (sizeof(Float) == 4 ? result_.floats : result_.doubles) += data.size();
  inputs_.clear();
  wants_.clear();
}

template <class Float>
void Sweep<Float>::count_wrong(Bits input, Bits got, Bits want, int status) {
  ++(sizeof(Float) == 4 ? result_.wrong_floats : result_.wrong_doubles);
  const bool goes_on = in_range_ && input == range_.last + 1 && want == range_.want && status == range_.status;
  if (goes_on) {
    range_.last = input;
    if (result_.range_count <= max_ranges)
      result_.ranges.back().last = input;
    return;
  }
  in_range_ = true;
  range_ = {type_name<Float>, input, input, got, want, status};
  if (++result_.range_count <= max_ranges)
    result_.ranges.push_back(range_);
}

std::string hexadecimal(std::uint64_t bits, const std::string& type) {
  char text[17];
  std::snprintf(text, sizeof text, "%0*llx", type == type_name<float> ? 8 : 16, static_cast<unsigned long long>(bits));
  return text;
}

std::uint64_t bits_from(const nlohmann::json& json) { return std::stoull(json.get<std::string>(), nullptr, 16); }

} // namespace

const char* name_of(unsigned mode) {
  constexpr const char* names[] = {"init", "update", "apply"};
  return names[mode];
}

const char* name_of_floats(const Method& method) { return method.all_floats ? "all" : "borders"; }

DeltaResult sweep_delta(const Library& library, int bits, int delta, const Method& method) {
  DeltaResult result;
  result.bits = bits;
  result.delta = delta;
  const double start = cpu_seconds_of_thread();
  Sweep<float> floats(library, method, result);
  if (method.all_floats)
    floats.all_patterns();
  else
    floats.borders();
  Sweep<double> doubles(library, method, result);
  doubles.borders();
  doubles.random_numbers(method.random_doubles, method.seed);
  result.cpu_seconds = cpu_seconds_of_thread() - start;
  return result;
}

void to_json(nlohmann::json& json, const WrongRange& range) {
  json = {{"type", range.type},
          {"first", hexadecimal(range.first, range.type)},
          {"last", hexadecimal(range.last, range.type)},
          {"count", range.last - range.first + 1},
          {"got", hexadecimal(range.got, range.type)},
          {"want", hexadecimal(range.want, range.type)},
          {"status", range.status}};
}

void from_json(const nlohmann::json& json, WrongRange& range) {
  range = {json.at("type"),           bits_from(json.at("first")), bits_from(json.at("last")),
           bits_from(json.at("got")), bits_from(json.at("want")),  json.at("status")};
}

void to_json(nlohmann::json& json, const DeltaResult& result) {
  json = {{"bits", result.bits},
          {"delta", result.delta},
          {"floats", result.floats},
          {"wrong_floats", result.wrong_floats},
          {"doubles", result.doubles},
          {"wrong_doubles", result.wrong_doubles},
          {"range_count", result.range_count},
          {"ranges", result.ranges},
          {"cpu_seconds", result.cpu_seconds}};
}

void from_json(const nlohmann::json& json, DeltaResult& result) {
  json.at("bits").get_to(result.bits);
  json.at("delta").get_to(result.delta);
  json.at("floats").get_to(result.floats);
  json.at("wrong_floats").get_to(result.wrong_floats);
  json.at("doubles").get_to(result.doubles);
  json.at("wrong_doubles").get_to(result.wrong_doubles);
  json.at("range_count").get_to(result.range_count);
  json.at("ranges").get_to(result.ranges);
  json.at("cpu_seconds").get_to(result.cpu_seconds);
}

} // namespace conformance
