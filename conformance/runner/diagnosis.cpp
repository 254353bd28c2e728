#include "runner/diagnosis.hpp"

#include <cmath>
#include <cstdio>
#include <limits>
#include <sstream>
#include <utility>

#include "oracle/oracle.hpp"

namespace conformance {
namespace {

constexpr std::size_t max_examples = 3;
constexpr std::uint64_t near_border = 4; // numbers

// Traits of a number and its place: worth telling where only the wrong numbers have them.
struct Trait {
  std::uint32_t bit;
  const char* text;
};
enum : std::uint32_t {
  negative = 1u << 0,
  positive = 1u << 1,
  not_a_number = 1u << 2,
  infinite = 1u << 3,
  zero = 1u << 4,
  denormal = 1u << 5,
  first_elements = 1u << 6,
  last_elements = 1u << 7,
  mode_init = 1u << 8,
  mode_update = 1u << 9,
  mode_apply = 1u << 10,
  type_float = 1u << 11,
  type_double = 1u << 12,
  width_8 = 1u << 13,
  width_16 = 1u << 14,
  delta_negative = 1u << 15,
  delta_positive = 1u << 16,
  input_traits = (1u << 17) - 1,
  // Traits of what became of it: always worth telling.
  at_border = 1u << 17,
  one_code_low = 1u << 18,
  one_code_high = 1u << 19,
  several_codes_off = 1u << 20,
  wrong_sign = 1u << 21,
  wrong_zero_sign = 1u << 22,
  became_zero = 1u << 23,
  kept_from_zero = 1u << 24,
  unchanged = 1u << 25,
  not_on_ladder = 1u << 26,
  last_bits_wrong = 1u << 27,
};
// The kinds of inputs that a bound of a known deviation can name.
constexpr Trait input_kinds[] = {
    {negative, "negative"},
    {positive, "positive"},
    {not_a_number, "nan"},
    {infinite, "infinity"},
    {zero, "zero"},
    {denormal, "denormal"},
    {type_float, "float"},
    {type_double, "double"},
    {width_8, "8 bit"},
    {width_16, "16 bit"},
    {mode_init, "init"},
    {mode_update, "update"},
    {mode_apply, "apply"},
    {one_code_low, "one code low"},
    {one_code_high, "one code high"},
};

constexpr Trait traits[] = {
    {negative, "only negative numbers are wrong"},
    {positive, "only positive numbers are wrong"},
    {not_a_number, "only NaN is wrong"},
    {infinite, "only infinities are wrong"},
    {zero, "only zeros are wrong"},
    {denormal, "only denormal numbers are wrong"},
    {first_elements, "only the first numbers of a tensor are wrong (fewer than 16 from its start): look at the head"},
    {last_elements, "only the last numbers of a tensor are wrong (fewer than 16 from its end): look at the tail"},
    {mode_init, "only in INIT"},
    {mode_update, "only in UPDATE"},
    {mode_apply, "only in APPLY"},
    {type_float, "only float"},
    {type_double, "only double"},
    {width_8, "only 8 bit"},
    {width_16, "only 16 bit"},
    {delta_negative, "only where delta is negative"},
    {delta_positive, "only where delta is positive"},
    {at_border,
     "all lie within 4 numbers of a rounding threshold or of a zero zone's end: look at the constants and at "
     "< against <="},
    {one_code_low, "all results are one code too low in magnitude"},
    {one_code_high, "all results are one code too high in magnitude"},
    {several_codes_off, "all results are values of the ladder, but several codes off: look at delta and at the clamp"},
    {wrong_sign, "all results have the wrong sign"},
    {wrong_zero_sign, "all results are -0 instead of +0"},
    {became_zero, "all results are zero and should not be: the zero zone is too wide, or the numbers were lost"},
    {kept_from_zero, "all results should be zero: the zero zone is too narrow"},
    {unchanged, "all results are the input, unchanged: these numbers were not processed"},
    {not_on_ladder, "no result is a value of the ladder"},
    {last_bits_wrong, "all results are off in the last bits: the value itself is rounded wrongly"},
};

template <class Float>
std::uint32_t traits_of_input(const Call& call, std::size_t index, std::size_t count, Float input) {
  std::uint32_t found = 0;
  const auto set = [&](bool holds, std::uint32_t bit) { found |= holds ? bit : 0; };
  set(std::signbit(input), negative);
  set(!std::signbit(input), positive);
  set(std::isnan(input), not_a_number);
  set(std::isinf(input), infinite);
  set(input == 0, zero);
  set(std::fpclassify(input) == FP_SUBNORMAL, denormal);
  set(index < 16, first_elements);
  set(count - index < 16, last_elements);
  set(call.mode == "INIT", mode_init);
  set(call.mode == "UPDATE", mode_update);
  set(call.mode == "APPLY", mode_apply);
  set(sizeof(Float) == 4, type_float);
  set(sizeof(Float) == 8, type_double);
  set(call.bits == 8, width_8);
  set(call.bits == 16, width_16);
  set(call.delta && *call.delta < 0, delta_negative);
  set(call.delta && *call.delta > 0, delta_positive);
  return found;
}

template <class Float>
std::uint32_t traits_of_result(const Call& call, Float input, Float got, Float want) {
  const Oracle<Float>& ladder = oracle<Float>(static_cast<int>(call.bits));
  std::uint32_t found = 0;
  const auto set = [&](bool holds, std::uint32_t bit) { found |= holds ? bit : 0; };
  if (std::isfinite(input))
    set(ladder.distance_to_border(std::fabs(input)) <= near_border, at_border);
  set(bits_of(got) == bits_of(input), unchanged);
  set(got == 0 && want == 0, wrong_zero_sign);
  set(got == 0 && want != 0, became_zero);
  set(got != 0 && want == 0, kept_from_zero);
  if (got == 0 || want == 0)
    return found;
  set(std::signbit(got) != std::signbit(want), wrong_sign);

  const auto magnitude_got = bits_of(std::fabs(got)), magnitude_want = bits_of(std::fabs(want));
  const auto distance =
      magnitude_got > magnitude_want ? magnitude_got - magnitude_want : magnitude_want - magnitude_got;
  set(magnitude_got != magnitude_want && distance <= 8, last_bits_wrong);
  const int code_got = ladder.nearest_exponent(std::fabs(got)), code_want = ladder.nearest_exponent(std::fabs(want));
  const bool on_ladder = std::isfinite(got) && bits_of(ladder.value(code_got)) == magnitude_got;
  set(!on_ladder, not_on_ladder);
  set(on_ladder && code_got == code_want - 1, one_code_low);
  set(on_ladder && code_got == code_want + 1, one_code_high);
  set(on_ladder && std::abs(code_got - code_want) > 1, several_codes_off);
  return found;
}

} // namespace

std::string Call::describe() const {
  std::ostringstream text;
  text << function << "(" << type << ", " << bits << " bit";
  if (!mode.empty())
    text << ", " << (mode == "null" ? "no parameter" : mode);
  if (delta)
    text << ", delta " << *delta;
  text << ")" << (note.empty() ? "" : ", ") << note;
  return text.str();
}

template <class Float>
std::string show(Float number) {
  char text[64];
  if (sizeof(Float) == 4)
    std::snprintf(text, sizeof text, "%.9g (0x%08llx)", static_cast<double>(number),
                  static_cast<unsigned long long>(bits_of(number)));
  else
    std::snprintf(text, sizeof text, "%.17g (0x%016llx)", static_cast<double>(number),
                  static_cast<unsigned long long>(bits_of(number)));
  return text;
}

template <class Float>
std::uint32_t Diagnosis::add(const Call& call, std::size_t index, std::size_t count, Float input, Float got,
                             Float want) {
  const std::uint32_t of_input = traits_of_input(call, index, count, input);
  if (bits_of(got) == bits_of(want)) {
    if (bits_of(input) != bits_of(want)) // what stays as it is may be there as a filling alone
      seen_right_ |= ~of_input;
    return 0;
  }
  const std::uint32_t found = of_input | traits_of_result(call, input, got, want);
  common_ &= found;
  border_ = std::max(border_, std::isfinite(input)
                                  ? oracle<Float>(static_cast<int>(call.bits)).distance_to_border(std::fabs(input))
                                  : std::numeric_limits<std::uint64_t>::max());
  if (++wrong_ <= max_examples)
    examples_.push_back({call.describe(), index, count, show(input), show(got), show(want)});

  constexpr std::pair<std::uint32_t, Symptom> symptoms[] = {
      // the first that fits
      {not_a_number, nan_symptom},
      {wrong_zero_sign, minus_zero_symptom},
      {last_bits_wrong, value_symptom},
      {infinite, infinity_symptom},
      {denormal, denormal_symptom},
      {unchanged, unchanged_symptom},
      {became_zero | kept_from_zero, zero_symptom},
      {wrong_sign, sign_symptom},
      {not_on_ladder, value_symptom},
      {at_border, border_symptom},
  };
  for (const auto& [bits, symptom] : symptoms)
    if ((found & bits) != 0)
      return symptom;
  return code_symptom;
}

void Diagnosis::conclude(Finding& finding) const {
  finding.wrong_numbers = wrong_;
  finding.examples = examples_;
  if (wrong_ == 0)
    return;
  for (const Trait& kind : input_kinds)
    if ((common_ & kind.bit) != 0)
      finding.inputs.emplace_back(kind.text);
  if ((common_ & (one_code_low | one_code_high)) != 0 || border_ <= near_border)
    finding.border = border_;
  std::uint32_t told = common_;
  if ((common_ & (last_bits_wrong | not_on_ladder)) != 0) // it does not matter what they lie beside
    told &= ~static_cast<std::uint32_t>(at_border);
  if ((common_ & wrong_zero_sign) != 0) // -0 that became -0 need not have been left out
    told &= ~static_cast<std::uint32_t>(unchanged);
  for (const Trait& trait : traits)
    if (wrong_ > 1 && (told & trait.bit) != 0 && ((trait.bit & input_traits) == 0 || (seen_right_ & trait.bit) != 0))
      finding.hints.emplace_back(trait.text);
}

std::string kind_name(unsigned bits, bool is_double) {
  for (const Width& width : widths)
    if (static_cast<unsigned>(width.bits) == bits)
      return std::to_string(bits) + " bit " + (is_double ? "double" : "float");
  return "";
}

template std::string show(float);
template std::string show(double);
template std::uint32_t Diagnosis::add(const Call&, std::size_t, std::size_t, float, float, float);
template std::uint32_t Diagnosis::add(const Call&, std::size_t, std::size_t, double, double, double);

} // namespace conformance
