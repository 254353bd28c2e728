// What a fake-quantizing call does: check the arguments, find delta, apply it, write it back.
//
// The back end says where the tensor is and runs the two passes over it:
//
//     template <class Width, class Float> int fake_quantize(Float* data, std::size_t count, int delta);
//     template <class Width, class Float> int fit_and_fake_quantize(Float* data, std::size_t count, int lowest_delta,
//     int& delta);
//
// The second fake-quantizes with the data's delta, but no less than `lowest_delta`, and returns it. Both return a
// status, and leave the data untouched unless it is GFPQ_SUCCESS.
#ifndef GFPQ_SRC_MODES_HPP
#define GFPQ_SRC_MODES_HPP

#include "errors.hpp"
#include "gfpq.hpp"
#include "kernels/ladder.hpp"
#include "parameter_block.hpp"

namespace gfpq {

/// Reads a block for a bit width. \return a status.
template <class Width>
[[nodiscard]] int read_delta(const GFPQ_PARAM_ST& param, int& delta) {
  const std::optional<int> stored = decode_block(param.buf);
  if (!stored)
    return GFPQ_FAIL(errors::block, errors::block.status);
  if (*stored < -Width::delta_limit || *stored > Width::delta_limit)
    return GFPQ_FAIL(errors::block_delta, errors::block_delta.status, *stored, Width::delta_limit, Width::delta_limit,
                     Width::bits);
  delta = *stored;
  return GFPQ_SUCCESS;
}

template <class Width, class Backend, class Float>
[[nodiscard]] int run_mode(Backend& backend, Float* data, unsigned int count, GFPQ_PARAM_ST* param) {
  const unsigned int mode = param != nullptr ? param->mode : static_cast<unsigned int>(GFPQ_MODE_INIT);
  if (mode > GFPQ_MODE_APPLY_ONLY)
    return GFPQ_FAIL(errors::mode, mode);

  int delta = -Width::delta_limit;
  if (mode != GFPQ_MODE_INIT)
    if (const int status = read_delta<Width>(*param, delta); status != GFPQ_SUCCESS)
      return status;

  if (mode == GFPQ_MODE_APPLY_ONLY)
    return backend.template fake_quantize<Width>(data, count, delta);

  const int status = backend.template fit_and_fake_quantize<Width>(data, count, delta, delta);
  if (status == GFPQ_SUCCESS && param != nullptr)
    encode_block(delta, param->buf);
  return status;
}

/// Apart, so that the calls that succeed have no part of it.
[[nodiscard, gnu::noinline]] inline int fail_bit_width(unsigned int bit_width) {
  return GFPQ_FAIL(errors::bit_width, bit_width, WidthNames().text);
}

template <class Backend, class Float>
[[nodiscard]] int fake_quantize(Backend&& backend, Float* data, unsigned int count, unsigned int bit_width,
                                GFPQ_PARAM_ST* param) {
  if (data == nullptr)
    return GFPQ_FAIL(errors::empty_pointer);
  int status = GFPQ_SUCCESS;
  if (!with_width(bit_width, [&](auto width) { status = run_mode<decltype(width)>(backend, data, count, param); }))
    return fail_bit_width(bit_width);
  return status;
}

} // namespace gfpq

#endif
