/** \file
 * GFPQ jobs: fake-quantize, encode and decode tensors of any element type, group by group, many in one call, with the
 * parameters beside the data. This project's own interface, beside that of gfpq.hpp, whose functions stay as they are;
 * a job's numbers are, bit for bit, those of HI_GFPQ_QuantAndDeQuant.
 *
 * Host memory and the CPU: GFPQ_RunJobs and the others without _GPU, in both libraries, libgfpq and libgfpq_gpu; they
 * refuse memory of a GPU. Device memory: those with _GPU, in libgfpq_gpu; in libgfpq they return GFPQ_ERR_NOT_SUPPORT.
 *
 * **Shape.** A tensor is outer x groups x inner: number (o, g, i) lies at (o * groups + g) * inner + i, and all numbers
 * of a group share the parameter params[g]. One parameter for the whole tensor: groups 1. One for each channel of a
 * tensor N x C x H x W: outer N, groups C, inner H * W; for each output channel of a weight: outer 1. A group without
 * numbers counts as all zero.
 *
 * **Element types.** float32 and float64 as in gfpq.hpp. Of the half types each number is taken as the float32 that it
 * is, and the float32 result is rounded to the nearest number of the half type, of two the even one: beyond float16's
 * largest number that is infinity, below its smallest a zero with the number's sign.
 *
 * **Codes** are stored as sign and magnitude in 8 or 16 bits, as the bit width says: the highest bit is the sign, the
 * others are k = 0 ... K, and what would be "minus 0" is the number 0:
 *
 *     8 bit:   0x00 | k  is  +2^((delta+k)/16)       0x80 | k  is  -2^((delta+k)/16), k > 0      0x80    is  0
 *     16 bit:  0x0000 | k  is  +2^((delta+k)/128)    0x8000 | k  is  -2^((delta+k)/128), k > 0   0x8000  is  0
 *
 * With 8 bit these are the chip's own; where the chip's files of 16 bit have the sign is not known. To decode what was
 * encoded gives what fake-quantizing gives, bit for bit.
 *
 * **Memory.** Source, destination, mask and parameters are the caller's, and of no use to the library after a call. No
 * call allocates memory; 64 KiB of stack are enough. Source and destination begin at any multiple of their element's
 * size, parameters at any multiple of 4. To fake-quantize in place, source and destination are the same address;
 * otherwise nothing that a job writes may overlap anything else of it, which is refused. The jobs of one call are done
 * in any order: none may write what another reads or writes, which is not checked.
 *
 * **Threads.** All functions may be called from many threads at once that do not share what is written. A parameter
 * that was used without error is only read by GFPQ_MODE_APPLY_ONLY: then many calls may share it. As in gfpq.hpp large
 * tensors are worked on by several threads, no result depends on their number, and the floating-point environment
 * changes none and stays as it was.
 *
 * **Device memory.** Source, destination, mask, parameters and vectors of deltas are memory of the current device, or
 * managed memory; parameters begin at any multiple of 8. The array of jobs is host memory, and of no use to the
 * library after the call. A call queues work on the stream and returns: it does not wait for the GPU, allocate, or
 * synchronize (but for the first of each kind, when CUDA may load its code), so that memory must stay until the stream
 * is done with it, and what the parameters say is for later work on the stream. All calls can be captured in a CUDA
 * graph, in all modes; a replay takes what the parameters hold by then. What only the GPU finds, a damaged block or a
 * code beyond K, is in the parameter's `status` alone, not in what the call returns. `reserved` is zero again when a
 * call's work is done: so a parameter may be copied between host and device, and used on either. After an error of
 * CUDA, the parameters of that call must be made anew.
 *
 * Jobs of one kind (operation, type, bit width) are done together: two launches for each 56 of them, one where they
 * are all to apply only, or to decode 8 bit. A source and destination that begin at the same place within 16 bytes
 * (with codes: at the same number of 16 bytes of elements) are fastest; so are rows (`inner`, or all of the tensor with
 * one group, or one `outer`) of 512 numbers or more. To encode or to fake-quantize with a known range reads the source
 * once, in UPDATE and AUTO only out of place. Two calls under way on different streams share a parameter only in
 * GFPQ_MODE_APPLY_ONLY, and not to decode 16 bit; nor do two such jobs of one call.
 *
 * Errors are reported as gfpq.hpp says. In C this header declares all of it; there are no other names than these:
 *
 *     exported:  GFPQ_RunJobs, GFPQ_GetBlocks, GFPQ_SetBlocks, GFPQ_GetDeltas, GFPQ_SetDeltas,
 *                GFPQ_RunJobs_GPU, GFPQ_GetDeltas_GPU, GFPQ_SetDeltas_GPU */
#ifndef GFPQ_JOBS_HPP
#define GFPQ_JOBS_HPP

#include <stddef.h> /* NOLINT(modernize-deprecated-headers): C has no other */

#include "gfpq.hpp"

/** What a job does. */
typedef enum GFPQ_OPERATION {
  GFPQ_FAKE_QUANTIZE = 0, /**< numbers to the nearest values */
  GFPQ_ENCODE = 1,        /**< numbers to codes */
  GFPQ_DECODE = 2         /**< codes to values */
} GFPQ_OPERATION_E;

/** What a tensor's numbers are. */
typedef enum GFPQ_TYPE {
  GFPQ_FLOAT32 = 0,
  GFPQ_FLOAT64 = 1,
  GFPQ_FLOAT16 = 2, /**< IEEE 754's binary16 */
  GFPQ_BFLOAT16 = 3 /**< the upper half of a float32 */
} GFPQ_TYPE_E;

/** A job's fourth mode, beside those of GFPQ_MODE_E: INIT where a group's parameter was never set, else UPDATE. */
#define GFPQ_MODE_AUTO 3

/** In a vector of deltas: the parameter was never set. It is less than any delta. */
#define GFPQ_NEVER_SET ((int)0x80000000)

/** In a vector of deltas that a GPU wrote: the block is damaged. It is more than any delta, so that a maximum keeps it.
 */
#define GFPQ_DAMAGED ((int)0x7fffffff)

/** The parameter of one group: 64 bytes. All zero: never set. */
typedef struct GFPQ_GROUP_PARAM_ST {
  unsigned char buf[GFPQ_PARAM_LEN]; /**< the block, the same bytes as in GFPQ_PARAM_ST; 16 zeros: never set */
  int status;                        /**< of the last job that used it: GFPQ_SUCCESS, or why the group was left out */
  unsigned int reserved[11];         /**< of the library; zeros at the beginning */
} GFPQ_GROUP_PARAM_ST;

/** One tensor and what is to be done with it. */
typedef struct GFPQ_JOB_ST {
  unsigned int operation;      /**< a GFPQ_OPERATION_E */
  unsigned int type;           /**< a GFPQ_TYPE_E: of the numbers in the source, of DECODE in the destination */
  unsigned int bit_width;      /**< GFPQ_BIT_WIDTH_8BIT or GFPQ_BIT_WIDTH_16BIT */
  unsigned int mode;           /**< a GFPQ_MODE_E or GFPQ_MODE_AUTO; to decode, GFPQ_MODE_APPLY_ONLY alone */
  size_t outer, groups, inner; /**< the shape, see above */
  const void* source;          /**< outer * groups * inner numbers, or codes; null where that is 0 */
  void* destination;           /**< as many codes, or numbers */
  GFPQ_GROUP_PARAM_ST* params; /**< `groups` of them */
  unsigned char* mask;         /**< null, or as many bytes: 1 where |x| does not exceed the largest value that delta
                                    gives: where a straight-through gradient passes; else 0, for NaN too; to decode, null */
} GFPQ_JOB_ST;

#if defined(__cplusplus)
extern "C" {
#endif

/** Does `count` jobs.
 *
 * INIT, UPDATE and AUTO find delta from the numbers of each group, without NaN, and write it to the group's block.
 * Out of place UPDATE reads the source once, as long as no number asks for a larger delta.
 *
 * A group is left out, its destination, mask and block untouched, where UPDATE or APPLY_ONLY finds a block that was
 * never set (AUTO does not mind), is damaged or holds a delta beyond the width's range, or DECODE a code beyond K.
 * `status` of its parameter says so. All other groups are done.
 *
 * \param jobs  `count` jobs; null where that is 0.
 * \return GFPQ_SUCCESS; or, where groups were left out, the status of the first: GFPQ_ERR_BAD_PARAMETERS (block),
 *         GFPQ_ERR_BAD_FORMAT (code). Else nothing is written, by any job, and it is the first of these of the first
 *         job that has one: GFPQ_ERR_NOT_SUPPORT (GFPQ_TARGET), GFPQ_ERR_BAD_PARAMETERS (jobs is null; unknown
 *         operation), GFPQ_ERR_BAD_FORMAT (type, bit width), GFPQ_ERR_BAD_PARAMETERS (mode; mask to decode; more bytes
 *         than an address space has; a null pointer; an address that is no multiple of the element's size, or of 4;
 *         overlapping memory; memory of a GPU). */
GFPQ_NODISCARD GFPQ_API int GFPQ_RunJobs(const GFPQ_JOB_ST* jobs, unsigned int count);

/** Copies the blocks of `count` parameters into the vendor's, whose modes stay as they are. A parameter that was never
 * set gives 16 zeros.
 *
 * \return GFPQ_SUCCESS, or GFPQ_ERR_BAD_PARAMETERS where a pointer is null and count is not 0. */
GFPQ_NODISCARD GFPQ_API int GFPQ_GetBlocks(const GFPQ_GROUP_PARAM_ST* params, size_t count, GFPQ_PARAM_ST* blocks);

/** Makes `count` parameters from the vendor's; 16 zeros make one that was never set.
 *
 * \return GFPQ_SUCCESS. Else, with nothing written, GFPQ_ERR_BAD_PARAMETERS (a null pointer), GFPQ_ERR_BAD_FORMAT (bit
 *         width), GFPQ_ERR_BAD_PARAMETERS (a block that is damaged, or holds a delta beyond the width's range). */
GFPQ_NODISCARD GFPQ_API int GFPQ_SetBlocks(GFPQ_GROUP_PARAM_ST* params, size_t count, unsigned int bit_width,
                                           const GFPQ_PARAM_ST* blocks);

/** Gathers the deltas of all jobs' groups, job by job, so that one reduction (the maximum) over one vector gives every
 * rank of a distributed training the widest ranges. Of a job only bit_width, groups and params matter.
 *
 * \param deltas  room for `size` of them, null where there are no groups. As many as there are groups are written,
 *                GFPQ_NEVER_SET for a parameter that was never set.
 * \return GFPQ_SUCCESS. Else, with nothing written, GFPQ_ERR_BAD_PARAMETERS (a null pointer), GFPQ_ERR_BAD_FORMAT (bit
 *         width), GFPQ_ERR_SHORT_BUFFER, GFPQ_ERR_BAD_PARAMETERS (a damaged block, or a delta beyond the range). */
GFPQ_NODISCARD GFPQ_API int GFPQ_GetDeltas(const GFPQ_JOB_ST* jobs, unsigned int count, int* deltas, size_t size);

/** Sets the parameters of all jobs' groups from a vector of `size` deltas, as GFPQ_GetDeltas wrote it.
 *
 * \return GFPQ_SUCCESS. Else, with nothing written, GFPQ_ERR_BAD_PARAMETERS (a null pointer), GFPQ_ERR_BAD_FORMAT (bit
 *         width), GFPQ_ERR_SHORT_BUFFER (fewer deltas than groups), GFPQ_ERR_BAD_PARAMETERS (a delta beyond the range).
 */
GFPQ_NODISCARD GFPQ_API int GFPQ_SetDeltas(const GFPQ_JOB_ST* jobs, unsigned int count, const int* deltas, size_t size);

/** GFPQ_RunJobs for device memory, with the same results bit for bit: see "Device memory" above.
 *
 * \param cuda_stream  a cudaStream_t of the current device; null for the default stream.
 * \return GFPQ_SUCCESS when the work is queued. Else nothing is written, by any job, and it is the first of these of
 * the first job that has one: as GFPQ_RunJobs of what needs no look at blocks and codes, where 8 stands for 4 and host
 * memory, or another device's, for a GPU's; GFPQ_ERR_BAD_PARAMETERS (more than 2^31 - 1 pieces of 16 KiB or of a
 * group); or GFPQ_ERR_OUT_OF_MEMORY or GFPQ_ERR_GENERIC of CUDA, with some jobs perhaps done. In libgfpq:
 * GFPQ_ERR_NOT_SUPPORT. */
GFPQ_NODISCARD GFPQ_API int GFPQ_RunJobs_GPU(const GFPQ_JOB_ST* jobs, unsigned int count, void* cuda_stream);

/** GFPQ_GetDeltas for parameters and vector in device memory. One launch for each 120 jobs.
 *
 * \param deltas  as of GFPQ_GetDeltas, and GFPQ_DAMAGED for a block that is damaged, or holds a delta beyond the range;
 *                its `status` says so too.
 * \return GFPQ_SUCCESS when the work is queued; else as GFPQ_GetDeltas of what needs no look at blocks, and for memory
 *         and CUDA as GFPQ_RunJobs_GPU. */
GFPQ_NODISCARD GFPQ_API int GFPQ_GetDeltas_GPU(const GFPQ_JOB_ST* jobs, unsigned int count, int* deltas, size_t size,
                                               void* cuda_stream);

/** GFPQ_SetDeltas for parameters and vector in device memory. One launch for each 120 jobs. A parameter whose delta
 * lies beyond the range, GFPQ_DAMAGED for one, is left as it is, but for its `status`, GFPQ_ERR_BAD_PARAMETERS.
 *
 * \return as GFPQ_GetDeltas_GPU. */
GFPQ_NODISCARD GFPQ_API int GFPQ_SetDeltas_GPU(const GFPQ_JOB_ST* jobs, unsigned int count, const int* deltas,
                                               size_t size, void* cuda_stream);

#if defined(__cplusplus)
}
#endif

#endif
