// What the library says of itself beyond its version.
#ifndef GFPQ_SRC_DESCRIPTION_HPP
#define GFPQ_SRC_DESCRIPTION_HPP

namespace gfpq {

/// The GPU library's -gencode options; null in the CPU library.
const char* gpu_architectures();

} // namespace gfpq

#endif
