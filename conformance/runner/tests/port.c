/* GFPQ as a port in C has it: numbers by log2 and exp2 in double, no GPU, no messages. PORT_ says what it offers:
 * PORT_PY_ALONE the two functions with C names, PORT_FLOAT_ALONE the C++ function for float, PORT_DOUBLE that for double
 * too, PORT_OWN_BLOCK the function for float, and a parameter block of its own, PORT_2048_STEPS that with the wrong steps
 * at 16 bit. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "gfpq.hpp"

struct width {
  int steps, max_code, delta_limit;
};

static int width_of(unsigned bits, struct width* width) {
  static const struct width of_8 = {16, 127, 511}, of_16 = {128, 1407, 4095};
  *width = bits == GFPQ_BIT_WIDTH_8BIT ? of_8 : of_16;
  return bits == GFPQ_BIT_WIDTH_8BIT || bits == GFPQ_BIT_WIDTH_16BIT;
}

#ifdef PORT_OWN_BLOCK
static const char magic[] = "my own GFPQ";

static void write_block(GFPQ_PARAM_ST* param, int delta) {
  memset(param->buf, 0, sizeof param->buf);
  memcpy(param->buf, magic, sizeof magic - 1);
  memcpy(param->buf + 12, &delta, sizeof delta);
}

static int read_block(const GFPQ_PARAM_ST* param, int* delta) {
  memcpy(delta, param->buf + 12, sizeof *delta);
  return memcmp(param->buf, magic, sizeof magic - 1) == 0;
}
#else
static void write_block(GFPQ_PARAM_ST* param, int delta) {
  const uint32_t x = ~(uint32_t)delta, word = (x << 3) | (x << 11) | (x << 21) | (x << 27);
  const uint32_t words[] = {word, (uint32_t)delta, word ^ 0xA5A5A5A5u, word ^ 0x5A5A5A5Au};
  memcpy(param->buf, words, sizeof words);
}

static int read_block(const GFPQ_PARAM_ST* param, int* delta) {
  GFPQ_PARAM_ST same;
  memcpy(delta, param->buf + 4, sizeof *delta);
  write_block(&same, *delta);
  return memcmp(param->buf, same.buf, sizeof same.buf) == 0;
}
#endif

static int delta_of(double maximum, struct width width) {
  if (maximum == 0)
    maximum = 1e-6;
  if (isinf(maximum))
    return width.delta_limit;
  const double delta = floor(width.steps * log2(maximum)) - width.max_code;
  return (int)fmin(fmax(delta, -width.delta_limit), width.delta_limit);
}

static double quantize(double number, int delta, struct width width) {
  if (isnan(number))
    return 0;
  const int low = delta + (signbit(number) ? 1 : 0), high = delta + width.max_code;
  const double exponent = log2(fabs(number));
  if (exponent <= (double)low / width.steps - 1)
    return 0;
#ifdef PORT_2048_STEPS
  const int finer = width.steps == 128 ? 16 : 1;
#else
  const int finer = 1;
#endif
  const double nearest = floor(finer * width.steps * exponent + 0.5);
  return copysign(exp2(fmin(fmax(nearest, finer * low), finer * high) / (finer * width.steps)), number);
}

/* For each type. */
#define PORT(name, Float)                                                                                              \
  __attribute__((visibility("default"))) int name(Float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) {  \
    struct width width;                                                                                                \
    int delta = 0;                                                                                                     \
    if (data == NULL)                                                                                                  \
      return GFPQ_ERR_BAD_PARAMETERS;                                                                                  \
    if (!width_of(bits, &width))                                                                                       \
      return GFPQ_ERR_BAD_FORMAT;                                                                                      \
    const unsigned mode = param != NULL ? param->mode : GFPQ_MODE_INIT;                                                \
    if (mode > GFPQ_MODE_APPLY_ONLY)                                                                                   \
      return GFPQ_ERR_BAD_PARAMETERS;                                                                                  \
    if (mode != GFPQ_MODE_INIT &&                                                                                      \
        (!read_block(param, &delta) || delta < -width.delta_limit || delta > width.delta_limit))                       \
      return GFPQ_ERR_BAD_PARAMETERS;                                                                                  \
    if (mode != GFPQ_MODE_APPLY_ONLY) {                                                                                \
      double maximum = 0;                                                                                              \
      for (unsigned i = 0; i < count; ++i)                                                                             \
        maximum = fabs(data[i]) > maximum ? fabs(data[i]) : maximum;                                                   \
      const int found = delta_of(maximum, width);                                                                      \
      delta = mode == GFPQ_MODE_INIT || found > delta ? found : delta;                                                 \
      if (param != NULL)                                                                                               \
        write_block(param, delta);                                                                                     \
    }                                                                                                                  \
    for (unsigned i = 0; i < count; ++i)                                                                               \
      data[i] = (Float)quantize(data[i], delta, width);                                                                \
    return GFPQ_SUCCESS;                                                                                               \
  }

#ifdef PORT_PY_ALONE
PORT(HI_GFPQ_QuantAndDeQuant_PY, float)

__attribute__((visibility("default"))) int HI_GFPQ_QuantAndDeQuant_GPU_PY(float* data, unsigned count, unsigned bits,
                                                                          GFPQ_PARAM_ST* param, void* stream,
                                                                          void* handle) {
  (void)data, (void)count, (void)bits, (void)param, (void)stream, (void)handle;
  return GFPQ_ERR_NOT_SUPPORT;
}
#else
int _Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST(float*, unsigned, unsigned, GFPQ_PARAM_ST*);
PORT(_Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST, float)
#endif

#ifdef PORT_DOUBLE
int _Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST(double*, unsigned, unsigned, GFPQ_PARAM_ST*);
PORT(_Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST, double)
#endif
