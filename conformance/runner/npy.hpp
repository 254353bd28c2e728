// Tensors in NumPy's file format, .npy.
#ifndef GFPQ_CONFORMANCE_RUNNER_NPY_HPP
#define GFPQ_CONFORMANCE_RUNNER_NPY_HPP

#include <string>
#include <vector>

namespace conformance {

/// The numbers of a .npy file of float32 or float64, little-endian, in C order, of any shape, as this type. Throws
/// std::runtime_error, with the file's name and what to do, for any other file, one that is not whole, and one with no
/// number or more than a call takes.
template <class Float>
std::vector<Float> read_npy(const std::string& path);

} // namespace conformance

#endif
