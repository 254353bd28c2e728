#ifndef GFPQ_KERNELS_CPU_SIMD_HPP
#define GFPQ_KERNELS_CPU_SIMD_HPP

#include "kernels/cpu/kernels.hpp"

namespace gfpq {

/// The targets that the compiler knows, fastest first, whether this machine can run them or not.
Targets compiled_simd_targets();

} // namespace gfpq

#endif
