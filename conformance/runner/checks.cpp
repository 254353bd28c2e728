#include "runner/checks.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>

#include "oracle/oracle.hpp"
#include "runner/case.hpp"
#include "runner/own_block.hpp"

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
  if (got != want) {
    const std::string& note = call.note;
    const std::string none = ", 0 numbers";
    const bool is_empty = note == "count 0" || (note.size() > none.size() &&
                                                note.compare(note.size() - none.size(), none.size(), none) == 0);
    hint(is_empty ? std::vector<std::string>{"only calls with count 0 return another status"}
                  : std::vector<std::string>());
  }
  that(kind_of(call), got == want, symptom,
       [&] { return call.describe() + "\n      returned " + show_status(got) + ", want " + show_status(want); });
}

namespace {

/// Whether it is a block like any other, of whichever delta.
bool same_layout(const GFPQ_PARAM_ST& param) {
  if (delta_of_own_block(param))
    return true;
  const int delta = delta_of(param), limit = widths[std::size(widths) - 1].delta_limit;
  return delta >= -limit && delta <= limit &&
         std::memcmp(param.buf, oracle<float>(widths[std::size(widths) - 1].bits).param(0, delta).buf,
                     sizeof param.buf) == 0;
}

/// The deltas that this thread's last call and the one before it have left.
class LastDeltas {
public:
  void remember(int delta) {
    before_ = is_spoiled_ ? std::nullopt : last_;
    last_ = delta;
    is_spoiled_ = false;
  }
  /// The last one is wrong, and was not kept: whoever has it next may have found it in the same wrong way.
  void spoil() { is_spoiled_ = true; }
  bool is_kept(int delta) const { return before_ == delta; }

private:
  std::optional<int> last_, before_;
  bool is_spoiled_ = false;
};
struct CallsBefore {
  LastDeltas all, of_kind[2 * std::size(widths)];
  std::size_t kind = 0; // of the last call
};
thread_local CallsBefore calls_before;

constexpr const char* kept_delta =
    "delta is that of the call before: something is kept from call to call, or never found";

bool is_kept(int delta) {
  return calls_before.all.is_kept(delta) || calls_before.of_kind[calls_before.kind].is_kept(delta);
}

/// What may be wrong with a block, all that fits.
std::vector<std::string> block_faults(const GFPQ_PARAM_ST& got_param, const GFPQ_PARAM_ST& want_param) {
  using Words = std::array<std::uint32_t, 4>;
  const auto words_of = [](const GFPQ_PARAM_ST& param) {
    Words words;
    std::memcpy(words.data(), param.buf, sizeof words);
    return words;
  };
  const auto name = [](std::size_t word) { return "w" + std::to_string(word); };
  const Words got = words_of(got_param), want = words_of(want_param);
  std::vector<std::string> faults;
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = i + 1; j < 4; ++j) {
      Words swapped = want;
      std::swap(swapped[i], swapped[j]);
      if (got == swapped)
        faults.push_back("the block's words " + name(i) + " and " + name(j) + " are swapped");
    }
  Words reversed = want;
  for (std::uint32_t& word : reversed)
    word = word << 24 | (word & 0xff00) << 8 | (word >> 8 & 0xff00) | word >> 24;
  if (got == reversed)
    faults.emplace_back("the block's words are big-endian");
  std::string zero, wrong;
  for (std::size_t i = 0; i < 4; ++i) {
    if (got[i] == 0 && want[i] != 0)
      zero += " " + name(i);
    if (got[i] != want[i])
      wrong += " " + name(i);
  }
  if (!zero.empty() && !same_layout(got_param))
    faults.push_back("zero in the block:" + zero);
  if (wrong.size() == 3)
    faults.push_back("of the block's words only" + wrong + " is wrong");
  const long difference = static_cast<long>(delta_held(got_param)) - delta_held(want_param);
  // At a step of the delta rule the call before may well have had the next delta.
  if (std::abs(difference) > 1 && same_layout(got_param) && is_kept(delta_held(got_param))) {
    faults.emplace_back(kept_delta);
  } else {
    calls_before.all.spoil();
    calls_before.of_kind[calls_before.kind].spoil();
  }
  if (difference != 0 && same_layout(got_param))
    faults.push_back("delta is " + std::to_string(std::abs(difference)) + (difference > 0 ? " too high" : " too low"));
  if (got[1] != want[1] && delta_held(got_param) == -delta_held(want_param))
    faults.emplace_back("the block's delta has the wrong sign");
  if (test_run().has_own_blocks && delta_of_own_block(got_param) && !delta_of_own_block(want_param))
    faults.emplace_back(
        "the blocks have a layout of the library's own; all else was judged with those that INIT writes");
  return faults;
}

} // namespace

void Checks::param(const Call& call, const GFPQ_PARAM_ST& got, const GFPQ_PARAM_ST& want) {
  const std::size_t kind = kind_of(call);
  that(kind, got.mode == want.mode, mode_symptom, [&] {
    return call.describe() + "\n      changed the parameter's mode from " + std::to_string(want.mode) + " to " +
           std::to_string(got.mode);
  });
  const Symptom symptom = delta_held(got) == delta_held(want) ? block_symptom : delta_symptom;
  if (std::memcmp(got.buf, want.buf, sizeof got.buf) != 0)
    hint(block_faults(got, want));
  that(kind, std::memcmp(got.buf, want.buf, sizeof got.buf) == 0, symptom, [&] {
    std::string differing;
    for (int word = 0; word < 4; ++word)
      if (std::memcmp(got.buf + 4 * word, want.buf + 4 * word, 4) != 0)
        differing += " w" + std::to_string(word);
    return call.describe() + "\n      block " + show_block(got) + "  (delta " + std::to_string(delta_held(got)) +
           ")\n      want  " + show_block(want) + "  (delta " + std::to_string(delta_held(want)) +
           ")\n      words that differ:" + differing;
  });
}

void remember_delta(unsigned bits, std::size_t type_size, int delta) {
  for (std::size_t i = 0; i < std::size(widths); ++i)
    if (static_cast<unsigned>(widths[i].bits) == bits) {
      calls_before.kind = 2 * i + (type_size == sizeof(double) ? 1 : 0);
      calls_before.of_kind[calls_before.kind].remember(delta);
      calls_before.all.remember(delta);
    }
}

void Checks::hint(const std::vector<std::string>& words) {
  if (!has_hints_)
    hints_ = words;
  has_hints_ = true;
  hints_.erase(std::remove_if(
                   hints_.begin(), hints_.end(),
                   [&](const std::string& hint) { return std::find(words.begin(), words.end(), hint) == words.end(); }),
               hints_.end());
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
  std::uint32_t symptoms = 0;
  for (const Count& count : counts_)
    symptoms |= count.symptoms;
  if ((symptoms & delta_symptom) != 0) // numbers that a wrong delta spoils tell nothing by themselves
    finding.hints.clear();
  if (std::find(hints_.begin(), hints_.end(), kept_delta) != hints_.end())
    finding.hints.assign(1, kept_delta); // by how much it is wrong is chance
  else
    finding.hints.insert(finding.hints.begin(), hints_.begin(), hints_.end());
  return finding;
}

} // namespace conformance
