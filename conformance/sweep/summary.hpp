// A sweep's results, gathered: for a reader and as JSON.
#ifndef GFPQ_CONFORMANCE_SWEEP_SUMMARY_HPP
#define GFPQ_CONFORMANCE_SWEEP_SUMMARY_HPP

#include <iosfwd>
#include <map>

#include "delta_sweep.hpp"
#include "journal.hpp"
#include "plan.hpp"

namespace conformance {

/// What differs from run to run while the results are the same.
struct RunFacts {
  std::size_t threads, ranks, resumed; ///< resumed: deltas taken from the journal
  double wall_seconds;                 ///< of this run; CPU seconds are those of all runs that the journal remembers
};

class Summary {
public:
  /// `asked`: what the sweep was to do, in any order.
  Summary(const Library& library, const Identity& identity, const std::vector<Item>& asked, const RunFacts& run);

  /// Left out where it was not asked for or is there already.
  void add(const DeltaResult& result);

  bool is_complete() const { return results_.size() == asked_.size(); }
  bool holds() const;

  void print(std::ostream& out) const;
  nlohmann::json to_json() const;

private:
  const Library& library_;
  const Identity identity_;
  std::vector<Item> asked_; // sorted
  const RunFacts run_;
  std::map<Item, DeltaResult> results_;
};

} // namespace conformance

#endif
