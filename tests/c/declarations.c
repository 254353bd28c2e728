/* gfpq.hpp is C89: this file is compiled with every warning of that an error. */
#include "gfpq.hpp"

/* As the specification has them. */
typedef char param_has_20_bytes[sizeof(GFPQ_PARAM_ST) == 20 ? 1 : -1];
typedef char info_has_84_bytes[sizeof(GFPQ_INFO_ST) == 84 ? 1 : -1];
typedef char errors_are_negative[GFPQ_ERR_BAD_PARAMETERS < 0 ? 1 : -1];

int apply(float* data, unsigned int count, GFPQ_PARAM_ST* param);
int apply(float* data, unsigned int count, GFPQ_PARAM_ST* param) {
  param->mode = GFPQ_MODE_APPLY_ONLY;
  return HI_GFPQ_QuantAndDeQuant_PY(data, count, GFPQ_BIT_WIDTH_8BIT, param);
}
