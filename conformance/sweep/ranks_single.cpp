#include <cstdlib>

#include "ranks.hpp"

namespace conformance {

Ranks::Ranks(int&, char**&) {}
Ranks::~Ranks() = default;

std::string Ranks::broadcast(std::string text) const { return text; }
std::vector<std::string> Ranks::gather(const std::string& text) const { return {text}; }
void Ranks::abort(int status) const { std::_Exit(status); }

} // namespace conformance
