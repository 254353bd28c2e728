#include "runner/checks.hpp"

#include <cstdio>
#include <cstring>

#include "runner/specification.hpp"

namespace conformance {

std::string show_block(const GFPQ_PARAM_ST& param) {
  std::string text;
  for (const unsigned char byte : param.buf) {
    char hex[4];
    std::snprintf(hex, sizeof hex, "%02x", byte);
    text += (&byte != param.buf && (&byte - param.buf) % 4 == 0 ? " " : "") + std::string(hex);
  }
  return text;
}

std::string show_status(int status) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08X", static_cast<unsigned>(status));
  return text;
}

void Checks::status(const Call& call, int got, int want) {
  that(got == want,
       [&] { return call.describe() + "\n      returned " + show_status(got) + ", want " + show_status(want); });
}

void Checks::param(const Call& call, const GFPQ_PARAM_ST& got, const GFPQ_PARAM_ST& want) {
  that(got.mode == want.mode, [&] {
    return call.describe() + "\n      changed the parameter's mode from " + std::to_string(want.mode) + " to " +
           std::to_string(got.mode);
  });
  that(std::memcmp(got.buf, want.buf, sizeof got.buf) == 0, [&] {
    const auto delta = [](const GFPQ_PARAM_ST& param) {
      return static_cast<int>(param.buf[4] | param.buf[5] << 8 | param.buf[6] << 16 |
                              static_cast<unsigned>(param.buf[7]) << 24);
    };
    std::string differing;
    for (int word = 0; word < 4; ++word)
      if (std::memcmp(got.buf + 4 * word, want.buf + 4 * word, 4) != 0)
        differing += " w" + std::to_string(word);
    return call.describe() + "\n      block " + show_block(got) + "  (delta " + std::to_string(delta(got)) +
           ")\n      want  " + show_block(want) + "  (delta " + std::to_string(delta(want)) +
           ")\n      words that differ:" + differing;
  });
}

void Checks::fail(const std::string& what) {
  constexpr std::size_t max_shown = 3;
  if (++failed_ <= max_shown)
    failures_.push_back(what);
}

Finding Checks::finding(const std::string& test) const {
  Finding finding{test, requirement_};
  finding.checks = checks_;
  finding.failed = failed_ + diagnosis_.wrong();
  if (finding.failed == 0)
    return finding;
  finding.failure = requirement_ + " does not hold: " + conformance::requirement(requirement_).title + "\n  " +
                    std::to_string(finding.failed) + " of " + std::to_string(checks_) + " checks failed. First:\n";
  for (const std::string& failure : failures_)
    finding.failure += "    " + failure + "\n";
  if (failed_ > failures_.size())
    finding.failure += "    ... and " + std::to_string(failed_ - failures_.size()) + " more such checks\n";
  finding.failure += diagnosis_.describe();
  return finding;
}

} // namespace conformance
