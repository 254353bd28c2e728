#include "plan.hpp"

#include <algorithm>
#include <cstdint>
#include <set>
#include <sstream>
#include <stdexcept>

#include "oracle/widths.hpp"

namespace conformance {

std::vector<int> parse_deltas(const std::string& text, int bits) {
  const int limit = width_of(bits).delta_limit;
  std::set<int> deltas;
  std::istringstream list(text.empty() ? std::to_string(-limit) + ":" + std::to_string(limit) : text);
  for (std::string entry; std::getline(list, entry, ',');) {
    int first, last, step = 1;
    char colon = ':';
    std::istringstream words(entry);
    words >> first;
    last = first;
    if (words && !words.eof())
      words >> colon >> last;
    if (words && colon == ':' && !words.eof())
      words >> colon >> step;
    if (!words || !words.eof() || colon != ':' || first > last || step < 1)
      throw std::runtime_error("--deltas: \"" + entry + "\" is neither a delta nor first:last nor first:last:step");
    if (first < -limit || last > limit)
      throw std::runtime_error("--deltas: \"" + entry + "\" goes beyond the " + std::to_string(bits) +
                               "-bit deltas, -" + std::to_string(limit) + " to " + std::to_string(limit));
    for (int delta = first; delta <= last; delta += step)
      deltas.insert(delta);
  }
  return {deltas.begin(), deltas.end()};
}

std::string format_deltas(const std::vector<int>& deltas) {
  std::string text;
  for (std::size_t i = 0; i < deltas.size();) {
    std::size_t last = i;
    const int step = i + 1 < deltas.size() ? deltas[i + 1] - deltas[i] : 1;
    while (last + 1 < deltas.size() && deltas[last + 1] - deltas[last] == step)
      ++last;
    if (last == i + 1 && step > 1)
      last = i; // two that no third follows
    text += (text.empty() ? "" : ",") + std::to_string(deltas[i]);
    if (last > i)
      text += ":" + std::to_string(deltas[last]) + (step > 1 ? ":" + std::to_string(step) : "");
    i = last + 1;
  }
  return text;
}

std::vector<int> spread(const std::vector<int>& sorted) {
  if (sorted.size() < 3)
    return sorted;
  std::vector<int> order = {sorted.front(), sorted.back()};
  std::size_t places = 1;
  while (places < sorted.size())
    places *= 2;
  // Counts upwards with the digits in reverse.
  for (std::size_t index = 0, count = 0; count < places; ++count) {
    if (index > 0 && index < sorted.size() - 1)
      order.push_back(sorted[index]);
    std::size_t digit = places / 2;
    while (index & digit) {
      index ^= digit;
      digit /= 2;
    }
    index |= digit;
  }
  return order;
}

std::vector<Item> part(const std::vector<Item>& items, std::size_t index, std::size_t count) {
  std::vector<Item> result;
  for (std::size_t i = index; i < items.size(); i += count)
    result.push_back(items[i]);
  return result;
}

} // namespace conformance
