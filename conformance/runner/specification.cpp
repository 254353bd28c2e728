#include "runner/specification.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace conformance {
namespace {

/// The words between commas and blanks.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) {
    word.erase(0, word.find_first_not_of(' '));
    word.erase(word.find_last_not_of(' ') + 1);
    if (!word.empty())
      words.push_back(word);
  }
  return words;
}

std::string between(const std::string& line, const std::string& before, const std::string& after) {
  const std::size_t begin = line.find(before);
  if (begin == std::string::npos)
    return "";
  const std::size_t end = line.find(after, begin + before.size());
  if (end == std::string::npos)
    throw std::runtime_error("SPECIFICATION.md: \"" + line + "\" has no end");
  return line.substr(begin + before.size(), end - begin - before.size());
}

} // namespace

std::vector<Requirement> parse_specification(const std::string& text) {
  const std::string before_id = "- **", after_id = "** ", before_profile = "*Profile: ";
  std::vector<Requirement> found;
  std::string profile;
  std::vector<std::string> needs, circumstances;
  const auto means = [](const std::string& name, const std::string& id) { // an area means all its requirements
    return id == name || id.rfind("GFPQ-" + name + "-", 0) == 0;
  };
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(before_profile, 0) == 0) {
      profile = between(line, before_profile, ".");
      needs = words_of(between(line, "Needs: ", "."));
      circumstances = words_of(between(line, "Circumstances: ", "."));
    }
    const std::size_t end = line.find(after_id);
    if (line.rfind(before_id, 0) != 0 || end == std::string::npos)
      continue;
    const std::string id = line.substr(before_id.size(), end - before_id.size());
    if (profile.empty())
      throw std::runtime_error("SPECIFICATION.md: " + id + " has no profile");
    found.push_back({id, line.substr(end + after_id.size()), profile, needs,
                     std::any_of(circumstances.begin(), circumstances.end(),
                                 [&](const std::string& name) { return means(name, id); })});
  }
  for (Requirement& requirement : found) {
    std::vector<std::string> ids;
    for (const std::string& need : requirement.needs) {
      const std::size_t before = ids.size();
      for (const Requirement& candidate : found)
        if (candidate.id != requirement.id && means(need, candidate.id))
          ids.push_back(candidate.id);
      if (ids.size() == before && requirement.id != need)
        throw std::runtime_error("SPECIFICATION.md: " + requirement.id + " needs " + need + ", which is not there");
    }
    requirement.needs = ids;
  }
  return found;
}

const std::vector<Requirement>& specification() {
  static const std::vector<Requirement> requirements = parse_specification(specification_text());
  return requirements;
}

const Requirement& requirement(const std::string& id) {
  for (const Requirement& candidate : specification())
    if (candidate.id == id)
      return candidate;
  throw std::logic_error("SPECIFICATION.md has no requirement " + id);
}

} // namespace conformance
