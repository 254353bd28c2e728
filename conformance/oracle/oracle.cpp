#include "oracle/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "oracle/golden.hpp"

namespace conformance {
namespace {

template <class Float>
std::string prefix() {
  return sizeof(Float) == 4 ? "f32_" : "f64_";
}

} // namespace

template <class Float>
SortedMagnitudes<Float>::SortedMagnitudes(std::vector<Float> sorted) : values_(std::move(sorted)) {
  const std::size_t octaves = octave(std::numeric_limits<Float>::infinity()) + 1;
  for (std::size_t next = 0, count = 0; next <= octaves; ++next) {
    while (count < values_.size() && octave(values_[count]) < next)
      ++count;
    begins_.push_back(count);
  }
}

template <class Float>
std::size_t SortedMagnitudes<Float>::count_below(Float magnitude) const {
  const std::size_t own = octave(magnitude);
  return static_cast<std::size_t>(std::lower_bound(begin(own), begin(own + 1), magnitude) - values_.begin());
}

template <class Float>
std::size_t SortedMagnitudes<Float>::count_at_most(Float magnitude) const {
  const std::size_t own = octave(magnitude);
  return static_cast<std::size_t>(std::upper_bound(begin(own), begin(own + 1), magnitude) - values_.begin());
}

int delta_of(const GFPQ_PARAM_ST& param) {
  std::uint32_t word = 0;
  for (unsigned byte = 0; byte < 4; ++byte)
    word |= static_cast<std::uint32_t>(param.buf[4 + byte]) << (8 * byte);
  return static_cast<std::int32_t>(word);
}

template <class Float>
Oracle<Float>::Oracle(const Width& width) : width_(width) {
  const std::string type = prefix<Float>();
  const std::string suffix = "_" + std::to_string(bits()) + ".csv";

  const auto expect = [&](const Row& row, const char* column, std::size_t rows_before) {
    if (row.integer(column) != static_cast<long>(rows_before) - delta_limit())
      throw std::runtime_error("the golden data of " + std::to_string(bits()) + " bit are not in order: " + column +
                               " " + row.text(column));
  };
  std::vector<Float> borders;
  for (const Row& row : read_table("generated/ladder" + suffix)) {
    expect(row, "exponent", values_.size());
    if (!values_.empty())
      borders.push_back(row.number<Float>(type + "above"));
    values_.push_back(row.number<Float>(type + "value"));
  }
  thresholds_ = SortedMagnitudes<Float>(borders);
  for (const Row& row : read_table("generated/deltas" + suffix)) {
    expect(row, "delta", params_.size());
    params_.push_back(block_from_hex(row.text("block")));
    smallest_maxima_.push_back(row.number<Float>(type + "smallest_max"));
    positive_zeros_.push_back(row.number<Float>(type + "positive_zero"));
    negative_zeros_.push_back(row.number<Float>(type + "negative_zero"));
  }
  if (static_cast<int>(values_.size()) != highest_exponent() - lowest_exponent() + 1 ||
      static_cast<int>(params_.size()) != 2 * delta_limit() + 1)
    throw std::runtime_error("the golden ladder or deltas of " + std::to_string(bits()) + " bit are not complete");

  borders.insert(borders.end(), smallest_maxima_.begin() + 1, smallest_maxima_.end());
  borders.insert(borders.end(), positive_zeros_.begin(), positive_zeros_.end());
  borders.push_back(-negative_zeros_.back());
  std::sort(borders.begin(), borders.end());
  borders_ = SortedMagnitudes<Float>(std::move(borders));
}

template <class Float>
GFPQ_PARAM_ST Oracle<Float>::param(unsigned mode, int delta) const {
  GFPQ_PARAM_ST param = params_.at(index(delta));
  param.mode = mode;
  return param;
}

template <class Float>
int Oracle<Float>::nearest_exponent(Float magnitude) const {
  return lowest_exponent() + static_cast<int>(thresholds_.count_at_most(magnitude));
}

template <class Float>
Float Oracle<Float>::quantize(Float number, int delta) const {
  if (std::isnan(number))
    return 0;
  const bool negative = std::signbit(number);
  if (negative ? number >= negative_zero(delta) : number <= positive_zero(delta))
    return 0;
  const int exponent =
      std::min(std::max(nearest_exponent(std::fabs(number)), delta + (negative ? 1 : 0)), delta + max_code());
  return negative ? -value(exponent) : value(exponent);
}

template <class Float>
std::vector<Float> Oracle<Float>::quantize(const std::vector<Float>& numbers, int delta) const {
  std::vector<Float> results(numbers.size());
  std::transform(numbers.begin(), numbers.end(), results.begin(), [&](Float x) { return quantize(x, delta); });
  return results;
}

template <class Float>
int Oracle<Float>::delta(const std::vector<Float>& numbers) const {
  Float maximum = 0;
  for (const Float number : numbers)
    if (std::fabs(number) > maximum) // false for NaN
      maximum = std::fabs(number);
  if (maximum == 0)
    maximum = static_cast<Float>(1e-6);
  const auto above = std::upper_bound(smallest_maxima_.begin(), smallest_maxima_.end(), maximum);
  return static_cast<int>(above - smallest_maxima_.begin()) - 1 - delta_limit();
}

template <class Float>
std::uint64_t Oracle<Float>::distance_to_border(Float magnitude) const {
  const std::vector<Float>& borders = borders_.values();
  const std::size_t above = borders_.count_below(magnitude);
  std::uint64_t distance = std::numeric_limits<std::uint64_t>::max();
  if (above != borders.size())
    distance = bits_of(borders[above]) - bits_of(magnitude);
  if (above != 0)
    distance = std::min<std::uint64_t>(distance, bits_of(magnitude) - bits_of(borders[above - 1]));
  return distance;
}

template <class Float>
const Oracle<Float>& oracle(int bits) {
  static const auto all = [] {
    std::vector<Oracle<Float>> oracles;
    for (const Width& width : widths)
      oracles.emplace_back(width);
    return oracles;
  }();
  return all[static_cast<std::size_t>(&width_of(bits) - widths)];
}

template class SortedMagnitudes<float>;
template class SortedMagnitudes<double>;
template class Oracle<float>;
template class Oracle<double>;
template const Oracle<float>& oracle<float>(int);
template const Oracle<double>& oracle<double>(int);

} // namespace conformance
