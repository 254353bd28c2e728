/* libcublas.so.10 as far as HiSilicon's GPU library of 2020 needs it: four functions of the cuBLAS that GFPQ_CUBLAS names,
 * whose meaning has not changed since. A test's part, for a machine without a CUDA of that time. */
#include <dlfcn.h>
#include <stdlib.h>

static void* function(const char* name) {
  static void* library;
  const char* const path = getenv("GFPQ_CUBLAS");
  if (library == NULL && path != NULL)
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  return library == NULL ? NULL : dlsym(library, name);
}

enum { not_initialized = 1 }; /* CUBLAS_STATUS_NOT_INITIALIZED */

int cublasCreate_v2(void** handle) {
  int (*const call)(void**) = (int (*)(void**))function("cublasCreate_v2");
  return call == NULL ? not_initialized : call(handle);
}

int cublasDestroy_v2(void* handle) {
  int (*const call)(void*) = (int (*)(void*))function("cublasDestroy_v2");
  return call == NULL ? not_initialized : call(handle);
}

int cublasIsamax_v2(void* handle, int count, const float* numbers, int stride, int* index) {
  int (*const call)(void*, int, const float*, int, int*) =
      (int (*)(void*, int, const float*, int, int*))function("cublasIsamax_v2");
  return call == NULL ? not_initialized : call(handle, count, numbers, stride, index);
}

int cublasIdamax_v2(void* handle, int count, const double* numbers, int stride, int* index) {
  int (*const call)(void*, int, const double*, int, int*) =
      (int (*)(void*, int, const double*, int, int*))function("cublasIdamax_v2");
  return call == NULL ? not_initialized : call(handle, count, numbers, stride, index);
}
