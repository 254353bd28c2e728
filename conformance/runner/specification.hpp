// The requirements of SPECIFICATION.md, as the runner sees them.
#ifndef GFPQ_CONFORMANCE_RUNNER_SPECIFICATION_HPP
#define GFPQ_CONFORMANCE_RUNNER_SPECIFICATION_HPP

#include <string>
#include <vector>

namespace conformance {

struct Requirement {
  std::string id;                 ///< GFPQ-AREA-NN
  std::string title;              ///< what must hold
  std::string profile;            ///< the part of the verdict that it belongs to, `arithmetic`
  std::vector<std::string> needs; ///< requirements without which this one cannot hold
  bool is_of_circumstances; ///< it asks for calls where the caller has made them harder: they may fail there alone
};

/// All requirements, in the order of the page.
const std::vector<Requirement>& specification();

/// The one with this id. Throws std::logic_error where the page has none.
const Requirement& requirement(const std::string& id);

/// The page's own text.
const std::string& specification_text();

/// Reads a page: a line `- **ID** title` is a requirement, and a line `*Profile: NAME. Needs: IDS or AREAS.*` holds for
/// the requirements from there to the next such line; `Circumstances: IDS or AREAS.` in it names those of them that are
/// of circumstances. Throws std::runtime_error that names the line that is wrong.
std::vector<Requirement> parse_specification(const std::string& text);

} // namespace conformance

#endif
