// Where the numbers of a group lie in the tensor: `inner` in a row, and so on for each of `outer`.
#ifndef GFPQ_SRC_PLACES_HPP
#define GFPQ_SRC_PLACES_HPP

#include <algorithm>
#include <cstddef>

namespace gfpq {

/// A position counts the numbers of a group, a place those of the tensor.
class Places {
public:
  Places(std::size_t outer, std::size_t groups, std::size_t inner, std::size_t group)
      : count_(outer * inner), first_(group * inner), inner_(groups > 1 ? inner : count_), stride_(groups * inner) {}

  std::size_t count() const { return count_; }
  std::size_t of(std::size_t position) const { return first_ + position / inner_ * stride_ + position % inner_; }
  /// How many numbers lie one behind the other from a position on.
  std::size_t row_from(std::size_t position) const { return inner_ - position % inner_; }

  /// Calls `visit(i, place)` for the i-th of `count` positions from one on.
  template <class Visit>
  void for_each(std::size_t position, std::size_t count, const Visit& visit) const {
    std::size_t place = of(position), row = row_from(position);
    for (std::size_t i = 0; i < count;) {
      const std::size_t size = std::min(row, count - i);
      for (std::size_t k = 0; k < size; ++k)
        visit(i + k, place + k);
      i += size;
      place += row + (stride_ - inner_); // where the next row begins: a division for each would take longest of all
      row = inner_;
    }
  }

private:
  std::size_t count_, first_, inner_, stride_;
};

} // namespace gfpq

#endif
