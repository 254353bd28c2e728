#ifndef GFPQ_KERNELS_CPU_SCALAR_HPP
#define GFPQ_KERNELS_CPU_SCALAR_HPP

#include "kernels/cpu/kernels.hpp"

namespace gfpq {

extern const Target scalar_target;

} // namespace gfpq

#endif
