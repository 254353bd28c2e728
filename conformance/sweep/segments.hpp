// What a delta makes of every float or double, as runs of consecutive bit patterns with one result.
#ifndef GFPQ_CONFORMANCE_SWEEP_SEGMENTS_HPP
#define GFPQ_CONFORMANCE_SWEEP_SEGMENTS_HPP

#include <vector>

#include "oracle/oracle.hpp"

namespace conformance {

template <class Float>
struct Segment {
  BitsOf<Float> first, last; ///< bit patterns, both within
  BitsOf<Float> want;        ///< the bits of the result
};

/// All bit patterns from 0 to the largest, NaN and negative numbers too, in their order and without a gap.
template <class Float>
std::vector<Segment<Float>> segments(const Oracle<Float>& oracle, int delta);

} // namespace conformance

#endif
