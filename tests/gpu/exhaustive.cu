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
#include "src/parameter_block.hpp"

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

template <class Width>
__global__ void compare(const Bits* results, Count count, Bits first, int delta, Differences* differences) {
  for (Count i = blockIdx.x * Count(threads) + threadIdx.x; i < count; i += Count(gridDim.x) * threads)
    if (results[i] != gfpq::cuda::device_ladder<float, Width>.fake_quantize(first + Bits(i), delta)) {
      atomicAdd(&differences->count, Count(1));
      differences->first = first + Bits(i);
    }
}

template <class Width>
__global__ void apply_rule(Bits* numbers, Count count, int delta) {
  for (Count i = blockIdx.x * Count(threads) + threadIdx.x; i < count; i += Count(gridDim.x) * threads)
    numbers[i] = gfpq::cuda::device_ladder<float, Width>.fake_quantize(numbers[i], delta);
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

  template <class Width>
  bool run(int first_delta, int last_delta) {
    if (!is_rule_the_hosts<Width>(first_delta) || !is_rule_the_hosts<Width>(last_delta))
      return false;
    for (int delta = first_delta; delta <= last_delta; ++delta) {
      GFPQ_PARAM_ST param{GFPQ_MODE_APPLY_ONLY, {}};
      gfpq::encode_block(delta, param.buf);
      for (Count first = 0; first < Count(1) << 32; first += count_) {
        fill<<<blocks_, threads>>>(numbers_, count_, Bits(first));
        if (HI_GFPQ_QuantAndDeQuant_GPU(reinterpret_cast<float*>(numbers_), unsigned(count_), Width::bits, &param) != 0)
          return false;
        compare<Width><<<blocks_, threads>>>(numbers_, count_, Bits(first), delta, differences_);
      }
      if (delta % 256 == 0 || delta == last_delta) {
        Differences found;
        require(cudaMemcpy(&found, differences_, sizeof found, cudaMemcpyDeviceToHost));
        std::printf("%2d bit, delta %5d to %5d: %llu differences\n", Width::bits, first_delta, delta, found.count);
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
  template <class Width>
  bool is_rule_the_hosts(int delta) {
    std::vector<Bits> inputs, results(std::min<Count>(count_, 1 << 22));
    for (Count i = 0; i < results.size(); ++i)
      inputs.push_back(Bits(i * 1021));
    require(cudaMemcpy(numbers_, inputs.data(), inputs.size() * sizeof(Bits), cudaMemcpyHostToDevice));
    apply_rule<Width><<<blocks_, threads>>>(numbers_, inputs.size(), delta);
    require(cudaMemcpy(results.data(), numbers_, inputs.size() * sizeof(Bits), cudaMemcpyDeviceToHost));
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (results[i] != gfpq::ladder<float, Width>.fake_quantize(inputs[i], delta)) {
        std::printf("the scalar rule differs between GPU and host at 0x%08x, delta %d\n", inputs[i], delta);
        return false;
      }
    gfpq::Ladder<float, Width> copy = gfpq::ladder<float, Width>;
    std::memset(static_cast<void*>(&copy), 0, sizeof copy);
    require(cudaMemcpyFromSymbol(&copy, gfpq::cuda::device_ladder<float, Width>, sizeof copy));
    return std::memcmp(&copy, &gfpq::ladder<float, Width>, sizeof copy) == 0;
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
  const auto run = [&](auto width) {
    using Width = decltype(width);
    good = good && check.run<Width>(limit(2, -Width::delta_limit), limit(3, Width::delta_limit));
  };
  if (bits != 0 && !gfpq::with_width(unsigned(bits), run)) {
    std::fprintf(stderr, "there is no rule for %d bit\n", bits);
    return 1;
  }
  if (bits == 0)
    for (const int each : gfpq::width_bits)
      good = gfpq::with_width(unsigned(each), run) && good;
  std::printf(good ? "no difference\n" : "FAILED\n");
  return good ? 0 : 1;
}
