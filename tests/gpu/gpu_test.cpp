// The GPU library against the CPU functions beside it: lengths, alignments, streams, graphs, threads.
#include <cstring>
#include <thread>

#include "gpu_fixture.hpp"
#include "tests/unit/unit_test.hpp"

namespace gfpq {
namespace {

template <class Float, class Width>
std::vector<Float> numbers(std::size_t count, unsigned seed) {
  std::vector<Float> result;
  for (auto bits : random_numbers<Float, Width>(-40, count, seed))
    result.push_back(from_bits<Float>(bits & ~(BitsOf<Float>(1) << (Format<Float>::fraction_bits + 6)))); // no infinity
  return result;
}

template <class Float>
bool same_bits(const std::vector<Float>& one, const std::vector<Float>& other) {
  return one.size() == other.size() && std::memcmp(one.data(), other.data(), one.size() * sizeof(Float)) == 0;
}

/// One call on each side, whose data and block must come out the same.
template <class Float, class Width>
void expect_as_cpu(unsigned mode, std::size_t count, std::size_t offset, unsigned seed, void* stream = nullptr) {
  const Float canary = Float(1e30);
  std::vector<Float> input(offset + count + 8, canary);
  const auto data = numbers<Float, Width>(count, seed);
  std::copy(data.begin(), data.end(), input.begin() + std::ptrdiff_t(offset));

  Float small = Float(0.001);
  GFPQ_PARAM_ST cpu_param{GFPQ_MODE_INIT, {}};
  ASSERT_EQ(HI_GFPQ_QuantAndDeQuant(&small, 1, Width::bits, &cpu_param), GFPQ_SUCCESS);
  cpu_param.mode = mode;
  GFPQ_PARAM_ST gpu_param = cpu_param;

  std::vector<Float> wanted = input;
  ASSERT_EQ(HI_GFPQ_QuantAndDeQuant(wanted.data() + offset, unsigned(count), Width::bits, &cpu_param), GFPQ_SUCCESS);
  const DeviceVector<Float> device(input);
  ASSERT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(device.data() + offset, unsigned(count), Width::bits, &gpu_param, stream),
            GFPQ_SUCCESS);
  EXPECT_TRUE(same_bits(device.download(), wanted))
      << Width::bits << " bit, mode " << mode << ", " << count << " numbers at " << offset;
  EXPECT_EQ(std::memcmp(&cpu_param, &gpu_param, sizeof cpu_param), 0);
}

constexpr unsigned all_modes[] = {GFPQ_MODE_INIT, GFPQ_MODE_UPDATE, GFPQ_MODE_APPLY_ONLY};

template <class Case>
class GpuCalls : public GpuTest {};
TYPED_TEST_SUITE(GpuCalls, AllCases);

TYPED_TEST(GpuCalls, EveryLengthAndAlignmentGivesTheCpusBits) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  for (const unsigned mode : all_modes)
    for (const std::size_t count : {0, 1, 2, 31, 1000, 2047, 2048, 2049, 4095, 4096, 4097, 100000, 1 << 20})
      for (std::size_t offset = 0; offset < 4; ++offset)
        expect_as_cpu<Float, Width>(mode, count, offset, unsigned(count + offset));
}

TYPED_TEST(GpuCalls, MoreTilesThanBlocksGiveTheCpusBits) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  expect_as_cpu<Float, Width>(GFPQ_MODE_INIT, (std::size_t(4096) * 16384 * 3) / sizeof(Float) + 13, 1, 1);
}

TYPED_TEST(GpuCalls, NoParameterGivesTheCpusBits) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  auto wanted = numbers<Float, Width>(5000, 2);
  const DeviceVector<Float> device(wanted);
  ASSERT_EQ(HI_GFPQ_QuantAndDeQuant(wanted.data(), 5000, Width::bits, nullptr), GFPQ_SUCCESS);
  ASSERT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(device.data(), 5000, Width::bits, nullptr), GFPQ_SUCCESS);
  EXPECT_TRUE(same_bits(device.download(), wanted));
}

class Stream {
public:
  Stream() { require(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~Stream() { cudaStreamDestroy(stream_); }
  operator cudaStream_t() const { return stream_; }

private:
  cudaStream_t stream_ = nullptr;
};

TYPED_TEST(GpuCalls, ThreadsOnTheirOwnStreamsGiveTheCpusBits) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 6; ++thread)
    threads.emplace_back([thread] {
      const Stream stream;
      for (unsigned round = 0; round < 30; ++round)
        expect_as_cpu<Float, Width>(all_modes[round % 3], 1000 + 7919 * thread * round, thread, thread + 100 * round,
                                    thread == 0 ? nullptr : static_cast<void*>(static_cast<cudaStream_t>(stream)));
    });
  for (std::thread& thread : threads)
    thread.join();
}

template <class Float, class Width>
GFPQ_PARAM_ST fitted_param(std::vector<Float>& data) {
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant(data.data(), unsigned(data.size()), Width::bits, &param), GFPQ_SUCCESS);
  param.mode = GFPQ_MODE_APPLY_ONLY;
  return param;
}

/// The kernel may not have been loaded before: capturing must not mind.
TYPED_TEST(GpuCalls, AGraphCapturesApplyAsOneNode) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  const auto input = numbers<Float, Width>(100001, 4);
  auto wanted = input;
  GFPQ_PARAM_ST param = fitted_param<Float, Width>(wanted);
  DeviceVector<Float> device(input);
  const Stream stream;
  for (const auto mode :
       {cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeRelaxed}) {
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    require(cudaStreamBeginCapture(stream, mode));
    ASSERT_EQ(
        HI_GFPQ_QuantAndDeQuant_GPU(device.data(), 100001, Width::bits, &param, static_cast<cudaStream_t>(stream)),
        GFPQ_SUCCESS);
    require(cudaStreamEndCapture(stream, &graph));
    std::size_t nodes = 0;
    require(cudaGraphGetNodes(graph, nullptr, &nodes));
    EXPECT_EQ(nodes, 1u);
    require(cudaGraphInstantiateWithFlags(&executable, graph, 0));
    for (int launch = 0; launch < 2; ++launch) {
      device.upload(input);
      require(cudaGraphLaunch(executable, stream));
      require(cudaStreamSynchronize(stream));
      EXPECT_TRUE(same_bits(device.download(), wanted));
    }
    require(cudaGraphExecDestroy(executable));
    require(cudaGraphDestroy(graph));
  }
}

TYPED_TEST(GpuCalls, FitInAGraphIsRefusedAndLeavesTheCaptureWhole) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  const auto input = numbers<Float, Width>(1000, 4);
  const DeviceVector<Float> device(input);
  const Stream stream;
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  cudaGraph_t graph;
  require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  {
    Messages messages;
    EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(device.data(), 1000, Width::bits, &param, static_cast<cudaStream_t>(stream)),
              GFPQ_ERR_NOT_SUPPORT);
  }
  require(cudaStreamEndCapture(stream, &graph));
  require(cudaGraphDestroy(graph));
  EXPECT_TRUE(same_bits(device.download(), input));
}

/// APPLY is queued behind what the stream has to do before.
TYPED_TEST(GpuCalls, ApplyKeepsTheStreamsOrder) {
  using Float = typename TypeParam::Float;
  using Width = typename TypeParam::Width;
  const auto input = numbers<Float, Width>(1 << 22, 6);
  auto wanted = input;
  GFPQ_PARAM_ST param = fitted_param<Float, Width>(wanted);
  const DeviceVector<Float> source(input), device(std::vector<Float>(input.size(), Float(1)));
  const Stream stream;
  for (int round = 0; round < 10; ++round) {
    require(
        cudaMemcpyAsync(device.data(), source.data(), input.size() * sizeof(Float), cudaMemcpyDeviceToDevice, stream));
    ASSERT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(device.data(), unsigned(input.size()), Width::bits, &param,
                                          static_cast<cudaStream_t>(stream)),
              GFPQ_SUCCESS);
  }
  EXPECT_TRUE(same_bits(device.download(), wanted));
}

/// Calls of both types and widths take turns with what the library keeps between calls.
TEST_F(GpuTest, CallsOfAllTypesInTurnGiveTheCpusBits) {
  for (unsigned round = 0; round < 20; ++round) {
    expect_as_cpu<float, Width8>(GFPQ_MODE_INIT, 100000 + round, 0, round);
    expect_as_cpu<double, Width16>(GFPQ_MODE_INIT, 70000 + round, 1, round);
    expect_as_cpu<float, Width16>(GFPQ_MODE_UPDATE, 5 + round, 1, round);
    expect_as_cpu<double, Width8>(GFPQ_MODE_UPDATE, 200000 + round, 0, round);
  }
}

/// The caller may end the context, and all memory with it: the library keeps none.
TEST_F(GpuTest, CallsAfterADeviceResetGiveTheCpusBits) {
  for (unsigned round = 0; round < 3; ++round) {
    expect_as_cpu<float, Width8>(GFPQ_MODE_INIT, 100000, 0, round);
    expect_as_cpu<double, Width16>(GFPQ_MODE_UPDATE, 100000, 1, round);
    expect_as_cpu<float, Width16>(GFPQ_MODE_APPLY_ONLY, 1000, 0, round);
    require(cudaDeviceReset());
  }
}

/// More calls at the same time than there is room for: some wait for their turn.
TEST_F(GpuTest, MoreThreadsThanWorkspacesWaitForTheirTurn) {
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 80; ++thread)
    threads.emplace_back([thread] {
      const Stream stream;
      for (unsigned round = 0; round < 5; ++round)
        expect_as_cpu<float, Width8>(GFPQ_MODE_INIT, 1000 + thread, 0, thread + 100 * round,
                                     static_cast<cudaStream_t>(stream));
    });
  for (std::thread& thread : threads)
    thread.join();
}

/// The library neither reports nor swallows an error that was there before.
TEST_F(GpuTest, TheCallersErrorStays) {
  const DeviceVector<float> device(std::vector<float>(10, 1.0f));
  EXPECT_NE(cudaSetDevice(1000), cudaSuccess);
  const cudaError_t callers = cudaPeekAtLastError();
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant_GPU(device.data(), 10, 8, nullptr), GFPQ_SUCCESS);
  EXPECT_EQ(cudaGetLastError(), callers);
}

} // namespace
} // namespace gfpq
