// All 2^32 floats at every delta: the GPU library against the scalar rule, both on the GPU.
//
//     gfpq_gpu_exhaustive [BITS [FIRST_DELTA LAST_DELTA]]
//
// Ends with 0, with 1 where a result differs, with 77 where there is no GPU. The GPU's copy of the scalar rule is
// itself compared with the host's: its tables as bytes, and its results for a sample.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "gfpq.hpp"
#include "kernels/cuda/kernels.cuh"

namespace {

using Bits = unsigned int;
using Count = unsigned long long;
constexpr unsigned threads = 256;

void require(cudaError_t error) {
  if (error != cudaSuccess) {
    std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
    std::exit(1);
  }
}

struct Differences {
  Count count;
  Bits first; ///< some input whose result differs
};

__global__ void fill(Bits* numbers, Count count, Bits first) {
  for (Count i = blockIdx.x * Count(threads) + threadIdx.x; i < count; i += Count(gridDim.x) * threads)
    numbers[i] = first + Bits(i);
}

template <class W>
__global__ void compare(const Bits* results, Count count, Bits first, int delta, Differences* differences) {
  for (Count i = blockIdx.x * Count(threads) + threadIdx.x; i < count; i += Count(gridDim.x) * threads)
    if (results[i] != gfpq::cuda::device_ladder<float, W>.quantize(first + Bits(i), delta)) {
      atomicAdd(&differences->count, Count(1));
      differences->first = first + Bits(i);
    }
}

template <class W>
__global__ void apply_rule(Bits* numbers, Count count, int delta) {
  for (Count i = blockIdx.x * Count(threads) + threadIdx.x; i < count; i += Count(gridDim.x) * threads)
    numbers[i] = gfpq::cuda::device_ladder<float, W>.quantize(numbers[i], delta);
}

class Check {
public:
  Check() {
    std::size_t idle = 0, total = 0;
    require(cudaMemGetInfo(&idle, &total));
    while (count_ * sizeof(Bits) > idle / 2)
      count_ /= 2;
    require(cudaMalloc(&numbers_, count_ * sizeof(Bits)));
    require(cudaMalloc(&differences_, sizeof(Differences)));
    require(cudaMemset(differences_, 0, sizeof(Differences)));
    int device = 0, processors = 0;
    require(cudaGetDevice(&device));
    require(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
    blocks_ = unsigned(processors) * 16;
  }

  template <class W>
  bool run(int first_delta, int last_delta) {
    if (!is_rule_the_hosts<W>(first_delta) || !is_rule_the_hosts<W>(last_delta))
      return false;
    for (int delta = first_delta; delta <= last_delta; ++delta) {
      GFPQ_PARAM_ST param = param_of<W>(delta);
      for (Count first = 0; first < Count(1) << 32; first += count_) {
        fill<<<blocks_, threads>>>(numbers_, count_, Bits(first));
        if (HI_GFPQ_QuantAndDeQuant_GPU(reinterpret_cast<float*>(numbers_), unsigned(count_), W::bits, &param) != 0)
          return false;
        compare<W><<<blocks_, threads>>>(numbers_, count_, Bits(first), delta, differences_);
      }
      if (delta % 256 == 0 || delta == last_delta) {
        Differences found;
        require(cudaMemcpy(&found, differences_, sizeof found, cudaMemcpyDeviceToHost));
        std::printf("%2d bit, delta %5d to %5d: %llu differences\n", W::bits, first_delta, delta, found.count);
        std::fflush(stdout);
        if (found.count != 0) {
          std::printf("one of them at 0x%08x\n", found.first);
          return false;
        }
      }
    }
    return true;
  }

private:
  template <class W>
  static GFPQ_PARAM_ST param_of(int delta) {
    // The block of a tensor that holds just this ladder's largest value.
    Bits largest = gfpq::ladder<float, W>.value(delta + W::max_code);
    while (gfpq::ladder<float, W>.delta(largest) < delta)
      ++largest; // the value may be rounded down
    float number;
    std::memcpy(&number, &largest, sizeof number);
    GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
    if (HI_GFPQ_QuantAndDeQuant(&number, 1, W::bits, &param) != GFPQ_SUCCESS)
      std::exit(1);
    param.mode = GFPQ_MODE_APPLY_ONLY;
    return param;
  }

  template <class W>
  bool is_rule_the_hosts(int delta) {
    std::vector<Bits> inputs, results(std::min<Count>(count_, 1 << 22));
    for (Count i = 0; i < results.size(); ++i)
      inputs.push_back(Bits(i * 1021));
    require(cudaMemcpy(numbers_, inputs.data(), inputs.size() * sizeof(Bits), cudaMemcpyHostToDevice));
    apply_rule<W><<<blocks_, threads>>>(numbers_, inputs.size(), delta);
    require(cudaMemcpy(results.data(), numbers_, inputs.size() * sizeof(Bits), cudaMemcpyDeviceToHost));
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (results[i] != gfpq::ladder<float, W>.quantize(inputs[i], delta)) {
        std::printf("the scalar rule differs between GPU and host at 0x%08x, delta %d\n", inputs[i], delta);
        return false;
      }
    gfpq::Ladder<float, W> copy = gfpq::ladder<float, W>;
    std::memset(static_cast<void*>(&copy), 0, sizeof copy);
    require(cudaMemcpyFromSymbol(&copy, gfpq::cuda::device_ladder<float, W>, sizeof copy));
    return std::memcmp(&copy, &gfpq::ladder<float, W>, sizeof copy) == 0;
  }

  Count count_ = Count(1) << 31;
  Bits* numbers_ = nullptr;
  Differences* differences_ = nullptr;
  unsigned blocks_ = 0;
};

} // namespace

int main(int argc, char** argv) {
  int devices = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&devices); error != cudaSuccess || devices == 0) {
    std::printf("SKIPPED: no GPU: %s\n", cudaGetErrorString(error));
    return 77;
  }
  const int bits = argc > 1 ? std::atoi(argv[1]) : 0;
  const auto limit = [&](int index, int otherwise) { return argc > index ? std::atoi(argv[index]) : otherwise; };
  Check check;
  bool good = true;
  if (bits != 16)
    good = check.run<gfpq::Width8>(limit(2, -gfpq::Width8::delta_limit), limit(3, gfpq::Width8::delta_limit));
  if (bits != 8)
    good =
        good && check.run<gfpq::Width16>(limit(2, -gfpq::Width16::delta_limit), limit(3, gfpq::Width16::delta_limit));
  std::printf(good ? "no difference\n" : "FAILED\n");
  return good ? 0 : 1;
}
