// How much it matters: the share of numbers that get another code than the right one, on data as networks have them.
#ifndef GFPQ_CONFORMANCE_RUNNER_SHARES_HPP
#define GFPQ_CONFORMANCE_RUNNER_SHARES_HPP

#include <iosfwd>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runner/library.hpp"

namespace conformance {

/// `weights` normal, `activations` half-normal, half of them zero, `ladder` uniform in the exponent over the whole
/// ladder: a million numbers each, the same every time.
const std::vector<std::string>& standard_data();

/// One kind of tensors on one set of data.
struct Share {
  std::string data{}; ///< a name of standard_data(), or a .npy file
  Kind kind{};
  std::size_t numbers = 0, others = 0; ///< all, and those that get another code
  std::string problem{};               ///< why it could not be measured
};

/// Quantizes the data by INIT, and compares. A number has a code where it is within 2^-16 of the code's value.
Share measure_share(const std::string& data, const Kind& kind);

void to_json(nlohmann::json& json, const Share& share);
void from_json(const nlohmann::json& json, Share& share);

/// A table with a line for each set of data and a column for each kind; one line where all is right.
void print_shares(std::ostream& out, const std::vector<Share>& shares);

} // namespace conformance

#endif
