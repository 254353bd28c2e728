#include <cub/device/device_reduce.cuh>
#include <cub/version.cuh>

#if __has_include(<cub/device/device_transform.cuh>)
#include <cub/device/device_transform.cuh>
#define GFPQ_BENCH_CUB_TRANSFORM 1
#else // an older CUB, whose DeviceReduce may not transform either
#include <cub/iterator/transform_input_iterator.cuh>
#endif

#include <limits>

#include "bench/gpu/kernels.hpp"
#include "kernels/cuda/kernels.cuh"

namespace bench {
namespace {

constexpr unsigned threads = 256;

__global__ void hold_kernel(long long cycles) {
  const long long start = clock64();
  while (clock64() - start < cycles) {
  }
}

template <class Float, int vectors>
__global__ void __launch_bounds__(threads) scale_kernel(Float* data, std::size_t count, bool from_end, Float factor) {
  struct alignas(16) Vector {
    Float lane[16 / sizeof(Float)];
  };
  constexpr std::size_t lanes = 16 / sizeof(Float), tile = threads * vectors * lanes;
  const std::size_t begin = (from_end ? gridDim.x - 1 - blockIdx.x : blockIdx.x) * tile;
  if (begin + tile > count) {
    for (std::size_t i = begin + threadIdx.x; i < count; i += threads)
      data[i] *= factor;
    return;
  }
  Vector* const mine = reinterpret_cast<Vector*>(data + begin) + threadIdx.x;
  Vector held[vectors];
#pragma unroll
  for (int i = 0; i < vectors; ++i)
    held[i] = mine[i * threads];
#pragma unroll
  for (int i = 0; i < vectors; ++i) {
    for (Float& number : held[i].lane)
      number *= factor;
    mine[i * threads] = held[i];
  }
}

template <class Float, int vectors>
cudaError_t scale_by(Float* data, std::size_t count, bool from_end, cudaStream_t stream) {
  const std::size_t tile = threads * vectors * (16 / sizeof(Float));
  const unsigned tiles = unsigned((count + tile - 1) / tile);
  scale_kernel<Float, vectors><<<tiles, threads, 0, stream>>>(data, count, from_end, Float(1));
  return cudaGetLastError();
}

template <class Bits>
__global__ void count_differences_kernel(const Bits* one, const Bits* other, std::size_t count,
                                         unsigned long long* differences) {
  unsigned long long found = 0;
  for (std::size_t i = std::size_t(blockIdx.x) * threads + threadIdx.x; i < count;
       i += std::size_t(gridDim.x) * threads)
    found += one[i] != other[i];
  if (found != 0)
    atomicAdd(differences, found);
}

struct Magnitude {
  template <class Float>
  __device__ Float operator()(Float number) const {
    return number < 0 ? -number : number;
  }
};

struct Larger {
  template <class Float>
  __device__ Float operator()(Float one, Float other) const {
    return one > other ? one : other;
  }
};

#ifdef GFPQ_BENCH_CUB_TRANSFORM
template <class Float, class Width>
struct Rule {
  using Bits = typename gfpq::Format<Float>::Bits;
  gfpq::Range<Float> range;

  __device__ Bits operator()(Bits number) const {
    constexpr auto& tables = gfpq::cuda::device_tables<Float, Width>;
    return gfpq::cuda::FakeQuantizer<Float, Width>(range, tables.carry, tables.value)(number);
  }
};

template <class Width, class Float>
cudaError_t transform(Float* data, std::size_t count, int delta, cudaStream_t stream) {
  using Bits = typename gfpq::Format<Float>::Bits;
  Bits* const bits = reinterpret_cast<Bits*>(data);
  const Rule<Float, Width> rule{gfpq::range_of(gfpq::ladder<Float, Width>, delta)};
  return cub::DeviceTransform::Transform(bits, bits, static_cast<long long>(count), rule, stream);
}
#endif

} // namespace

cudaError_t hold(cudaStream_t stream, int microseconds) {
  constexpr long long cycles_per_microsecond = 1500;
  hold_kernel<<<1, 1, 0, stream>>>(cycles_per_microsecond * microseconds);
  return cudaGetLastError();
}

template <class Float>
cudaError_t scale(Float* data, std::size_t count, ScaleWay way, cudaStream_t stream) {
  switch (way.vectors) {
  case 1:
    return scale_by<Float, 1>(data, count, way.from_end, stream);
  case 2:
    return scale_by<Float, 2>(data, count, way.from_end, stream);
  case 4:
    return scale_by<Float, 4>(data, count, way.from_end, stream);
  default:
    return scale_by<Float, 8>(data, count, way.from_end, stream);
  }
}

template <class Float>
cudaError_t count_differences(const Float* one, const Float* other, std::size_t count, unsigned long long* differences,
                              cudaStream_t stream) {
  using Bits = typename gfpq::Format<Float>::Bits;
  count_differences_kernel<<<1024, threads, 0, stream>>>(reinterpret_cast<const Bits*>(one),
                                                         reinterpret_cast<const Bits*>(other), count, differences);
  return cudaGetLastError();
}

template <class Float>
cudaError_t cub_maximum(void* scratch, std::size_t& scratch_bytes, const Float* data, std::size_t count, Float* result,
                        cudaStream_t stream) {
#ifdef GFPQ_BENCH_CUB_TRANSFORM
  return cub::DeviceReduce::TransformReduce(scratch, scratch_bytes, data, result, static_cast<long long>(count),
                                            Larger(), Magnitude(), Float(0), stream);
#else
  if (count > std::numeric_limits<int>::max())
    return cudaErrorNotSupported; // it counts in int
  const cub::TransformInputIterator<Float, Magnitude, const Float*> magnitudes(data, Magnitude());
  return cub::DeviceReduce::Reduce(scratch, scratch_bytes, magnitudes, result, static_cast<int>(count), Larger(),
                                   Float(0), stream);
#endif
}

bool has_cub_transform() {
#ifdef GFPQ_BENCH_CUB_TRANSFORM
  return true;
#else
  return false;
#endif
}

std::string cub_version() {
  return std::to_string(CUB_MAJOR_VERSION) + "." + std::to_string(CUB_MINOR_VERSION) + "." +
         std::to_string(CUB_SUBMINOR_VERSION);
}

template <class Float>
cudaError_t cub_transform(Float* data, std::size_t count, unsigned bits, int delta, cudaStream_t stream) {
#ifdef GFPQ_BENCH_CUB_TRANSFORM
  cudaError_t error = cudaErrorInvalidValue;
  const auto run = [&](auto width) { error = transform<decltype(width)>(data, count, delta, stream); };
  static_cast<void>(gfpq::with_width(bits, run));
  return error;
#else
  static_cast<void>(data), static_cast<void>(count), static_cast<void>(bits), static_cast<void>(delta);
  static_cast<void>(stream);
  return cudaErrorNotSupported;
#endif
}

cudaError_t code_attributes(cudaFuncAttributes& attributes) { return cudaFuncGetAttributes(&attributes, hold_kernel); }

#define GFPQ_BENCH_INSTANTIATE(Float)                                                                                  \
  template cudaError_t scale(Float*, std::size_t, ScaleWay, cudaStream_t);                                             \
  template cudaError_t count_differences(const Float*, const Float*, std::size_t, unsigned long long*, cudaStream_t);  \
  template cudaError_t cub_maximum(void*, std::size_t&, const Float*, std::size_t, Float*, cudaStream_t);              \
  template cudaError_t cub_transform(Float*, std::size_t, unsigned, int, cudaStream_t);
GFPQ_BENCH_INSTANTIATE(float)
GFPQ_BENCH_INSTANTIATE(double)

} // namespace bench
