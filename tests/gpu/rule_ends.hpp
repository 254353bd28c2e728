// The numbers at which the rule may change its result: what has to be compared where everything is monotone.
#ifndef GFPQ_TESTS_GPU_RULE_ENDS_HPP
#define GFPQ_TESTS_GPU_RULE_ENDS_HPP

#include <set>
#include <vector>

#include "kernels/carry_tables.hpp"

namespace gfpq {

/// Bit patterns of numbers, each sign's in ascending order: for every delta, the first and the last number of each run
/// of equal results, both ends of every piece of the kernels' tables, and the neighbours of every value.
///
/// Only the fraction decides where in an octave the rule changes, and only the exponent in which octave it does. So all
/// exponents with all fractions at which any delta's rule may change serve every delta.
///
/// Two neighbours here either follow each other among the numbers, or the rule gives both the same for every delta. The
/// scalar rule is monotone in the magnitude; so it is constant between them, and a function that is monotone too and
/// gives the same at both gives the same to all numbers between them.
template <class Float, class Width>
std::vector<typename Format<Float>::Bits> rule_ends() {
  using F = Format<Float>;
  using Bits = typename F::Bits;
  constexpr Octave<Float, Width> octave;
  constexpr Bits end = Bits(1) << F::fraction_bits;
  constexpr Bits piece = Bits(1) << CarryTables<Float, Width>::P::piece_shift;

  std::set<Bits> fractions;
  const auto add = [&](Bits fraction) {
    for (const Bits each : {fraction - 1, fraction, fraction + 1})
      fractions.insert(each & (end - 1));
  };
  for (Bits fraction = 0; fraction < end; fraction += piece)
    add(fraction);
  for (int i = 0; i < Width::steps; ++i) {
    add(octave.value[i]);
    add(octave.power[i]);
    add(octave.middle[i]);
  }

  std::vector<Bits> result;
  for (const Bits sign : {Bits(0), F::sign})
    for (Bits exponent = 0; exponent <= F::infinity; exponent += end) // the last has infinity and NaN
      for (const Bits fraction : fractions)
        result.push_back(sign | exponent | fraction);
  return result;
}

} // namespace gfpq

#endif
