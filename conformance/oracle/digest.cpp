#include "oracle/digest.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "oracle/golden.hpp"
#include "oracle/oracle.hpp"
#include "oracle/sha256.hpp"

namespace conformance {
namespace {

constexpr int chains = 16;
constexpr int no_parameter = -1;
constexpr int modes[] = {GFPQ_MODE_INIT,       GFPQ_MODE_APPLY_ONLY, GFPQ_MODE_UPDATE,
                         GFPQ_MODE_APPLY_ONLY, GFPQ_MODE_UPDATE,     no_parameter};
constexpr std::size_t short_length = 400, long_length = std::size_t{1} << 21, period = 4099;

/// Sebastiano Vigna's SplitMix64, from state 0.
class SplitMix64 {
public:
  std::uint64_t operator()() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

private:
  std::uint64_t state_ = 0;
};

template <class Float>
BitsOf<Float> number(std::uint64_t draw, int octave) {
  using Bits = BitsOf<Float>;
  constexpr int mantissa_bits = sizeof(Float) == 4 ? 23 : 52, bias = sizeof(Float) == 4 ? 127 : 1023;
  const auto kind = draw & 127;
  const auto sign = static_cast<Bits>(draw >> 7 & 1) << (8 * sizeof(Bits) - 1);
  const auto down = static_cast<int>(draw >> 8 & 15);
  const auto mantissa = static_cast<Bits>(draw >> (64 - mantissa_bits));
  if (kind == 0)
    return sign;
  if (kind == 1)
    return sign | static_cast<Bits>(2 * bias + 1) << mantissa_bits | mantissa | 1; // NaN
  if (kind == 2)
    return sign | mantissa; // denormal
  return sign | static_cast<Bits>(bias + octave - down) << mantissa_bits | mantissa;
}

} // namespace

template <class Float>
std::string workload_digest(const DigestCall<Float>& call) {
  SplitMix64 draw;
  Sha256 hash;
  for (int chain = 0; chain < chains; ++chain) {
    GFPQ_PARAM_ST param{};
    for (const int mode : modes) {
      const int octave = static_cast<int>(draw() % 80) - 36;
      const std::size_t length =
          draw() % short_length + (chain == chains - 1 && mode == GFPQ_MODE_INIT ? long_length : 0);
      const std::size_t offset = draw() % 16;
      std::vector<Float> data(length);
      for (std::size_t i = 0; i < length; ++i)
        if (i < period) {
          const BitsOf<Float> pattern = number<Float>(draw(), octave);
          std::memcpy(&data[i], &pattern, sizeof pattern);
        } else {
          std::memcpy(&data[i], &data[i - period], sizeof(Float));
        }
      param.mode = static_cast<unsigned>(mode);
      call(data, mode == no_parameter ? nullptr : &param, offset);
      hash.update(data.data(), length * sizeof(Float));
      if (mode != no_parameter)
        hash.update(param.buf, sizeof param.buf);
    }
  }
  return hash.digest();
}

template <class Float>
std::string golden_digest(int bits) {
  for (const Row& row : read_table("generated/digest.csv"))
    if (row.integer("bits") == bits && row.text("dtype") == (sizeof(Float) == 4 ? "f32" : "f64"))
      return row.text("sha256");
  throw std::runtime_error("generated/digest.csv has no row of " + std::to_string(bits) + " bit");
}

template std::string workload_digest(const DigestCall<float>&);
template std::string workload_digest(const DigestCall<double>&);
template std::string golden_digest<float>(int);
template std::string golden_digest<double>(int);

} // namespace conformance
