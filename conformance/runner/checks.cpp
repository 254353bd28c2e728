#include "runner/checks.hpp"

#include <cstdio>
#include <cstring>

#include "oracle/oracle.hpp"

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

namespace {
thread_local std::size_t kind_now = 2 * std::size(widths);
}

ChecksOfKind::ChecksOfKind(int bits, bool is_double) : former_(kind_now) {
  kind_now = 2 * static_cast<std::size_t>(&width_of(bits) - widths) + (is_double ? 1 : 0);
}

ChecksOfKind::~ChecksOfKind() { kind_now = former_; }

std::size_t Checks::current_kind() { return kind_now; }

std::size_t Checks::kind_of(const Call& call) {
  for (std::size_t i = 0; i < std::size(widths); ++i)
    if (call.bits == static_cast<unsigned>(widths[i].bits) && !call.type.empty())
      return 2 * i + (call.type == "double" ? 1 : 0);
  return current_kind();
}

void Checks::status(const Call& call, int got, int want) {
  const Symptom symptom = want == GFPQ_SUCCESS  ? refused_symptom
                          : got == GFPQ_SUCCESS ? accepted_symptom
                                                : error_symptom;
  that(kind_of(call), got == want, symptom,
       [&] { return call.describe() + "\n      returned " + show_status(got) + ", want " + show_status(want); });
}

void Checks::param(const Call& call, const GFPQ_PARAM_ST& got, const GFPQ_PARAM_ST& want) {
  const std::size_t kind = kind_of(call);
  that(kind, got.mode == want.mode, mode_symptom, [&] {
    return call.describe() + "\n      changed the parameter's mode from " + std::to_string(want.mode) + " to " +
           std::to_string(got.mode);
  });
  const Symptom symptom = delta_of(got) == delta_of(want) ? block_symptom : delta_symptom;
  that(kind, std::memcmp(got.buf, want.buf, sizeof got.buf) == 0, symptom, [&] {
    std::string differing;
    for (int word = 0; word < 4; ++word)
      if (std::memcmp(got.buf + 4 * word, want.buf + 4 * word, 4) != 0)
        differing += " w" + std::to_string(word);
    return call.describe() + "\n      block " + show_block(got) + "  (delta " + std::to_string(delta_of(got)) +
           ")\n      want  " + show_block(want) + "  (delta " + std::to_string(delta_of(want)) +
           ")\n      words that differ:" + differing;
  });
}

void Checks::fail(std::size_t kind, Symptom symptom, const std::string& what) {
  constexpr std::size_t max_shown = 3;
  ++counts_[kind].failed;
  counts_[kind].symptoms |= symptom;
  if (failures_.size() < max_shown)
    failures_.push_back(what);
}

Finding Checks::finding(const std::string& test) const {
  Finding finding;
  finding.test = test;
  finding.requirement = requirement_;
  for (std::size_t i = 0; i <= no_kind; ++i)
    if (counts_[i].checks > 0)
      finding.kinds[i == no_kind ? "" : kind_name(static_cast<unsigned>(widths[i / 2].bits), i % 2 != 0)] = counts_[i];
  finding.failures = failures_;
  diagnosis_.conclude(finding);
  return finding;
}

} // namespace conformance
