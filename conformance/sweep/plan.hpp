// Which deltas a sweep takes, in which order, and whose they are.
#ifndef GFPQ_CONFORMANCE_SWEEP_PLAN_HPP
#define GFPQ_CONFORMANCE_SWEEP_PLAN_HPP

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace conformance {

struct Item {
  int bits, delta;

  bool operator<(const Item& other) const { return std::pair(bits, delta) < std::pair(other.bits, other.delta); }
};

/// The deltas that a text such as `-511,0:100,200:300:5` (first:last:step) names, sorted; all where it is empty.
/// Throws std::runtime_error where it names one beyond the width's range.
std::vector<int> parse_deltas(const std::string& text, int bits);

/// Sorted deltas as such a text.
std::string format_deltas(const std::vector<int>& deltas);

/// Both ends first, then in the order of the bit-reversed index: whatever part is done has samples of the whole range.
std::vector<int> spread(const std::vector<int>& sorted);

/// The index-th of `count` equal parts, index from 0.
std::vector<Item> part(const std::vector<Item>& items, std::size_t index, std::size_t count);

} // namespace conformance

#endif
