#include "delta_sweep.hpp"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <random>

#include "loops.hpp"
#include "segments.hpp"

namespace conformance {
namespace {

/// 256 KB: stays in L2, and makes the cost of a call small, of one that starts threads each time too.
constexpr std::size_t block_size = 1 << 16;

/// Doubles on either side of a border.
constexpr std::uint64_t border_width = 64;

constexpr std::size_t max_ranges = 16;

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

  Sweep(const Library& library, DeltaResult& result)
      : library_(library), result_(result),
        param_(oracle<Float>(result.bits).param(GFPQ_MODE_APPLY_ONLY, result.delta)),
        segments_(segments(oracle<Float>(result.bits), result.delta)) {}

  void all_patterns();
  void borders();
  void random_numbers(std::uint64_t count, std::uint64_t seed);

private:
  int quantize(std::vector<Bits>& data) {
    GFPQ_PARAM_ST param = param_;
    return library_.quantize(Device::cpu, reinterpret_cast<Float*>(data.data()), static_cast<unsigned>(data.size()),
                             static_cast<unsigned>(result_.bits), &param);
  }

  // Numbers with expected results, collected until they are worth a call.
  void add(Bits input, Bits want) {
    inputs_.push_back(input);
    wants_.push_back(want);
    if (inputs_.size() == block_size / 8)
      compare_collected();
  }
  void compare_collected();

  void count_wrong(Bits input, Bits got, Bits want, int status);

  const Library& library_;
  DeltaResult& result_;
  const GFPQ_PARAM_ST param_;
  const std::vector<Segment<Float>> segments_;
  std::vector<Bits> inputs_, wants_;
  WrongRange range_{}; ///< the last one
  bool in_range_ = false;
};

template <>
void Sweep<float>::all_patterns() {
  std::vector<std::uint32_t> data(block_size);
  auto segment = segments_.begin();
  for (std::uint64_t block = 0; block < std::uint64_t{1} << 32; block += block_size) {
    const auto first = static_cast<std::uint32_t>(block);
    fill_consecutive(data.data(), block_size, first);
    const int status = quantize(data);
    for (std::size_t at = 0; at < block_size;) {
      const std::size_t end = std::min<std::uint64_t>(std::uint64_t{segment->last} + 1 - first, block_size);
      if (status != GFPQ_SUCCESS || !all_equal(data.data() + at, end - at, segment->want))
        for (std::size_t i = at; i < end; ++i)
          if (status != GFPQ_SUCCESS || data[i] != segment->want)
            count_wrong(first + static_cast<std::uint32_t>(i), data[i], segment->want, status);
      if (first + static_cast<std::uint32_t>(end - 1) == segment->last)
        ++segment;
      at = end;
    }
    result_.floats += block_size;
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
  std::vector<Bits> data = inputs_;
  const int status = quantize(data);
  for (std::size_t i = 0; i < data.size(); ++i)
    if (status != GFPQ_SUCCESS || data[i] != wants_[i])
      count_wrong(inputs_[i], data[i], wants_[i], status);
  result_.doubles += data.size();
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

DeltaResult sweep_delta(const Library& library, int bits, int delta, std::uint64_t random_doubles, std::uint64_t seed) {
  DeltaResult result;
  result.bits = bits;
  result.delta = delta;
  const double start = cpu_seconds_of_thread();
  Sweep<float>(library, result).all_patterns();
  Sweep<double> doubles(library, result);
  doubles.borders();
  doubles.random_numbers(random_doubles, seed);
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
