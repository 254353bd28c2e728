// The tensors that are quantized, and what must come out: by the scalar rule, computed here and not by a library.
#ifndef GFPQ_BENCH_DATA_HPP
#define GFPQ_BENCH_DATA_HPP

#include <cstddef>
#include <string>
#include <vector>

#include "row.hpp"

namespace bench {

/// The first `count` numbers of a data set.
template <class Float>
std::vector<Float> make_data(Data data, std::size_t count);

/// What a call must give.
template <class Float>
struct Expected {
  std::vector<Float> data;
  int delta = 0;
};

template <class Float>
Expected<Float> expect(const std::vector<Float>& source, unsigned bits);

/// Compares bit for bit. \return nothing where they agree, else what differs first and how much differs.
template <class Float>
std::string difference(const Float* actual, const std::vector<Float>& expected, const std::vector<Float>& source);

} // namespace bench

#endif
