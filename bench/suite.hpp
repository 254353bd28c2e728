// Which rows a suite has.
#ifndef GFPQ_BENCH_SUITE_HPP
#define GFPQ_BENCH_SUITE_HPP

#include <string>
#include <vector>

#include "row.hpp"

namespace bench {

struct Contenders {
  std::vector<Contender> ours; ///< one an instruction set, fastest first
  std::vector<Contender> peer; ///< one or none
  std::vector<int> threads;    ///< to be tried: 1, and all
};

/// `smoke` is for tests of this program: a few rows, in milliseconds. `short` measures what most users need in a
/// few minutes.
std::vector<Row> make_suite(const std::string& name, const Contenders& contenders);

} // namespace bench

#endif
