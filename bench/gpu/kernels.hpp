// What a GPU can do with the same bytes, and CUB's way to do the same: the limits and the peer of our own library.
#ifndef GFPQ_BENCH_GPU_KERNELS_HPP
#define GFPQ_BENCH_GPU_KERNELS_HPP

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>

namespace bench {

/// Keeps the stream busy, so that what is queued meanwhile runs without gaps.
cudaError_t hold(cudaStream_t stream, int microseconds);

/// A way to go through a tensor.
struct ScaleWay {
  int vectors;   ///< of 16 bytes, for each thread
  bool from_end; ///< which whoever wrote the tensor last has left in the cache
};
constexpr ScaleWay scale_ways[] = {{1, false}, {2, false}, {4, false}, {8, false},
                                   {1, true},  {2, true},  {4, true},  {8, true}};

/// Multiplies in place, by 1, which the compiler does not know.
template <class Float>
cudaError_t scale(Float* data, std::size_t count, ScaleWay way, cudaStream_t stream);

/// Adds to `differences` how many numbers differ in their bits.
template <class Float>
cudaError_t count_differences(const Float* one, const Float* other, std::size_t count, unsigned long long* differences,
                              cudaStream_t stream);

/// CUB's largest magnitude. With `scratch` null it only says how much is needed.
template <class Float>
cudaError_t cub_maximum(void* scratch, std::size_t& scratch_bytes, const Float* data, std::size_t count, Float* result,
                        cudaStream_t stream);

/// CUB's DeviceTransform of the same rule, with tables in global memory, for a known delta.
constexpr const char* cub_transform_name = "cub::DeviceTransform";
bool has_cub_transform();
std::string cub_version();
template <class Float>
cudaError_t cub_transform(Float* data, std::size_t count, unsigned bits, int delta, cudaStream_t stream);

/// The code of the kernels here that runs on the current device; the library's has the same architectures.
cudaError_t code_attributes(cudaFuncAttributes& attributes);

} // namespace bench

#endif
