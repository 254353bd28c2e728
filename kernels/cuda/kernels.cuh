// The kernels: fake_quantize, and fit, which finds delta. No headers of CUDA or of the standard library, and nothing
// that a GPU of 2012 lacks, so that nvcc, NVRTC and Clang compile them for every architecture.
#ifndef GFPQ_KERNELS_CUDA_KERNELS_CUH
#define GFPQ_KERNELS_CUDA_KERNELS_CUH

#include "tiles.hpp"

namespace gfpq {
namespace cuda {

/// What `fit` needs between its blocks, zero before its first use and after each, and what it finds.
template <class Float>
struct Workspace {
  using Bits = typename Format<Float>::Bits;

  unsigned blocks_done;
  Bits maximum;
  Range<Float> range;
  int delta;
  int* delta_on_host; ///< the same again, in memory that the host reads; null where there is none, as at first
};

/// How many there are, for all types, devices and contexts: so many calls can look for a delta at the same time.
constexpr unsigned workspaces = 64;

/// `fit` takes the tiles in turn with no more blocks than these, about as many as run at a time on a GPU of 132
/// multiprocessors: the end of a block costs as much as some tiles.
constexpr unsigned max_fit_blocks = 1024;

#ifdef GFPQ_CUDA_KERNELS

template <class Float, class Width>
__device__ const CarryTables<Float, Width> device_tables{};

template <class Float, class Width>
__device__ const Ladder<Float, Width> device_ladder{};

/// Quantizes a tensor in place, with as many blocks as it has tiles. The range is the one given, or, where `fitted` is
/// not null, the one there.
template <class Float, class Width>
__global__ void __launch_bounds__(fake_quantize_threads)
    fake_quantize(Float* data, Size count, Range<Float> range, const Range<Float>* fitted) {
  using Bits = typename Format<Float>::Bits;
  using P = typename CarryTables<Float, Width>::P;
  __shared__ Bits carry[P::count];
  __shared__ Bits value[Width::steps];

  const unsigned thread = GfpqThreadIndex::thread();
  const FakeQuantizeTiles<Float> tiles(data, count);
  // From the end: whoever wrote the tensor last, and `fit`, left its end in the cache.
  const Size tile = GfpqThreadIndex::blocks() - 1 - GfpqThreadIndex::block();
  const bool is_whole = tiles.is_whole(tile);

  // The tensor is on its way while the tables are copied.
  typename FakeQuantizeTiles<Float>::Held held;
  if (is_whole)
    held.load(tiles.vectors(tile, thread));
  for (unsigned i = thread; i < unsigned(P::count); i += fake_quantize_threads)
    carry[i] = device_tables<Float, Width>.carry[i];
  for (unsigned i = thread; i < unsigned(Width::steps); i += fake_quantize_threads)
    value[i] = device_tables<Float, Width>.value[i];
  if (fitted != nullptr)
    range = *fitted;
  __syncthreads();

  const FakeQuantizer<Float, Width> quantizer(range, carry, value);
  if (is_whole)
    held.fake_quantize_and_store(quantizer, tiles.vectors(tile, thread));
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
    if (thread < distance) {
      const Bits other = maxima[thread + distance];
      mine = other > mine ? other : mine;
      maxima[thread] = mine;
    }
  }
  return mine; // and not what is in shared memory, which no barrier is behind
}

/// Raises a number that other blocks raise too. There is no atomicMax here: a GPU of 2012 has none for 64 bits.
template <class Bits>
__device__ void raise_for_all(Bits* largest, Bits number) {
  Bits seen = 0; // a guess, to begin with
  while (number > seen) {
    const Bits before = atomicCAS(largest, seen, number);
    if (before == seen)
      return;
    seen = before;
  }
}

/// Finds the delta of a tensor, no less than `lowest_delta`, and its range.
///
/// The maximum is our own and not CUB's, which has no code for the guide's GPUs and does not compile without CUDA's
/// headers; it would take three launches, and scratch memory, where this takes one. Magnitudes are compared as
/// integers, so that the result does not depend on the order of the blocks.
///
/// No block waits for another: it does not matter how many run at a time, nor what else the GPU does.
template <class Float, class Width>
__global__ void __launch_bounds__(block_threads)
    fit(Float* data, Size count, int lowest_delta, Workspace<Float>* workspace) {
  using Bits = typename Format<Float>::Bits;
  const unsigned thread = GfpqThreadIndex::thread(), blocks = GfpqThreadIndex::blocks();
  const FitTiles<Float> tiles(data, count);

  Bits maximum = 0;
  const auto raise = [&maximum](Bits magnitude) { maximum = magnitude > maximum ? magnitude : maximum; };
  for (Size tile = GfpqThreadIndex::block(); tile < tiles.count(); tile += blocks) {
    if (tiles.is_whole(tile)) {
      typename FitTiles<Float>::Held held;
      held.load(tiles.vectors(tile, thread));
      raise(held.maximum());
    } else {
      tiles.for_each(tile, thread, [&raise](Bits& number) { raise(magnitude_or_zero<Float>(number)); });
    }
  }
  maximum = block_maximum(maximum);
  if (thread != 0)
    return;

  // The fences order each block's maximum before its count, and the last block's look at the maximum after all counts.
  raise_for_all(&workspace->maximum, maximum);
  __threadfence();
  if (atomicInc(&workspace->blocks_done, blocks - 1) != blocks - 1) // the last sets it to 0
    return;
  __threadfence();
  maximum = atomicExch(&workspace->maximum, Bits(0));
  const int delta = device_ladder<Float, Width>.delta(maximum, lowest_delta);
  workspace->delta = delta;
  if (workspace->delta_on_host != nullptr)
    *workspace->delta_on_host = delta;
  workspace->range = range_of(device_ladder<Float, Width>, delta);
}

#endif // GFPQ_CUDA_KERNELS

} // namespace cuda
} // namespace gfpq

#endif
