// What the wrong numbers of one requirement have in common.
#ifndef GFPQ_CONFORMANCE_RUNNER_DIAGNOSIS_HPP
#define GFPQ_CONFORMANCE_RUNNER_DIAGNOSIS_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace conformance {

/// Which call a check is about.
struct Call {
  std::string function = "HI_GFPQ_QuantAndDeQuant";
  std::string type{}; ///< float, double
  unsigned bits = 0;
  std::string mode{};         ///< INIT, UPDATE, APPLY, null; empty where it does not matter
  std::optional<int> delta{}; ///< the delta that is right for this call
  std::string note{};         ///< what is special about it

  std::string describe() const;
};

/// A number with its bit pattern: `1.5 (0x3fc00000)`.
template <class Float>
std::string show(Float number);

class Diagnosis {
public:
  /// Takes note of one number of a tensor, right or wrong.
  template <class Float>
  void add(const Call& call, std::size_t index, std::size_t count, Float input, Float got, Float want);

  std::size_t wrong() const { return wrong_; }

  /// The first wrong numbers, how many more there are, and what they have in common.
  std::string describe() const;

private:
  std::size_t wrong_ = 0;
  std::uint32_t common_ = ~0u;   ///< traits that all wrong numbers have
  std::uint32_t seen_right_ = 0; ///< traits that some right number lacks: only these tell the wrong ones apart
  std::vector<std::string> examples_;
};

} // namespace conformance

#endif
