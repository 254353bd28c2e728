// Which of the failing requirements are the cause, and which only follow.
#ifndef GFPQ_CONFORMANCE_RUNNER_CAUSES_HPP
#define GFPQ_CONFORMANCE_RUNNER_CAUSES_HPP

#include <string>
#include <vector>

#include "runner/results.hpp"
#include "runner/worker.hpp"

namespace conformance {

/// A failing requirement whose failures no other explains.
struct Cause {
  const RequirementResult* result = nullptr;
  std::vector<std::string> followers; ///< failing requirements that need this one and show nothing else
};

/// The causes of the unexpected failures, the most basic first. A failing requirement follows from others that it needs
/// where, for each kind of tensors, they show symptoms that bring about its own. That something is not offered is no
/// cause, unless nothing is; nor are blocks of the library's own why other things fail, which were judged with them.
std::vector<Cause> find_causes(const std::vector<RequirementResult>& results, const Survey& survey);

} // namespace conformance

#endif
