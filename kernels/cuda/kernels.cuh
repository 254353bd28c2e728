// The kernels: quantize, and fit, which finds delta. No headers of CUDA or of the standard library, and nothing that a
// GPU of 2012 lacks, so that nvcc, NVRTC and Clang compile them for every architecture.
#ifndef GFPQ_KERNELS_CUDA_KERNELS_CUH
#define GFPQ_KERNELS_CUDA_KERNELS_CUH

#include "tiles.hpp"

namespace gfpq {
namespace cuda {

/// What `fit` leaves for `quantize`, and needs between its blocks. Zero before the first use; each use leaves it ready
/// for the next, of either type.
template <class Float>
struct Workspace {
  using Bits = typename Format<Float>::Bits;
  static constexpr unsigned max_blocks = 4096;

  unsigned blocks_done; ///< first, so that it lies at the same place for both types; nothing else outlives a use
  Range<Bits> range;
  Bits maxima[max_blocks]; ///< of each block
};

#ifdef GFPQ_CUDA_KERNELS

template <class Float, class W>
__device__ const CarryTables<Float, W> device_tables{};

template <class Float, class W>
__device__ const Ladder<Float, W> device_ladder{};

/// Quantizes a tensor in place, with as many blocks as it has tiles. The range is the one given, or, where `fitted` is
/// not null, the one there.
template <class Float, class W>
__global__ void __launch_bounds__(block_threads)
    quantize(Float* data, Size count, Range<typename Format<Float>::Bits> range,
             const Range<typename Format<Float>::Bits>* fitted) {
  using Bits = typename Format<Float>::Bits;
  using Tables = CarryTables<Float, W>;
  __shared__ Bits carry[Tables::pieces];
  __shared__ Bits value[W::steps];

  const unsigned thread = GfpqThreadIndex::thread();
  const Tiles<Float> tiles(data, count);
  // From the end: whoever wrote the tensor last, and `fit`, left its end in the cache.
  const Size tile = GfpqThreadIndex::blocks() - 1 - GfpqThreadIndex::block();
  const bool is_whole = tiles.is_whole(tile);

  // The tensor is on its way while the tables are copied.
  Held<Float> held;
  if (is_whole)
    held.load(tiles.vectors(tile, thread));
  for (unsigned i = thread; i < unsigned(Tables::pieces); i += block_threads)
    carry[i] = device_tables<Float, W>.carry[i];
  for (unsigned i = thread; i < unsigned(W::steps); i += block_threads)
    value[i] = device_tables<Float, W>.value[i];
  if (fitted != nullptr)
    range = *fitted;
  __syncthreads();

  const Quantizer<Float, W> quantizer(range, carry, value);
  if (is_whole)
    held.quantize_and_store(quantizer, tiles.vectors(tile, thread));
  else
    tiles.for_each(tile, thread, [&quantizer](Bits& number) { number = quantizer(number); });
}

/// For thread 0: the largest of the numbers that the threads of a block bring.
template <class Bits>
__device__ Bits block_maximum(Bits mine) {
  // Without warp shuffles, whose names and meaning changed over the architectures: this runs once a block.
  __shared__ Bits maxima[block_threads];
  const unsigned thread = GfpqThreadIndex::thread();
  maxima[thread] = mine;
  for (unsigned distance = block_threads / 2; distance > 0; distance /= 2) {
    __syncthreads();
    if (thread < distance && maxima[thread + distance] > maxima[thread])
      maxima[thread] = maxima[thread + distance];
  }
  return thread == 0 ? maxima[0] : 0; // which thread 0 was the last to write
}

template <class Float, class W>
__device__ int fit_delta(typename Format<Float>::Bits maximum, int lowest_delta,
                         Range<typename Format<Float>::Bits>& range) {
  const int wanted = device_ladder<Float, W>.delta(maximum);
  const int delta = wanted > lowest_delta ? wanted : lowest_delta;
  range = range_of(device_ladder<Float, W>, delta);
  return delta;
}

/// Finds the delta of a tensor, no less than `lowest_delta`, and its range.
///
/// The maximum is our own and not CUB's: the same launch goes on to delta, and no header is needed. Magnitudes are
/// compared as integers, so that the result does not depend on the order of the blocks.
template <class Float>
__global__ void __launch_bounds__(block_threads)
    fit(Float* data, Size count, int bits, int lowest_delta, Workspace<Float>* workspace, int* delta) {
  using Bits = typename Format<Float>::Bits;
  __shared__ bool is_last;
  const unsigned thread = GfpqThreadIndex::thread(), blocks = GfpqThreadIndex::blocks();
  const Tiles<Float> tiles(data, count);

  Bits maximum = 0;
  const auto raise = [&maximum](Bits magnitude) { maximum = magnitude > maximum ? magnitude : maximum; };
  for (Size tile = GfpqThreadIndex::block(); tile < tiles.count(); tile += blocks) {
    if (tiles.is_whole(tile)) {
      Held<Float> held;
      held.load(tiles.vectors(tile, thread));
      raise(held.maximum());
    } else {
      tiles.for_each(tile, thread, [&raise](Bits& number) { raise(magnitude_or_zero<Float>(number)); });
    }
  }
  maximum = block_maximum(maximum);

  if (thread == 0) {
    workspace->maxima[GfpqThreadIndex::block()] = maximum;
    __threadfence();
    is_last = atomicInc(&workspace->blocks_done, blocks - 1) == blocks - 1; // ends at 0 again
  }
  __syncthreads();
  if (!is_last)
    return;

  __threadfence();
  maximum = 0;
  for (unsigned i = thread; i < blocks; i += block_threads)
    raise(static_cast<const volatile Bits&>(workspace->maxima[i])); // other blocks wrote it
  maximum = block_maximum(maximum);
  if (thread == 0)
    *delta = bits == Width8::bits ? fit_delta<Float, Width8>(maximum, lowest_delta, workspace->range)
                                  : fit_delta<Float, Width16>(maximum, lowest_delta, workspace->range);
}

#endif // GFPQ_CUDA_KERNELS

} // namespace cuda
} // namespace gfpq

#endif
