// The numbers by which calls under way keep their workspaces apart. Needs neither GPU nor nvcc.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "gpu_workspace.hpp"
#include "kernels/cuda/kernels.cuh"

namespace gfpq {
namespace {

TEST(GpuWorkspaces, NoTwoCallsShareOne) {
  std::atomic<int> users[cuda::workspaces] = {};
  std::atomic<int> mistakes{0}, calls{0};
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < cuda::workspaces + 16; ++thread)
    threads.emplace_back([&] {
      for (int call = 0; call < 100; ++call) {
        const GpuWorkspace workspace;
        if (workspace.number() >= cuda::workspaces) {
          ++mistakes;
          continue;
        }
        mistakes += users[workspace.number()]++ != 0;
        std::this_thread::yield();
        --users[workspace.number()];
        ++calls;
      }
    });
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_EQ(mistakes, 0);
  EXPECT_EQ(calls, int(cuda::workspaces + 16) * 100);
}

TEST(GpuWorkspaces, ACallWaitsWhileAllAreInUse) {
  std::vector<std::unique_ptr<GpuWorkspace>> taken;
  for (unsigned i = 0; i < cuda::workspaces; ++i)
    taken.push_back(std::make_unique<GpuWorkspace>());
  std::atomic<bool> has_one{false};
  std::thread waiting([&] {
    const GpuWorkspace workspace;
    has_one = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(has_one);
  taken.pop_back();
  waiting.join();
  EXPECT_TRUE(has_one);
}

} // namespace
} // namespace gfpq
