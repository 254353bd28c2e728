// A program in C99: the functions with C names by gfpq.hpp and gfpq_jobs.hpp, the C++ ones by the names that it lists.
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "gfpq_jobs.hpp"

static int failures = 0;

static void check(bool holds, const char* what) {
  if (!holds)
    printf("does not hold: %s\n", what);
  failures += holds ? 0 : 1;
}

static void count_message(const char* message, void* user) { *(int*)user += strstr(message, "[ERR]") == message; }

static const float numbers[] = {0.0f, 1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f, 7.0f, 8.0f, 9.0f};
enum { count = sizeof numbers / sizeof *numbers };

static bool is_near(double got, double want) { return fabs(got - want) < 1e-6; }

/// The values of the vendor's guide.
static bool is_quantized(const float* data) { return is_near(data[3], 2.953652f) && is_near(data[9], 8.724062f); }

int main(void) {
  float data[count];
  GFPQ_PARAM_ST param = {.mode = GFPQ_MODE_INIT};
  memcpy(data, numbers, sizeof data);
  check(HI_GFPQ_QuantAndDeQuant_PY(data, count, GFPQ_BIT_WIDTH_8BIT, &param) == GFPQ_SUCCESS, "INIT succeeds");
  check(is_quantized(data), "INIT gives the guide's values");
  memcpy(data, numbers, sizeof data);
  param.mode = GFPQ_MODE_APPLY_ONLY;
  check(HI_GFPQ_QuantAndDeQuant_PY(data, count, GFPQ_BIT_WIDTH_8BIT, &param) == GFPQ_SUCCESS, "APPLY succeeds");
  check(is_quantized(data), "APPLY gives the guide's values");

  int messages = 0;
  GFPQ_SetMessageSink(count_message, &messages);
  check(HI_GFPQ_QuantAndDeQuant_PY(data, count, 9, &param) == GFPQ_ERR_BAD_FORMAT, "9 bit are refused");
  check(HI_GFPQ_QuantAndDeQuant_GPU_PY(data, count, 8, &param, NULL, NULL) == GFPQ_ERR_NOT_SUPPORT,
        "the CPU library refuses the GPU function");
  int delta = 0;
  check(GFPQ_RunJobs_GPU(NULL, 0, NULL) == GFPQ_ERR_NOT_SUPPORT &&
            GFPQ_GetDeltas_GPU(NULL, 0, &delta, 1, NULL) == GFPQ_ERR_NOT_SUPPORT &&
            GFPQ_SetDeltas_GPU(NULL, 0, &delta, 1, NULL) == GFPQ_ERR_NOT_SUPPORT,
        "and those for jobs");
  GFPQ_SetMessageSink(NULL, NULL);
  check(messages == 5, "each refusal is one message");

  unsigned char codes[count];
  GFPQ_GROUP_PARAM_ST group = {.status = 0};
  GFPQ_JOB_ST job = {.operation = GFPQ_ENCODE, .type = GFPQ_FLOAT32, .bit_width = 8, .mode = GFPQ_MODE_AUTO,
                     .outer = 1, .groups = 1, .inner = count, .source = numbers, .destination = codes, .params = &group};
  check(GFPQ_RunJobs(&job, 1) == GFPQ_SUCCESS, "a job encodes");
  check(codes[0] == 0x80 && codes[1] == 77 && codes[9] == 127, "0, 1 and 9 have the codes of delta -77");
  job.operation = GFPQ_DECODE;
  job.mode = GFPQ_MODE_APPLY_ONLY;
  job.source = codes;
  job.destination = data;
  check(GFPQ_RunJobs(&job, 1) == GFPQ_SUCCESS && is_quantized(data), "decoded they are the guide's values");

  char text[4096];
  check(GFPQ_Describe(text, sizeof text) == GFPQ_SUCCESS && text[0] == '{', "the library describes itself");

  void* const program = dlopen(NULL, RTLD_NOW);
  int (*quantize_float)(float*, unsigned, unsigned, GFPQ_PARAM_ST*) = NULL;
  int (*quantize_double)(double*, unsigned, unsigned, GFPQ_PARAM_ST*) = NULL;
  int (*get_info)(GFPQ_INFO_ST*) = NULL;
  *(void**)&quantize_float = dlsym(program, "_Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST");
  *(void**)&quantize_double = dlsym(program, "_Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST");
  *(void**)&get_info = dlsym(program, "_Z15HI_GFPQ_GetInfoP13_GFPQ_INFO_ST");
  check(quantize_float != NULL && quantize_double != NULL && get_info != NULL, "the C++ functions are found");
  if (failures > 0)
    return 1;
  memcpy(data, numbers, sizeof data);
  check(quantize_float(data, count, 8, NULL) == GFPQ_SUCCESS && is_quantized(data), "the function for float works");
  double doubles[count];
  for (int i = 0; i < count; ++i)
    doubles[i] = numbers[i];
  check(quantize_double(doubles, count, 8, NULL) == GFPQ_SUCCESS && is_near(doubles[9], 8.724061861322062),
        "the function for double works");
  GFPQ_INFO_ST info;
  check(get_info(&info) == GFPQ_SUCCESS && info.u8BuildTime[0] != '\0', "the library tells its version");
  return failures == 0 ? 0 : 1;
}
