// One hash of what a mixed workload leaves behind, the same on every machine. golden/README.md defines the workload.
// Nothing here computes with floating point, so that any compiler's options will do.
#ifndef GFPQ_CONFORMANCE_ORACLE_DIGEST_HPP
#define GFPQ_CONFORMANCE_ORACLE_DIGEST_HPP

#include <functional>
#include <string>
#include <vector>

#include "gfpq.hpp"

namespace conformance {

/// Makes the call on data that begin `offset` numbers behind a 64-byte border, and leaves the results in `data`.
template <class Float>
using DigestCall = std::function<void(std::vector<Float>& data, GFPQ_PARAM_ST* param, std::size_t offset)>;

/// \return the workload's SHA-256 after all calls
template <class Float>
std::string workload_digest(const DigestCall<Float>& call);

/// What it should be.
template <class Float>
std::string golden_digest(int bits);

} // namespace conformance

#endif
