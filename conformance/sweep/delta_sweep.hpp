// All floats, and many doubles, through one library at one delta.
#ifndef GFPQ_CONFORMANCE_SWEEP_DELTA_SWEEP_HPP
#define GFPQ_CONFORMANCE_SWEEP_DELTA_SWEEP_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runner/library.hpp"

namespace conformance {

/// Consecutive inputs of which all results are wrong, and should be the same.
struct WrongRange {
  std::string type; ///< float, double
  std::uint64_t first, last;
  std::uint64_t got, want; ///< got: from the first input
  int status;              ///< what the calls returned
};

struct DeltaResult {
  int bits = 0, delta = 0;
  std::uint64_t floats = 0, doubles = 0; ///< compared
  std::uint64_t wrong_floats = 0, wrong_doubles = 0;
  std::uint64_t range_count = 0;
  std::vector<WrongRange> ranges; ///< the first few
  double cpu_seconds = 0;

  bool holds() const { return wrong_floats + wrong_doubles == 0; }
};

/// How each delta is swept.
struct Method {
  unsigned mode = GFPQ_MODE_APPLY_ONLY; ///< INIT and UPDATE find delta in the data
  std::size_t length = 1 << 16;         ///< numbers a call
  bool all_floats = true;               ///< or those around the borders alone, as of doubles
  std::uint64_t random_doubles = 0;
  std::uint64_t seed = 0; ///< of these
};

/// `init`, `update` or `apply`.
const char* name_of(unsigned mode);

/// `all` or `borders`.
const char* name_of_floats(const Method& method);

/// In APPLY all floats, or the 64 on either side of each border. In INIT and UPDATE those that ask for no larger delta;
/// in INIT the last number of each call is one that asks for delta, in UPDATE it alternates with a block that holds
/// delta. Doubles: the 64 on either side of each threshold and each other border, and random ones from the whole range,
/// the same for the same seed, width and delta.
DeltaResult sweep_delta(const Library& library, int bits, int delta, const Method& method);

void to_json(nlohmann::json& json, const WrongRange& range);
void from_json(const nlohmann::json& json, WrongRange& range);
void to_json(nlohmann::json& json, const DeltaResult& result);
void from_json(const nlohmann::json& json, DeltaResult& result);

} // namespace conformance

#endif
