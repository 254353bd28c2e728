/** \file
 * GFPQ: the 8/16-bit logarithmic quantization of HiSilicon's NNIE accelerator.
 *
 * A fake-quantizing call (quantize and dequantize) replaces every number of a tensor by the nearest number that the
 * accelerator can hold. With S steps an octave and the tensor's one integer parameter delta, those numbers are
 *
 *     +2^((delta+k)/S), k = 0 ... K      -2^((delta+k)/S), k = 1 ... K      +0
 *
 * rounded correctly to the data's type. 8 bit: S = 16, K = 127. 16 bit: S = 128, K = 1407.
 *
 * Names, types and symbols are those of the vendor's header, so that programs built against either run with either
 * library. All functions may be called from many threads at once, as long as no two of them share data or a block.
 * They may be called in any floating-point environment, which changes no result and is as it was afterwards, and those
 * for the CPU in a forked child; where the parent has used CUDA, its child cannot, and functions for a GPU fail there.
 * Large tensors are worked on by several threads; where the system has none to spare, by fewer.
 *
 * Every error is also reported as one line `[ERR][function][line] text`, on standard output as the vendor's library
 * does. The environment variable GFPQ_MESSAGES sends the lines elsewhere: `stdout`, `stderr`, `none`, `file:PATH`
 * (appended); so does GFPQ_SetMessageSink.
 *
 * In C (from C89) this header declares the types, the codes and the functions with C names: two for float, and this
 * project's own. The others are C++ functions, overloaded; a program in another language, or one that loads the
 * library, finds them (dlsym, GetProcAddress) under the names that a C++ compiler gives them, here GCC's and Clang's.
 * Each takes all arguments of its declaration below, those with defaults too.
 *
 *     HI_GFPQ_QuantAndDeQuant      float    _Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST
 *     HI_GFPQ_QuantAndDeQuant      double   _Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST
 *     HI_GFPQ_QuantAndDeQuant_GPU  float    _Z27HI_GFPQ_QuantAndDeQuant_GPUPfjjP14_GFPQ_PARAM_STPvS2_
 *     HI_GFPQ_QuantAndDeQuant_GPU  double   _Z27HI_GFPQ_QuantAndDeQuant_GPUPdjjP14_GFPQ_PARAM_STPvS2_
 *     HI_GFPQ_GetInfo                       _Z15HI_GFPQ_GetInfoP13_GFPQ_INFO_ST
 *     with C names:  HI_GFPQ_QuantAndDeQuant_PY, HI_GFPQ_QuantAndDeQuant_GPU_PY, GFPQ_SetMessageSink, GFPQ_Describe
 *
 * A DLL has these names too, and those of Microsoft's compiler. */
#ifndef GFPQ_HPP
#define GFPQ_HPP

/* On Windows, programs that link the static library define GFPQ_STATIC. */
#if !defined(_WIN32)
#define GFPQ_API __attribute__((visibility("default")))
#elif defined(GFPQ_STATIC) || defined(GFPQ_BUILD)
#define GFPQ_API
#else
#define GFPQ_API __declspec(dllimport)
#endif

/* Makes a compiler of C++17 warn where a status is ignored. */
#if defined(__cplusplus) && (__cplusplus >= 201703L || (defined(_MSVC_LANG) && _MSVC_LANG >= 201703L))
#define GFPQ_NODISCARD [[nodiscard]]
#else
#define GFPQ_NODISCARD
#endif

#define GFPQ_BIT_WIDTH_8BIT 8
#define GFPQ_BIT_WIDTH_16BIT 16

#define GFPQ_PARAM_LEN 16
#define GFPQ_DATE_TIME_STR_LEN 64
#define GFPQ_INFO_LEN_MAX 128

/** What every function returns. The errors are negative as an int. */
#define GFPQ_SUCCESS 0
#define GFPQ_ERR_GENERIC ((int)0xFFFF0000)
#define GFPQ_ERR_BAD_FORMAT ((int)0xFFFF0005)
#define GFPQ_ERR_BAD_PARAMETERS ((int)0xFFFF0006)
#define GFPQ_ERR_OUT_OF_MEMORY ((int)0xFFFF000C)
#define GFPQ_ERR_SHORT_BUFFER ((int)0xFFFF0010)
#define GFPQ_ERR_NOT_SUPPORT ((int)0xFFFF0011)

/** Where a call gets delta from. */
typedef enum GFPQ_MODE {
  GFPQ_MODE_INIT = 0,      /**< from the data; written to the block, whose former content does not matter */
  GFPQ_MODE_UPDATE = 1,    /**< the larger of the block's and the data's, the wider range; written to the block */
  GFPQ_MODE_APPLY_ONLY = 2 /**< from the block, which stays as it is */
} GFPQ_MODE_E;

/** The quantization parameter of one tensor: 20 bytes, to be kept with the tensor. A call never changes `mode`. */
typedef struct _GFPQ_PARAM_ST {
  unsigned int mode;                 /**< a GFPQ_MODE_E, set by the caller before each call */
  unsigned char buf[GFPQ_PARAM_LEN]; /**< delta, and words that tell a valid block; the same bytes on every machine */
} GFPQ_PARAM_ST;

/** The library's version. Its file is libgfpq.so.MAJOR.MINOR.PATCH. */
typedef struct _GFPQ_INFO_ST {
  unsigned int u32LibVerMajor;
  unsigned int u32LibVerMinor;
  unsigned int u32LibVerPatch;
  unsigned int u32LibSoVer;                 /**< the number in the soname */
  unsigned int u32ComRevision;              /**< the source revision's number; 0 where it is not known */
  char u8BuildTime[GFPQ_DATE_TIME_STR_LEN]; /**< the source revision's time in UTC, as `Jun 2 2018 14:21:48` */
} GFPQ_INFO_ST;

#if defined(__cplusplus)
/** Fake-quantizes `count` numbers in host memory, in place. Memory of a GPU alone is refused by the GPU
 * library (GFPQ_ERR_BAD_PARAMETERS); to the CPU library it is a bad address.
 *
 * NaN becomes +0, an infinity the largest value of its sign. Numbers up to half of the smallest value of their sign
 * become +0. With `count` 0 the tensor counts as all zero.
 *
 * \param data       `count` numbers; any alignment that the type allows. Nothing outside is read or written.
 * \param count      how many numbers (not bytes).
 * \param bit_width  GFPQ_BIT_WIDTH_8BIT or GFPQ_BIT_WIDTH_16BIT.
 * \param param      the tensor's parameter, or null for delta from the data.
 * \return GFPQ_SUCCESS. Else, with data and block untouched, the first of: GFPQ_ERR_BAD_PARAMETERS (data is null),
 *         GFPQ_ERR_BAD_FORMAT (bit width), GFPQ_ERR_BAD_PARAMETERS (unknown mode; UPDATE or APPLY_ONLY with a block
 *         that was never initialized, is damaged, or holds a delta beyond this bit width's range),
 *         GFPQ_ERR_NOT_SUPPORT (the environment's GFPQ_TARGET names an instruction set that this machine lacks). */
GFPQ_NODISCARD GFPQ_API int HI_GFPQ_QuantAndDeQuant(float* data, unsigned int count, unsigned int bit_width,
                                                    GFPQ_PARAM_ST* param);
GFPQ_NODISCARD GFPQ_API int HI_GFPQ_QuantAndDeQuant(double* data, unsigned int count, unsigned int bit_width,
                                                    GFPQ_PARAM_ST* param);

/** The same for device memory, with the same results bit for bit. In the CPU library: GFPQ_ERR_NOT_SUPPORT.
 *
 * APPLY_ONLY queues one kernel and returns, perhaps before the GPU is done; a CUDA graph can capture it. INIT, UPDATE
 * and a null `param` return when the data are fake-quantized and `param` is written, and cannot be captured. No call
 * allocates memory of the device.
 *
 * \param data          memory of the current device, or managed memory, at a multiple of the type's size.
 * \param cuda_stream   the cudaStream_t, of the current device, on which the work is queued; 0 is the legacy default
 *                      stream, also for callers built with a default stream for each thread.
 * \param cublas_handle not used; the vendor's interface has it.
 * \return as above, and after those, data and block untouched too: GFPQ_ERR_BAD_PARAMETERS (such an address, host
 *         memory, or another device's), GFPQ_ERR_NOT_SUPPORT (a mode that waits, on a stream under capture),
 *         GFPQ_ERR_OUT_OF_MEMORY, GFPQ_ERR_GENERIC (another error of CUDA: no GPU, no driver, or a GPU that the
 *         library has no code for). */
GFPQ_NODISCARD GFPQ_API int HI_GFPQ_QuantAndDeQuant_GPU(float* data, unsigned int count, unsigned int bit_width,
                                                        GFPQ_PARAM_ST* param, void* cuda_stream = 0,
                                                        void* cublas_handle = 0);
GFPQ_NODISCARD GFPQ_API int HI_GFPQ_QuantAndDeQuant_GPU(double* data, unsigned int count, unsigned int bit_width,
                                                        GFPQ_PARAM_ST* param, void* cuda_stream = 0,
                                                        void* cublas_handle = 0);

/** Gets the library's version. \return GFPQ_SUCCESS, or GFPQ_ERR_BAD_PARAMETERS where info is null. */
GFPQ_NODISCARD GFPQ_API int HI_GFPQ_GetInfo(GFPQ_INFO_ST* info);

extern "C" {
#endif

/** The two for float with C names, for C, Python's ctypes and other languages: the above, and the same results. */
GFPQ_NODISCARD GFPQ_API int HI_GFPQ_QuantAndDeQuant_PY(float* data, unsigned int count, unsigned int bit_width,
                                                       GFPQ_PARAM_ST* param);
GFPQ_NODISCARD GFPQ_API int HI_GFPQ_QuantAndDeQuant_GPU_PY(float* data, unsigned int count, unsigned int bit_width,
                                                           GFPQ_PARAM_ST* param, void* cuda_stream,
                                                           void* cublas_handle);

/** Receives one message, without a line end. Calls come one at a time, from whichever thread failed; the function must
 * not call this library. */
typedef void (*GFPQ_MESSAGE_SINK)(const char* message, void* user);

/** Sends all further messages to `sink`, or, where it is null, back to where GFPQ_MESSAGES says. When this returns, the
 * former sink is no longer in use. (This project's own; the vendor's library lacks it.) */
GFPQ_API void GFPQ_SetMessageSink(GFPQ_MESSAGE_SINK sink, void* user);

/** Describes the library on this machine as a line of JSON: `target`, the instruction set that it uses (null where
 * GFPQ_TARGET names none of `targets`), `targets`, those that it could use, fastest first, `threads`, the most that a
 * call uses, and `gpu_architectures`, the GPU library's options of nvcc, else null. (This project's own; the vendor's
 * library lacks it. The program gfpq_info shows it with all else that matters.)
 *
 * \param text  `size` bytes for the line and a zero; 4096 are enough.
 * \return GFPQ_SUCCESS, GFPQ_ERR_BAD_PARAMETERS where text is null, or GFPQ_ERR_SHORT_BUFFER. */
GFPQ_API int GFPQ_Describe(char* text, unsigned int size);

#if defined(__cplusplus)
}
#endif

#endif
