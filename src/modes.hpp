// What a quantize-and-dequantize call does: check the arguments, find delta, apply it, write it back.
//
// The back end says where the tensor lies and runs the two passes over it:
//
//     template <class W, class Float> int quantize(Float* data, std::size_t count, int delta);
//     template <class W, class Float> int fit_and_quantize(Float* data, std::size_t count, int lowest_delta, int&
//     delta);
//
// The second quantizes with the data's delta, but no less than `lowest_delta`, and returns it. Both answer a status,
// and leave the data untouched unless it is GFPQ_SUCCESS.
#ifndef GFPQ_SRC_MODES_HPP
#define GFPQ_SRC_MODES_HPP

#include "errors.hpp"
#include "gfpq.hpp"
#include "kernels/ladder.hpp"
#include "parameter_block.hpp"

namespace gfpq {

/// Reads a block for a bit width. \return a status.
template <class W>
int read_delta(const GFPQ_PARAM_ST& param, int& delta) {
  const std::optional<int> stored = decode_block(param.buf);
  if (!stored)
    return GFPQ_FAIL(errors::block, errors::block.status);
  if (*stored < -W::delta_limit || *stored > W::delta_limit)
    return GFPQ_FAIL(errors::block_delta, errors::block_delta.status, *stored, W::delta_limit, W::delta_limit, W::bits);
  delta = *stored;
  return GFPQ_SUCCESS;
}

template <class W, class Backend, class Float>
int run_mode(Backend& backend, Float* data, unsigned int count, GFPQ_PARAM_ST* param) {
  const unsigned int mode = param != nullptr ? param->mode : static_cast<unsigned int>(GFPQ_MODE_INIT);
  if (mode > GFPQ_MODE_APPLY_ONLY)
    return GFPQ_FAIL(errors::mode, mode);

  int delta = -W::delta_limit;
  if (mode != GFPQ_MODE_INIT)
    if (const int status = read_delta<W>(*param, delta); status != GFPQ_SUCCESS)
      return status;

  if (mode == GFPQ_MODE_APPLY_ONLY)
    return backend.template quantize<W>(data, count, delta);

  const int status = backend.template fit_and_quantize<W>(data, count, delta, delta);
  if (status == GFPQ_SUCCESS && param != nullptr)
    encode_block(delta, param->buf);
  return status;
}

template <class Backend, class Float>
int quantize_and_dequantize(Backend&& backend, Float* data, unsigned int count, unsigned int bit_width,
                            GFPQ_PARAM_ST* param) {
  if (data == nullptr)
    return GFPQ_FAIL(errors::empty_pointer);
  switch (bit_width) {
  case Width8::bits:
    return run_mode<Width8>(backend, data, count, param);
  case Width16::bits:
    return run_mode<Width16>(backend, data, count, param);
  default:
    return GFPQ_FAIL(errors::bit_width, bit_width);
  }
}

} // namespace gfpq

#endif
