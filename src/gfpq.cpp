// The entry points that both libraries have.
#include "gfpq.hpp"

#include <cstdio>

#include "cpu_backend.hpp"
#include "modes.hpp"
#include "version.hpp"

int HI_GFPQ_QuantAndDeQuant(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param) {
  return gfpq::fake_quantize(gfpq::CpuBackend(), data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant(double* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param) {
  return gfpq::fake_quantize(gfpq::CpuBackend(), data, count, bit_width, param);
}

int HI_GFPQ_QuantAndDeQuant_PY(float* data, unsigned int count, unsigned int bit_width, GFPQ_PARAM_ST* param) {
  // Not by HI_GFPQ_QuantAndDeQuant: where two libraries are loaded, that may be the other's.
  return gfpq::fake_quantize(gfpq::CpuBackend(), data, count, bit_width, param);
}

int HI_GFPQ_GetInfo(GFPQ_INFO_ST* info) {
  if (info == nullptr)
    return GFPQ_FAIL(gfpq::errors::empty_pointer);
  *info = GFPQ_INFO_ST{};
  info->u32LibVerMajor = GFPQ_VERSION_MAJOR;
  info->u32LibVerMinor = GFPQ_VERSION_MINOR;
  info->u32LibVerPatch = GFPQ_VERSION_PATCH;
  info->u32LibSoVer = GFPQ_VERSION_MAJOR;
  info->u32ComRevision = GFPQ_REVISION_NUMBER;
  std::snprintf(info->u8BuildTime, sizeof info->u8BuildTime, "%s", GFPQ_REVISION_TIME);
  return GFPQ_SUCCESS;
}
