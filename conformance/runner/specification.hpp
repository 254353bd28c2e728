// The requirements of SPECIFICATION.md, as the runner sees them.
#ifndef GFPQ_CONFORMANCE_RUNNER_SPECIFICATION_HPP
#define GFPQ_CONFORMANCE_RUNNER_SPECIFICATION_HPP

#include <string>
#include <vector>

namespace conformance {

struct Requirement {
  std::string id;    ///< GFPQ-AREA-NN
  std::string title; ///< what must hold
};

/// All requirements, in the order of the page.
const std::vector<Requirement>& specification();

/// The one with this id. Throws std::logic_error where the page has none.
const Requirement& requirement(const std::string& id);

} // namespace conformance

#endif
