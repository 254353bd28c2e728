/* gfpq.hpp and gfpq_jobs.hpp are C89: this file is compiled with every warning of that an error. */
#include "gfpq_jobs.hpp"

/* As the specification has them. */
typedef char param_has_20_bytes[sizeof(GFPQ_PARAM_ST) == 20 ? 1 : -1];
typedef char info_has_84_bytes[sizeof(GFPQ_INFO_ST) == 84 ? 1 : -1];
typedef char group_param_has_64_bytes[sizeof(GFPQ_GROUP_PARAM_ST) == 64 ? 1 : -1];
typedef char never_set_is_negative[GFPQ_NEVER_SET < -4095 ? 1 : -1];
typedef char damaged_is_more[GFPQ_DAMAGED > 4095 ? 1 : -1];
typedef char errors_are_negative[GFPQ_ERR_BAD_PARAMETERS < 0 ? 1 : -1];

int encode(const float* numbers, unsigned char* codes, size_t count, GFPQ_GROUP_PARAM_ST* param);
int encode(const float* numbers, unsigned char* codes, size_t count, GFPQ_GROUP_PARAM_ST* param) {
  GFPQ_JOB_ST job;
  job.operation = GFPQ_ENCODE;
  job.type = GFPQ_FLOAT32;
  job.bit_width = GFPQ_BIT_WIDTH_8BIT;
  job.mode = GFPQ_MODE_AUTO;
  job.outer = 1;
  job.groups = 1;
  job.inner = count;
  job.source = numbers;
  job.destination = codes;
  job.params = param;
  job.mask = NULL;
  return GFPQ_RunJobs(&job, 1);
}

int apply(float* data, unsigned int count, GFPQ_PARAM_ST* param);
int apply(float* data, unsigned int count, GFPQ_PARAM_ST* param) {
  param->mode = GFPQ_MODE_APPLY_ONLY;
  return HI_GFPQ_QuantAndDeQuant_PY(data, count, GFPQ_BIT_WIDTH_8BIT, param);
}
