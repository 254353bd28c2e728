// How a tensor is cut into pieces for blocks and threads. For host and device, so that the host can test it.
#ifndef GFPQ_KERNELS_CUDA_TILES_HPP
#define GFPQ_KERNELS_CUDA_TILES_HPP

#include "rule.hpp"

namespace gfpq {
namespace cuda {

using Size = unsigned long long;

/// Of all kernels but fake_quantize.
constexpr unsigned block_threads = 256;
/// Vectors of a tile for each thread: as many as keep 64 KiB of an SM in flight with half of its threads.
constexpr unsigned fit_vectors = 4;
/// Tiles of 4 KiB: then what all blocks read and write at a time lies close together, which the fastest memory needs
/// (H200, 2^28 floats: 94 % of the limit with 256 x 4 and with 256 x 2, 98 % with 128 x 2 and with 256 x 1). From the
/// L2 cache 256 x 1 is up to 11 % slower: each block copies its tables. Measured in tests/gpu/results/tiles.txt.
constexpr unsigned fake_quantize_threads = 128, fake_quantize_vectors = 2;

/// 16 bytes, the widest that all architectures load and store at once.
template <class Bits>
struct alignas(16) Vector {
  static constexpr unsigned size = 16 / sizeof(Bits);
#ifdef __clang__
  typedef Bits Lanes __attribute__((ext_vector_type(size)));
  Lanes lane; // of an array, Clang would load some lanes one by one
#else
  Bits lane[size];
#endif
};

/// The part of a whole tile that a thread holds in registers.
template <class Float, unsigned threads, unsigned thread_vectors>
class Held {
  using Bits = typename Format<Float>::Bits;

public:
  GFPQ_HOST_DEVICE GFPQ_ALWAYS_INLINE void load(const Vector<Bits>* from) {
    GFPQ_UNROLL
    for (unsigned i = 0; i < thread_vectors; ++i)
      vectors_[i] = from[i * threads];
  }

  template <class Rule>
  GFPQ_HOST_DEVICE GFPQ_ALWAYS_INLINE void fake_quantize_and_store(const Rule& rule, Vector<Bits>* to) {
    GFPQ_UNROLL
    for (unsigned i = 0; i < thread_vectors; ++i) {
      GFPQ_UNROLL
      for (unsigned j = 0; j < Vector<Bits>::size; ++j)
        vectors_[i].lane[j] = rule(vectors_[i].lane[j]);
      to[i * threads] = vectors_[i];
    }
  }

  GFPQ_HOST_DEVICE GFPQ_ALWAYS_INLINE Bits maximum() const {
    Bits maximum = 0;
    GFPQ_UNROLL
    for (const Vector<Bits>& vector : vectors_)
      GFPQ_UNROLL
    for (unsigned j = 0; j < Vector<Bits>::size; ++j) {
      const Bits magnitude = magnitude_or_zero<Float>(vector.lane[j]);
      maximum = magnitude > maximum ? magnitude : maximum;
    }
    return maximum;
  }

private:
  Vector<Bits> vectors_[thread_vectors];
};

/// A tensor in tiles, one for a block to work on at a time. They are cut at 16-byte borders whatever the tensor's own
/// alignment; so the first and the last tile may be in the tensor only in part.
template <class Float, unsigned threads, unsigned thread_vectors>
class Tiles {
  using Bits = typename Format<Float>::Bits;

public:
  using Held = cuda::Held<Float, threads, thread_vectors>;
  static constexpr unsigned tile_vectors = threads * thread_vectors;
  static constexpr unsigned tile_size = tile_vectors * Vector<Bits>::size;

  GFPQ_HOST_DEVICE Tiles(Float* data, Size count)
      : first_(reinterpret_cast<Size>(data) % 16 / sizeof(Bits)), end_(first_ + count),
        base_(reinterpret_cast<Bits*>(data) - first_) {} // an address made of an integer might not be global memory

  GFPQ_HOST_DEVICE Size count() const { return (end_ + tile_size - 1) / tile_size; }

  /// Whether all of a tile is in the tensor.
  GFPQ_HOST_DEVICE bool is_whole(Size tile) const {
    return tile * tile_size >= first_ && (tile + 1) * tile_size <= end_;
  }

  /// A thread's first vector in a whole tile; the others follow at distances of `threads`, so that neighbouring
  /// threads touch neighbouring memory.
  GFPQ_HOST_DEVICE Vector<Bits>* vectors(Size tile, unsigned thread) const {
    return reinterpret_cast<Vector<Bits>*>(base_ + tile * tile_size) + thread;
  }

  /// Calls `function` with each of a thread's numbers in a tile that need not be whole.
  template <class Function>
  GFPQ_HOST_DEVICE GFPQ_ALWAYS_INLINE void for_each(Size tile, unsigned thread, Function function) const {
    const Size begin = tile * tile_size;
    const Size tile_end = begin + tile_size < end_ ? begin + tile_size : end_;
    for (Size i = begin + thread; i < tile_end; i += threads)
      if (i >= first_)
        function(base_[i]);
  }

private:
  Size first_, end_; ///< of the tensor, counted from the base
  Bits* base_;
};

template <class Float>
using FitTiles = Tiles<Float, block_threads, fit_vectors>;
template <class Float>
using FakeQuantizeTiles = Tiles<Float, fake_quantize_threads, fake_quantize_vectors>;

} // namespace cuda
} // namespace gfpq

#endif
