// The largest magnitude is found wherever it lies: in any thread of a block, and in any tile where blocks take several.
#include "emulation.hpp"
// After emulation.hpp, which defines CUDA's words.
#include <gtest/gtest.h>

#include "kernels/cuda/kernels.cuh"
#include "tests/unit/unit_test.hpp"

namespace gfpq {
namespace {

TEST(GpuMaximum, AnyThreadOfABlockMayHoldIt) {
  for (const unsigned holder : {0u, 1u, 63u, 64u, 127u, 128u, 255u}) {
    unsigned found = 0;
    emulate(1, cuda::block_threads, [&found, holder] {
      const unsigned maximum = cuda::block_maximum(threadIdx.x == holder ? 7u : 1u);
      if (threadIdx.x == 0)
        found = maximum;
    });
    EXPECT_EQ(found, 7u) << "in thread " << holder;
  }
}

TEST(GpuMaximum, AnyTileMayHoldIt) {
  constexpr unsigned tiles = 5, blocks = 2;
  constexpr std::size_t tile = cuda::FitTiles<float>::tile_size;
  for (unsigned holder = 0; holder < tiles; ++holder) {
    std::vector<cuda::Vector<unsigned>> numbers(tiles * tile / 4);
    float* const data = reinterpret_cast<float*>(numbers.data());
    std::fill_n(data, tiles * tile, 1.0f);
    data[holder * tile + tile / 2] = -1e6f;
    cuda::Workspace<float> workspace{};
    emulate(blocks, cuda::block_threads, cuda::fit<float, Width8>, data, cuda::Size(tiles * tile), -511, &workspace);
    EXPECT_EQ(workspace.delta, (ladder<float, Width8>.delta(to_bits(1e6f)))) << "in tile " << holder;
  }
}

} // namespace
} // namespace gfpq
