// The GPU library against the scalar rule, both on the GPU, at every delta.
//
//     gfpq_gpu_exhaustive [--ends] [--seconds=N] [BITS [FIRST_DELTA LAST_DELTA]]
//
// It sweeps all 2^32 floats at each delta, and so proves that none differs. With --seconds it begins no further delta
// after N seconds; the deltas done until then are spread over all of them.
//
// --ends compares, for floats and doubles, the numbers at which the rule may change (rule_ends.hpp). That proves as
// much for a kernel that is monotone. By its source the library's is: carry_tables.hpp and range.hpp prove when they
// are compiled that it gives the rule's results. Whether the machine code is, only a sweep tells; it is the same code
// for all deltas, which differ in three numbers alone, the ladder's ends.
//
// Ends with 0, with 1 where a result differs, with 77 where there is no GPU. The GPU's copy of the scalar rule is
// itself compared with the host's: its tables as bytes, and its results for a sample.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "gfpq.hpp"
#include "kernels/cuda/kernels.cuh"
#include "src/parameter_block.hpp"
#include "tests/gpu/rule_ends.hpp"

namespace {

using Count = unsigned long long;
template <class Float>
using BitsOf = typename gfpq::Format<Float>::Bits;
constexpr unsigned threads = 256;

void require(cudaError_t error) {
  if (error != cudaSuccess) {
    std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
    std::exit(1);
  }
}

struct Differences {
  Count count;
  Count number; ///< the bits of some input whose result differs
  int delta;
};

template <class Bits>
__global__ void fill(Bits* numbers, Count count, Bits first) {
  for (Count i = blockIdx.x * Count(threads) + threadIdx.x; i < count; i += Count(gridDim.x) * threads)
    numbers[i] = first + Bits(i);
}

/// Where `inputs` is null, they are the numbers from `first` on.
template <class Float, class Width>
__global__ void compare(const BitsOf<Float>* results, const BitsOf<Float>* inputs, Count count, BitsOf<Float> first,
                        int delta, Differences* differences) {
  for (Count i = blockIdx.x * Count(threads) + threadIdx.x; i < count; i += Count(gridDim.x) * threads) {
    const BitsOf<Float> input = inputs != nullptr ? inputs[i] : first + BitsOf<Float>(i);
    if (results[i] != gfpq::cuda::device_ladder<Float, Width>.fake_quantize(input, delta)) {
      atomicAdd(&differences->count, Count(1));
      differences->number = input;
      differences->delta = delta;
    }
  }
}

template <class Float, class Width>
__global__ void apply_rule(BitsOf<Float>* numbers, Count count, int delta) {
  for (Count i = blockIdx.x * Count(threads) + threadIdx.x; i < count; i += Count(gridDim.x) * threads)
    numbers[i] = gfpq::cuda::device_ladder<Float, Width>.fake_quantize(numbers[i], delta);
}

/// What to compare.
struct Plan {
  bool only_ends = false;
  double seconds = std::numeric_limits<double>::infinity();
  std::vector<int> numbers; ///< BITS FIRST LAST, as many as were given

  int number(std::size_t index, int otherwise) const { return index < numbers.size() ? numbers[index] : otherwise; }
};

/// Device memory for one type's numbers, and what is found there.
template <class Float, class Width>
class Check {
  using Bits = BitsOf<Float>;

public:
  /// Throws nothing: an error of CUDA ends the program.
  explicit Check(const Plan& plan) : plan_(plan) {
    if (plan.only_ends) {
      const std::vector<Bits> ends = gfpq::rule_ends<Float, Width>();
      count_ = ends.size();
      require(cudaMalloc(&inputs_, count_ * sizeof(Bits)));
      require(cudaMemcpy(inputs_, ends.data(), count_ * sizeof(Bits), cudaMemcpyHostToDevice));
    } else {
      std::size_t idle = 0, total = 0;
      require(cudaMemGetInfo(&idle, &total));
      while (count_ * sizeof(Bits) > idle / 2)
        count_ /= 2;
    }
    require(cudaMalloc(&numbers_, count_ * sizeof(Bits)));
    require(cudaMalloc(&differences_, sizeof(Differences)));
    require(cudaMemset(differences_, 0, sizeof(Differences)));
    int device = 0, processors = 0;
    require(cudaGetDevice(&device));
    require(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
    blocks_ = unsigned(processors) * 16;
  }
  ~Check() {
    cudaFree(inputs_);
    cudaFree(numbers_);
    cudaFree(differences_);
  }
  Check(const Check&) = delete;
  Check& operator=(const Check&) = delete;

  bool run() {
    const int first = plan_.number(1, -Width::delta_limit), last = plan_.number(2, Width::delta_limit);
    if (!is_rule_the_hosts(first) || !is_rule_the_hosts(last))
      return false;
    const auto start = std::chrono::steady_clock::now();
    const auto seconds = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    // One after another, or, where the time may end before, in steps of about 0.618 of them all: what is done is then
    // spread over the whole.
    const int count = last - first + 1;
    int step = plan_.seconds < std::numeric_limits<double>::infinity() ? std::max(1, int(0.618 * count)) : 1;
    while (std::gcd(step, count) != 1)
      ++step;
    int done = 0;
    for (int at = 0; done < count && seconds() < plan_.seconds; at = int((at + static_cast<long long>(step)) % count)) {
      if (!queue(first + at))
        return false;
      ++done;
      if ((done % 256 == 0 || done == count || !plan_.only_ends) && !report(done, count, seconds))
        return false;
    }
    return report(done, count, seconds, true);
  }

private:
  /// Queues the comparison of all numbers at one delta.
  bool queue(int delta) {
    GFPQ_PARAM_ST param{GFPQ_MODE_APPLY_ONLY, {}};
    gfpq::encode_block(delta, param.buf);
    for (Count first = 0; first < total(); first += count_) {
      if (inputs_ != nullptr)
        require(cudaMemcpyAsync(numbers_, inputs_, count_ * sizeof(Bits), cudaMemcpyDeviceToDevice));
      else
        fill<<<blocks_, threads>>>(numbers_, count_, Bits(first));
      if (HI_GFPQ_QuantAndDeQuant_GPU(reinterpret_cast<Float*>(numbers_), unsigned(count_), Width::bits, &param) != 0)
        return false;
      compare<Float, Width><<<blocks_, threads>>>(numbers_, inputs_, count_, Bits(first), delta, differences_);
      require(cudaGetLastError());
    }
    return true;
  }

  Count total() const { return plan_.only_ends ? count_ : Count(1) << 32; }

  /// Waits for what is queued. \return whether nothing differs.
  template <class Seconds>
  bool report(int done, int count, const Seconds& seconds, bool is_last = false) {
    Differences found;
    require(cudaMemcpy(&found, differences_, sizeof found, cudaMemcpyDeviceToHost));
    if (is_last || found.count != 0 || (!plan_.only_ends && done % 256 == 0)) {
      const double numbers = double(done) * double(total()), time = seconds();
      std::printf("%2d bit, %s, %s: %d of %d deltas, %.3e numbers in %.1f s (%.3e a second): %llu differences\n",
                  Width::bits, sizeof(Float) == sizeof(float) ? "float" : "double",
                  plan_.only_ends ? "ends of runs" : "all numbers", done, count, numbers, time, numbers / time,
                  found.count);
      std::fflush(stdout);
    }
    if (found.count != 0)
      std::printf("one of them at 0x%llx, delta %d\n", found.number, found.delta);
    return found.count == 0;
  }

  bool is_rule_the_hosts(int delta) {
    std::vector<Bits> inputs, results(std::min<Count>(count_, 1 << 22));
    for (Count i = 0; i < results.size(); ++i) // over all numbers, in a stride that is odd
      inputs.push_back(Bits(i * ((Count(1) << (8 * sizeof(Bits) - 22)) - 3)));
    require(cudaMemcpy(numbers_, inputs.data(), inputs.size() * sizeof(Bits), cudaMemcpyHostToDevice));
    apply_rule<Float, Width><<<blocks_, threads>>>(numbers_, inputs.size(), delta);
    require(cudaGetLastError());
    require(cudaMemcpy(results.data(), numbers_, inputs.size() * sizeof(Bits), cudaMemcpyDeviceToHost));
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (results[i] != gfpq::ladder<Float, Width>.fake_quantize(inputs[i], delta)) {
        std::printf("the scalar rule differs between GPU and host at 0x%llx, delta %d\n", Count(inputs[i]), delta);
        return false;
      }
    gfpq::Ladder<Float, Width> copy = gfpq::ladder<Float, Width>;
    std::memset(static_cast<void*>(&copy), 0, sizeof copy);
    require(cudaMemcpyFromSymbol(&copy, gfpq::cuda::device_ladder<Float, Width>, sizeof copy));
    if (std::memcmp(&copy, &gfpq::ladder<Float, Width>, sizeof copy) == 0)
      return true;
    std::printf("the tables of the scalar rule differ between GPU and host\n");
    return false;
  }

  const Plan& plan_;
  Count count_ = Count(1) << 31;
  Bits* inputs_ = nullptr; ///< where they are not all numbers
  Bits* numbers_ = nullptr;
  Differences* differences_ = nullptr;
  unsigned blocks_ = 0;
};

template <class Width>
bool check(const Plan& plan) {
  if (!plan.only_ends)
    return Check<float, Width>(plan).run();
  const bool good = Check<float, Width>(plan).run();
  return Check<double, Width>(plan).run() && good;
}

} // namespace

int main(int argc, char** argv) {
  int devices = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&devices); error != cudaSuccess || devices == 0) {
    std::printf("SKIPPED: no GPU: %s\n", cudaGetErrorString(error));
    return 77;
  }
  Plan plan;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--ends")
      plan.only_ends = true;
    else if (argument.rfind("--seconds=", 0) == 0)
      plan.seconds = std::atof(argument.c_str() + std::strlen("--seconds="));
    else
      plan.numbers.push_back(std::atoi(argument.c_str()));
  }
  bool good = true;
  for (const int each : gfpq::width_bits) {
    if (const int wanted = plan.number(0, 0); wanted != 0 && wanted != each)
      continue;
    good = gfpq::with_width(unsigned(each), [&](auto width) { good = check<decltype(width)>(plan) && good; }) && good;
  }
  if (const int wanted = plan.number(0, 0); wanted != 0 && !gfpq::with_width(unsigned(wanted), [](auto) {})) {
    std::fprintf(stderr, "there is no rule for %d bit\n", wanted);
    return 1;
  }
  std::printf(good ? "no difference\n" : "FAILED\n");
  return good ? 0 : 1;
}
