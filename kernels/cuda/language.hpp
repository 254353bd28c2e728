// CUDA's own words, for whichever compiler reads the kernels: nvcc and NVRTC know them; Clang does without CUDA's
// headers; a host compiler gets the arithmetic alone.
#ifndef GFPQ_KERNELS_CUDA_LANGUAGE_HPP
#define GFPQ_KERNELS_CUDA_LANGUAGE_HPP

#if defined(__CUDACC__) || defined(__CUDA__)
#define GFPQ_CUDA_KERNELS 1
#endif

// What holds its numbers in registers must be inlined to keep them there.
#if defined(_MSC_VER) && !defined(__clang__)
#define GFPQ_ALWAYS_INLINE __forceinline
#else
#define GFPQ_ALWAYS_INLINE inline __attribute__((always_inline))
#endif

// Not for a host compiler that would not know it.
#if defined(__CUDA_ARCH__) || defined(__clang__)
#define GFPQ_UNROLL _Pragma("unroll")
#else
#define GFPQ_UNROLL
#endif

#if defined(__CUDA__) && defined(__clang__) && !defined(__CUDACC__)
// clang -nocudainc. Everything below is built in, under names of its own.
#define __host__ __attribute__((host))
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))

struct GfpqThreadIndex {
  static __device__ unsigned thread() { return __nvvm_read_ptx_sreg_tid_x(); }
  static __device__ unsigned block() { return __nvvm_read_ptx_sreg_ctaid_x(); }
  static __device__ unsigned blocks() { return __nvvm_read_ptx_sreg_nctaid_x(); }
};
inline __device__ void __threadfence() { __nvvm_membar_gl(); }
inline __device__ unsigned atomicInc(unsigned* counter, unsigned last) { return __nvvm_atom_inc_gen_ui(counter, last); }
inline __device__ unsigned atomicCAS(unsigned* cell, unsigned old, unsigned number) {
  return __nvvm_atom_cas_gen_i(reinterpret_cast<int*>(cell), old, number);
}
inline __device__ unsigned atomicExch(unsigned* cell, unsigned number) {
  return __nvvm_atom_xchg_gen_i(reinterpret_cast<int*>(cell), number);
}
inline __device__ unsigned long long atomicCAS(unsigned long long* cell, unsigned long long old,
                                               unsigned long long number) {
  return __nvvm_atom_cas_gen_ll(reinterpret_cast<long long*>(cell), old, number);
}
inline __device__ unsigned long long atomicExch(unsigned long long* cell, unsigned long long number) {
  return __nvvm_atom_xchg_gen_ll(reinterpret_cast<long long*>(cell), number);
}
#elif defined(GFPQ_CUDA_KERNELS)
struct GfpqThreadIndex {
  static __device__ unsigned thread() { return threadIdx.x; }
  static __device__ unsigned block() { return blockIdx.x; }
  static __device__ unsigned blocks() { return gridDim.x; }
};
#endif

#if defined(__CUDACC__) || defined(__CUDA__)
/// A look at a number that other blocks change. It may be an old one.
template <class Number>
__device__ Number gfpq_peek(const Number* number) {
  return *static_cast<const volatile Number*>(number);
}
#endif

#endif
