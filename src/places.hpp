// Where the numbers of a group lie in the tensor: `inner` in a row, and so on for each of `outer`.
#ifndef GFPQ_SRC_PLACES_HPP
#define GFPQ_SRC_PLACES_HPP

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

private:
  std::size_t count_, first_, inner_, stride_;
};

} // namespace gfpq

#endif
