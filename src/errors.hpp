// Every error that a call can return, and the one way to report it.
#ifndef GFPQ_SRC_ERRORS_HPP
#define GFPQ_SRC_ERRORS_HPP

#include "gfpq.hpp"
#include "kernels/widths.hpp"

namespace gfpq {

struct Error {
  int status;
  const char* text; ///< a printf format
};

namespace errors {
inline constexpr Error empty_pointer{GFPQ_ERR_BAD_PARAMETERS, "Empty pointer"};
inline constexpr Error bit_width{GFPQ_ERR_BAD_FORMAT, "Invalid bit width[%u]: use %s"};
inline constexpr Error mode{
    GFPQ_ERR_BAD_PARAMETERS,
    "Invalid mode[%u]: use GFPQ_MODE_INIT (0), GFPQ_MODE_UPDATE (1) or GFPQ_MODE_APPLY_ONLY (2)"};
inline constexpr Error block{GFPQ_ERR_BAD_PARAMETERS,
                             "Get quantization param failed(0x%x): the parameter block was never initialized or is "
                             "damaged; call with GFPQ_MODE_INIT first, and keep the block's 16 bytes as they are"};
inline constexpr Error block_delta{GFPQ_ERR_BAD_PARAMETERS,
                                   "Get quantization param failed(0x%x): the parameter block's delta %d lies outside "
                                   "-%d to %d, the range for %d bit; was the block made for another bit width?"};
inline constexpr Error job_mode{GFPQ_ERR_BAD_PARAMETERS,
                                "Invalid mode[%u]: use GFPQ_MODE_INIT (0), GFPQ_MODE_UPDATE (1), GFPQ_MODE_APPLY_ONLY "
                                "(2) or GFPQ_MODE_AUTO (3)"};
inline constexpr Error decode_mode{
    GFPQ_ERR_BAD_PARAMETERS,
    "Invalid mode[%u]: codes do not tell their range, so decode with GFPQ_MODE_APPLY_ONLY (2)"};
inline constexpr Error decode_mask{GFPQ_ERR_BAD_PARAMETERS, "Codes are all within the range: decode without a mask"};
inline constexpr Error operation{
    GFPQ_ERR_BAD_PARAMETERS, "Invalid operation[%u]: use GFPQ_FAKE_QUANTIZE (0), GFPQ_ENCODE (1) or GFPQ_DECODE (2)"};
inline constexpr Error type{GFPQ_ERR_BAD_FORMAT,
                            "Invalid type[%u]: use GFPQ_FLOAT32 (0), GFPQ_FLOAT64 (1), GFPQ_FLOAT16 (2) or "
                            "GFPQ_BFLOAT16 (3)"};
inline constexpr Error shape{GFPQ_ERR_BAD_PARAMETERS,
                             "The shape %zu x %zu x %zu (outer x groups x inner) takes more bytes than there are "
                             "addresses"};
inline constexpr Error too_many_units{GFPQ_ERR_BAD_PARAMETERS,
                                      "The shape %zu x %zu x %zu (outer x groups x inner) is too large for one job of "
                                      "a GPU: make several jobs of it"};
inline constexpr Error overlap{
    GFPQ_ERR_BAD_PARAMETERS, "The job's %s overlaps its %s: use memory apart, or to fake-quantize in place one address "
                             "for source and destination"};
inline constexpr Error no_such_code{GFPQ_ERR_BAD_FORMAT,
                                    "Group %zu has a code beyond the largest, %d with %d bit: were the codes made for "
                                    "this bit width?"};
inline constexpr Error delta{GFPQ_ERR_BAD_PARAMETERS, "The delta %d lies outside -%d to %d, the range for %d bit"};
inline constexpr Error short_vector{GFPQ_ERR_SHORT_BUFFER, "The vector of %zu deltas is too short: %zu are needed"};
inline constexpr Error short_buffer{GFPQ_ERR_SHORT_BUFFER, "The buffer of %u bytes is too short: %u are needed"};
inline constexpr Error target{GFPQ_ERR_NOT_SUPPORT, "GFPQ_TARGET=%s: this machine has %s"};
inline constexpr Error no_gpu_in_library{GFPQ_ERR_NOT_SUPPORT,
                                         "Not Support GPU mode: link libgfpq_gpu instead of libgfpq"};
inline constexpr Error gpu{GFPQ_ERR_GENERIC, "Quantization by GPU(CUDA) failed(0x%x: %s)"};
inline constexpr Error gpu_architecture{
    GFPQ_ERR_GENERIC, "Please check GPU(CUDA) version. The library is built with '%s'; this GPU is sm_%d%d"};
inline constexpr Error no_gpu{GFPQ_ERR_GENERIC,
                              "Quantization by GPU(CUDA) failed(0x%x: %s): this machine has no NVIDIA "
                              "GPU, or no driver for it, or one too old for this library"};
inline constexpr Error gpu_memory{GFPQ_ERR_OUT_OF_MEMORY, "Quantization by GPU(CUDA) failed(0x%x: %s)"};
inline constexpr Error host_pointer{GFPQ_ERR_BAD_PARAMETERS,
                                    "The data are in host memory: a GPU call needs device memory"};
inline constexpr Error device_pointer{
    GFPQ_ERR_BAD_PARAMETERS,
    "The data are in a GPU's memory: call the function with _GPU in its name, or copy them to host memory first"};
inline constexpr Error misaligned{GFPQ_ERR_BAD_PARAMETERS,
                                  "The data's address %p is not a multiple of %u bytes, the size of a number"};
inline constexpr Error other_device{GFPQ_ERR_BAD_PARAMETERS,
                                    "The data are on CUDA device %d, but the current device is %d: call cudaSetDevice"};
inline constexpr Error captured{GFPQ_ERR_NOT_SUPPORT,
                                "A stream that is being captured allows GFPQ_MODE_APPLY_ONLY only: the other modes "
                                "wait for the GPU to find delta"};
} // namespace errors

/// The bit widths as a text, such as `8 or 16`.
struct WidthNames {
  WidthNames();
  char text[8 * width_count] = "";
};

/// Reports an error as the line `[ERR][function][line] text`. \return the error's status.
[[nodiscard]] int report(const Error& error, const char* function, int line, ...);

} // namespace gfpq

#define GFPQ_FAIL(error, ...) ::gfpq::report(error, __func__, __LINE__, ##__VA_ARGS__)

#endif
