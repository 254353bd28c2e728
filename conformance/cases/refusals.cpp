#include "cases/refusals.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "oracle/widths.hpp"

namespace conformance {
namespace {

/// The numbers below 70, the values of each byte, and each good one with another bit or with a high word.
std::vector<unsigned> all_but(const std::vector<unsigned>& good) {
  std::set<unsigned> bad;
  for (unsigned number = 0; number < 70; ++number)
    bad.insert(number);
  for (int bit = 0; bit < 32; ++bit) {
    bad.insert(1u << bit);
    bad.insert((1u << bit) - 1);
    for (const unsigned number : good)
      bad.insert(number ^ 1u << bit);
  }
  for (const unsigned number : good) {
    bad.insert(0u - number);
    bad.insert(~number);
    bad.insert(number * 0x10001u); // the same in both halves
  }
  for (const unsigned number : good)
    bad.erase(number);
  return {bad.begin(), bad.end()};
}

} // namespace

std::vector<unsigned> bad_widths() {
  std::vector<unsigned> good;
  for (const Width& width : widths)
    good.push_back(static_cast<unsigned>(width.bits));
  return all_but(good);
}

std::vector<unsigned> bad_modes() { return all_but({GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY}); }

GFPQ_PARAM_ST well_formed(unsigned mode, int delta) {
  const auto word1 = static_cast<std::uint32_t>(delta);
  const std::uint32_t x = ~word1, word0 = (x << 3) | (x << 11) | (x << 21) | (x << 27);
  const std::uint32_t words[] = {word0, word1, word0 ^ 0xA5A5A5A5u, word0 ^ 0x5A5A5A5Au};
  GFPQ_PARAM_ST param{mode, {}};
  std::memcpy(param.buf, words, sizeof words);
  return param;
}

bool is_well_formed(const GFPQ_PARAM_ST& param) {
  const GFPQ_PARAM_ST same_delta = well_formed(param.mode, delta_of(param));
  return std::memcmp(&param, &same_delta, sizeof param) == 0;
}

template <class Float>
void check_refused(RefusalChecks checks, unsigned bits, const GFPQ_PARAM_ST* param, int status, const std::string& note,
                   std::size_t count) {
  const Float pattern[] = {1, -2, static_cast<Float>(3.3), 0, static_cast<Float>(-1e-3), -Float(0)};
  std::vector<Float> input(count);
  for (std::size_t i = 0; i < count; ++i)
    input[i] = pattern[i % std::size(pattern)];
  GFPQ_PARAM_ST used{};
  if (param != nullptr)
    used = *param;
  const Outcome<Float> outcome = quantize(input, bits, param != nullptr ? &used : nullptr);
  const Call call{"HI_GFPQ_QuantAndDeQuant",
                  type_name<Float>,
                  bits,
                  param == nullptr ? "null" : mode_name(param->mode),
                  {},
                  note + ", " + std::to_string(count) + " numbers"};
  checks.status.status(call, outcome.status, status);
  checks.untouched.that(param == nullptr || std::memcmp(&used, param, sizeof used) == 0, [&] {
    return call.describe() + "\n      changed the parameter from mode " + std::to_string(param->mode) + ", block " +
           show_block(*param) + " to mode " + std::to_string(used.mode) + ", block " + show_block(used);
  });
  checks.untouched.that(count == 0 || std::memcmp(outcome.data.data(), input.data(), count * sizeof(Float)) == 0,
                        [&] { return call.describe() + "\n      changed the data"; });
}

template void check_refused<float>(RefusalChecks, unsigned, const GFPQ_PARAM_ST*, int, const std::string&, std::size_t);
template void check_refused<double>(RefusalChecks, unsigned, const GFPQ_PARAM_ST*, int, const std::string&,
                                    std::size_t);

} // namespace conformance
