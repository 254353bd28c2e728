#include "runner/own_block.hpp"

#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <tuple>

#include "runner/case.hpp"

namespace conformance {
namespace {

std::string bytes_of(const GFPQ_PARAM_ST& param) {
  return {reinterpret_cast<const char*>(param.buf), sizeof param.buf};
}

std::mutex mutex;
std::map<std::string, int>& known_deltas() {
  static std::map<std::string, int> by_bytes;
  return by_bytes;
}

/// A number that asks for delta. The value itself may be rounded to just below its power.
template <class Float>
Float maximum_for(int bits, int delta) {
  const Oracle<Float>& right = oracle<Float>(bits);
  return away_from_zero(right.value(delta + right.max_code()), 64);
}

template <class Float>
bool is_specified(int bits, const GFPQ_PARAM_ST& param) {
  const Oracle<Float>& right = oracle<Float>(bits);
  const int delta = delta_of(param);
  return delta >= -right.delta_limit() && delta <= right.delta_limit() &&
         bytes_of(right.param(0, delta)) == bytes_of(param);
}

} // namespace

template <class Float>
bool writes_own_blocks(int bits) {
  const auto width = static_cast<unsigned>(bits);
  std::set<std::string> blocks;
  for (const int delta : {-300, -77, 0, 200, 400}) {
    std::vector<Float> numbers = numbers_in_range<Float>(bits, delta, 40);
    numbers.push_back(maximum_for<Float>(bits, delta));
    GFPQ_PARAM_ST own{GFPQ_MODE_INIT, {}}, specified = oracle<Float>(bits).param(GFPQ_MODE_APPLY_ONLY, delta);
    const Outcome<Float> first = quantize(numbers, width, &own);
    if (first.status != GFPQ_SUCCESS || is_specified<Float>(bits, own) || !blocks.insert(bytes_of(own)).second)
      return false;
    const auto gives_the_same = [&](GFPQ_PARAM_ST& param) {
      param.mode = GFPQ_MODE_APPLY_ONLY;
      const Outcome<Float> outcome = quantize(numbers, width, &param);
      return outcome.status == GFPQ_SUCCESS && std::equal(first.data.begin(), first.data.end(), outcome.data.begin(),
                                                          [](Float a, Float b) { return bits_of(a) == bits_of(b); });
    };
    if (!gives_the_same(own) || gives_the_same(specified))
      return false;
  }
  return true;
}

template <class Float>
std::optional<GFPQ_PARAM_ST> own_block(int bits, int delta) {
  static std::map<std::pair<int, int>, std::optional<GFPQ_PARAM_ST>> learned;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (const auto found = learned.find({bits, delta}); found != learned.end())
      return found->second;
  }
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  const int status =
      quantize(std::vector<Float>{maximum_for<Float>(bits, delta)}, static_cast<unsigned>(bits), &param).status;
  const std::lock_guard<std::mutex> lock(mutex);
  if (status == GFPQ_SUCCESS)
    known_deltas()[bytes_of(param)] = delta;
  return learned[{bits, delta}] = status == GFPQ_SUCCESS ? std::optional(param) : std::nullopt;
}

std::optional<int> delta_of_own_block(const GFPQ_PARAM_ST& param) {
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = known_deltas().find(bytes_of(param));
  return found != known_deltas().end() ? std::optional(found->second) : std::nullopt;
}

template bool writes_own_blocks<float>(int);
template bool writes_own_blocks<double>(int);
template std::optional<GFPQ_PARAM_ST> own_block<float>(int, int);
template std::optional<GFPQ_PARAM_ST> own_block<double>(int, int);

} // namespace conformance
