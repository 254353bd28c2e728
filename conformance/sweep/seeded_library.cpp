// Another library, spoiled for a few inputs at a few 8-bit deltas: faults that a sweep must find.
#include <dlfcn.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "gfpq.hpp"

namespace {

/// Results of the inputs with these bit patterns are wrong by one bit.
template <class Bits>
struct Fault {
  int delta;
  Bits first, last;
};
// Over the end of a block; over a threshold; an infinity; a NaN.
constexpr Fault<std::uint32_t> float_faults[] = {{-511, 0x3f80fff0, 0x3f810010},
                                                 {511, 0x4f88980d, 0x4f889810},
                                                 {1, 0xff800000, 0xff800000},
                                                 {1, 0x7fc00001, 0x7fc00001}};
// The largest number and infinity; an octave, of which random numbers find a part.
constexpr Fault<std::uint64_t> double_faults[] = {{511, 0x7fefffffffffffff, 0x7ff0000000000000},
                                                  {1, 0x4000000000000000, 0x400fffffffffffff}};
constexpr int delta_that_refuses_double = -511;
constexpr int delta_that_update_damages = 2; // float alone

template <class Float>
using Function = int(Float*, unsigned, unsigned, GFPQ_PARAM_ST*);

template <class Float>
Function<Float>* original(const char* symbol) {
  return reinterpret_cast<Function<Float>*>(dlsym(dlopen(ORIGINAL_LIBRARY, RTLD_NOW | RTLD_LOCAL), symbol));
}

template <class Bits, class Float, std::size_t Count>
int call(Function<Float>* quantize, const Fault<Bits> (&faults)[Count], Float* data, unsigned count, unsigned bits,
         GFPQ_PARAM_ST* param) {
  int delta;
  std::memcpy(&delta, param->buf + 4, sizeof delta);
  std::vector<unsigned> spoiled;
  for (const Fault<Bits>& fault : faults) {
    if (bits != 8 || delta != fault.delta)
      continue;
    std::vector<Bits> inputs(count);
    std::memcpy(inputs.data(), data, count * sizeof(Bits));
    Bits hits = 0; // apart from the list, so that the loop over all floats is a fast one
    for (const Bits input : inputs)
      hits |= input - fault.first <= fault.last - fault.first ? 1 : 0;
    for (unsigned i = 0; hits != 0 && i < count; ++i)
      if (inputs[i] - fault.first <= fault.last - fault.first)
        spoiled.push_back(i);
  }
  const int status = quantize(data, count, bits, param);
  for (const unsigned i : spoiled) {
    Bits result;
    std::memcpy(&result, data + i, sizeof result);
    result ^= 1;
    std::memcpy(data + i, &result, sizeof result);
  }
  if (bits == 8 && sizeof(Float) == sizeof(float) && param->mode == GFPQ_MODE_UPDATE &&
      param->buf[4] == delta_that_update_damages && param->buf[5] == 0)
    param->buf[12] ^= 1;
  return bits == 8 && sizeof(Float) == sizeof(double) && delta == delta_that_refuses_double ? GFPQ_ERR_NOT_SUPPORT
                                                                                            : status;
}

} // namespace

int HI_GFPQ_QuantAndDeQuant(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param) {
  static const auto quantize = original<float>("_Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST");
  return call(quantize, float_faults, data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant(double* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param) {
  static const auto quantize = original<double>("_Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST");
  return call(quantize, double_faults, data, count, bit_width, param);
}

int HI_GFPQ_GetInfo(GFPQ_INFO_ST* info) {
  *info = GFPQ_INFO_ST{9, 8, 7, 9, 0, ""};
  return GFPQ_SUCCESS;
}
