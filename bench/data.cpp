#include "data.hpp"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>

#include "kernels/ladder.hpp"

namespace bench {
namespace {

template <class Float>
using Bits = typename gfpq::Format<Float>::Bits;

template <class Float>
Bits<Float> bits_of(Float number) {
  Bits<Float> bits;
  std::memcpy(&bits, &number, sizeof bits);
  return bits;
}

/// The standard fixes mt19937's numbers on every machine; those of its distributions, and of rand(), it does not.
class Numbers {
public:
  double guide() { return (static_cast<double>(generator_() % (1u << 20)) - (1u << 19)) / (1u << 18); }

  double weight() {
    const double size = -0.02 * std::log(uniform());
    return generator_() % 2 == 0 ? size : -size;
  }

  double activation() { return generator_() % 2 == 0 ? 0.0 : std::pow(-std::log(uniform()), 1.5); }

  double next(Data data) {
    switch (data) {
    case Data::weights:
      return weight();
    case Data::activations:
      return activation();
    default:
      return guide();
    }
  }

private:
  /// In (0, 1].
  double uniform() { return (static_cast<double>(generator_()) + 1) / 4294967296.0; }

  std::mt19937 generator_;
};

template <class Width, class Float>
void apply_rule(const std::vector<Float>& source, Expected<Float>& expected) {
  constexpr auto& rule = gfpq::ladder<Float, Width>;
  Bits<Float> maximum = 0;
  for (const Float number : source) {
    const Bits<Float> magnitude = bits_of(number) & ~gfpq::Format<Float>::sign;
    maximum = magnitude > maximum ? magnitude : maximum;
  }
  const int delta = rule.delta(maximum);
  expected.delta = delta;
  expected.data.resize(source.size());
  const auto count = static_cast<std::ptrdiff_t>(source.size());
#ifdef _OPENMP
#pragma omp parallel for if (count > 100000)
#endif
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const Bits<Float> bits = rule.fake_quantize(bits_of(source[i]), delta);
    std::memcpy(&expected.data[i], &bits, sizeof bits);
  }
}

template <class Float>
std::string hexadecimal(Float number) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%0*llx", static_cast<int>(2 * sizeof number),
                static_cast<unsigned long long>(bits_of(number)));
  return text;
}

} // namespace

template <class Float>
std::vector<Float> make_data(Data data, std::size_t count) {
  std::vector<Float> result(count);
  Numbers numbers;
  for (Float& number : result)
    number = static_cast<Float>(numbers.next(data));
  return result;
}

template <class Float>
Expected<Float> expect(const std::vector<Float>& source, unsigned bits) {
  Expected<Float> expected;
  if (!gfpq::with_width(bits, [&](auto width) { apply_rule<decltype(width)>(source, expected); }))
    throw std::invalid_argument("there is no rule for " + std::to_string(bits) + " bit");
  return expected;
}

template <class Float>
std::string difference(const Float* actual, const std::vector<Float>& expected, const std::vector<Float>& source) {
  if (std::memcmp(actual, expected.data(), expected.size() * sizeof(Float)) == 0)
    return "";
  std::size_t first = 0;
  std::size_t different = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (bits_of(actual[i]) != bits_of(expected[i]) && different++ == 0)
      first = i;
  return "element " + std::to_string(first) + ", " + hexadecimal(source[first]) + ", became " +
         hexadecimal(actual[first]) + " instead of " + hexadecimal(expected[first]) + "; " + std::to_string(different) +
         " of " + std::to_string(expected.size()) + " elements differ";
}

#define GFPQ_BENCH_INSTANTIATE(Float)                                                                                  \
  template std::vector<Float> make_data(Data, std::size_t);                                                            \
  template Expected<Float> expect(const std::vector<Float>&, unsigned);                                                \
  template std::string difference(const Float*, const std::vector<Float>&, const std::vector<Float>&);
GFPQ_BENCH_INSTANTIATE(float)
GFPQ_BENCH_INSTANTIATE(double)

} // namespace bench
