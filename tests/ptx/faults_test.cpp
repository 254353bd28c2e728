// What the stand-in claims to find, it finds: a kernel or host code with each fault.
#include "faults.cuh"

#include <gtest/gtest.h>

#include <csignal>
#include <vector>

namespace gfpq {
namespace {

using Numbers = std::vector<int>;

/// Where the next kernel finds `numbers`, but for what is not waited for.
int* on_device(const Numbers& numbers) {
  void* address = nullptr;
  EXPECT_EQ(cudaMalloc(&address, numbers.size() * sizeof(int)), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(address, numbers.data(), numbers.size() * sizeof(int), cudaMemcpyHostToDevice), cudaSuccess);
  return static_cast<int*>(address);
}

Numbers from_device(const int* address, std::size_t count) {
  Numbers numbers(count);
  EXPECT_EQ(cudaMemcpy(numbers.data(), address, count * sizeof(int), cudaMemcpyDeviceToHost), cudaSuccess);
  return numbers;
}

Numbers run(Fault fault, unsigned blocks = 4) {
  const Numbers ones(blocks * fault_threads, 1), zeros(ones.size(), 0);
  int* const from = on_device(ones);
  int* const to = on_device(zeros);
  EXPECT_EQ(launch_with_fault(fault, from, to, blocks, nullptr), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  Numbers result = from_device(to, ones.size());
  cudaFree(from);
  cudaFree(to);
  return result;
}

TEST(PtxFaults, WithoutAFaultNothingIsReported) {
  EXPECT_EQ(run(Fault::none), Numbers(4 * fault_threads, fault_threads));
  Numbers multiples(4 * fault_threads);
  for (unsigned i = 0; i < multiples.size(); ++i)
    multiples[i] = static_cast<int>((1 + i % fault_threads) % 8);
  EXPECT_EQ(run(Fault::no_fault_local), multiples);
}

TEST(PtxFaultsDeathTest, RacesInSharedMemoryAreReported) {
  // Which of the two accesses comes first differs.
  const char* const race = "race in shared memory: a thread (writes|reads) what another (read|wrote)";
  EXPECT_DEATH(run(Fault::read_after_write), race);
  EXPECT_DEATH(run(Fault::write_after_read), race);
  EXPECT_DEATH(run(Fault::two_writers), "race in shared memory: two threads write");
}

TEST(PtxFaultsDeathTest, UninitializedReadsOfSharedMemoryAreReported) {
  EXPECT_DEATH(run(Fault::uninitialized_shared), "uninitialized read of shared memory");
}

TEST(PtxFaultsDeathTest, AccessesOutsideAreReported) {
  EXPECT_DEATH(run(Fault::beyond_allocation), "access outside of every allocation");
  EXPECT_DEATH(run(Fault::beyond_shared), "access outside of shared memory");
  EXPECT_DEATH(run(Fault::beyond_local), "access outside of local memory");
}

TEST(PtxFaultsDeathTest, AccessesOfFreedMemoryAreReported) {
  const auto use_freed = [] {
    int* const freed = on_device(Numbers(fault_threads, 1));
    int* const to = on_device(Numbers(fault_threads, 0));
    cudaFree(freed);
    launch_with_fault(Fault::none, freed, to, 1, nullptr);
    cudaDeviceSynchronize();
  };
  EXPECT_DEATH(use_freed(), "access outside of every allocation");
}

TEST(PtxFaultsDeathTest, MisalignedVectorsAreReported) {
  EXPECT_DEATH(run(Fault::misaligned_vector), "misaligned access of global memory");
}

TEST(PtxFaultsDeathTest, BarriersThatSomeThreadsDoNotReachAreReported) {
  EXPECT_DEATH(run(Fault::divergent_barrier), "a barrier that some threads do not reach: this one ended");
  EXPECT_DEATH(run(Fault::other_barrier), "a barrier that some threads do not reach: this one waits at another");
}

TEST(PtxFaultsDeathTest, TheHostCannotTouchDeviceMemory) {
  int* const device = on_device({1});
  EXPECT_EXIT(*device = 2, testing::KilledBySignal(SIGSEGV), "");
}

TEST(PtxFaultsDeathTest, CopiesBeyondAnAllocationAreReported) {
  int* const device = on_device({1});
  EXPECT_DEATH(from_device(device, 2), "a copy goes beyond its allocation");
}

TEST(PtxFaults, BlocksDoNotRunInTheOrderOfTheirNumbers) {
  const unsigned blocks = 16;
  Numbers in_order(blocks * fault_threads);
  for (std::size_t i = 0; i < in_order.size(); ++i)
    in_order[i] = 1 + static_cast<int>(i / fault_threads);
  EXPECT_NE(run(Fault::block_order, blocks), in_order);
}

/// Streams that do not wait for the legacy one, where the copies are.
class PtxStreams : public testing::Test {
protected:
  void SetUp() override { ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess); }
  void TearDown() override { cudaStreamDestroy(stream_); }

  /// Whether the kernel found the numbers, and the copy back the kernel's.
  bool is_right(bool waits_before, bool waits_after, cudaStream_t stream) {
    int* const from = on_device(Numbers(fault_threads, 1));
    int* const to = on_device(Numbers(fault_threads, 0));
    if (waits_before)
      cudaDeviceSynchronize();
    EXPECT_EQ(launch_with_fault(Fault::none, from, to, 1, stream), cudaSuccess);
    if (waits_after)
      cudaStreamSynchronize(stream);
    const bool result = from_device(to, fault_threads) == Numbers(fault_threads, fault_threads);
    cudaFree(from);
    cudaFree(to);
    return result;
  }

  cudaStream_t stream_ = nullptr;
};

TEST_F(PtxStreams, WhoWaitsFindsTheNumbers) {
  EXPECT_TRUE(is_right(true, true, stream_));
  EXPECT_TRUE(is_right(false, false, nullptr));
}

TEST_F(PtxStreams, ACopyFromPageableMemoryIsLateForWhoDoesNotWait) { EXPECT_FALSE(is_right(false, true, stream_)); }

TEST_F(PtxStreams, AKernelIsLateForWhoDoesNotWait) { EXPECT_FALSE(is_right(true, false, stream_)); }

TEST_F(PtxStreams, AStreamThatWaitsForTheLegacyOneNeedsNoWait) {
  cudaStream_t blocking;
  ASSERT_EQ(cudaStreamCreateWithFlags(&blocking, cudaStreamDefault), cudaSuccess);
  EXPECT_TRUE(is_right(false, false, blocking));
  cudaStreamDestroy(blocking);
}

TEST_F(PtxStreams, ACaptureInWhichSomebodyWaitsOrAllocatesFails) {
  for (const bool allocates : {false, true}) {
    ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), cudaSuccess);
    void* memory = nullptr;
    EXPECT_EQ(allocates ? cudaMalloc(&memory, 1) : cudaStreamSynchronize(stream_), cudaErrorStreamCaptureUnsupported);
    cudaGraph_t graph;
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureInvalidated);
    cudaGetLastError();
  }
}

} // namespace
} // namespace gfpq
