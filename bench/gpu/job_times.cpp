// gfpq_gpu_job_times: how long jobs take on this GPU, beside a copy of the same bytes. A table, for whoever works on
// the kernels; what is published is measured by gfpq_bench_gpu.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "gfpq_jobs.hpp"

namespace {

constexpr int exit_no_gpu = 77;
const char* const type_names[] = {"float32", "float64", "float16", "bfloat16"};
const char* const operation_names[] = {"fake-quantize", "encode", "decode"};
const char* const mode_names[] = {"INIT", "UPDATE", "APPLY", "AUTO"};
constexpr std::size_t element_sizes[] = {4, 8, 2, 2};

void require(cudaError_t error) {
  if (error == cudaSuccess)
    return;
  std::fprintf(stderr, "gfpq_gpu_job_times: CUDA: %s\n", cudaGetErrorString(error));
  std::exit(1);
}

/// The median of some rounds, in microseconds a call; `calls` of them are queued in each.
double time_of(const std::function<void()>& call, int calls) {
  cudaEvent_t begin, end;
  require(cudaEventCreate(&begin));
  require(cudaEventCreate(&end));
  std::vector<double> times;
  for (int round = 0; round < 8; ++round) {
    require(cudaEventRecord(begin));
    for (int i = 0; i < calls; ++i)
      call();
    require(cudaEventRecord(end));
    require(cudaEventSynchronize(end));
    float milliseconds = 0;
    require(cudaEventElapsedTime(&milliseconds, begin, end));
    if (round > 0) // the first loads the kernels
      times.push_back(1000.0 * milliseconds / calls);
  }
  require(cudaEventDestroy(begin));
  require(cudaEventDestroy(end));
  std::nth_element(times.begin(), times.begin() + std::ptrdiff_t(times.size() / 2), times.end());
  return times[times.size() / 2];
}

/// What the host needs to queue a call, in microseconds.
double host_time_of(const std::function<void()>& call) {
  constexpr int calls = 200;
  call();
  require(cudaDeviceSynchronize());
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i)
    call();
  const std::chrono::duration<double, std::micro> taken = std::chrono::steady_clock::now() - begin;
  require(cudaDeviceSynchronize());
  return taken.count() / calls;
}

class Table {
public:
  /// \param bytes of one buffer; there are three and room for parameters
  explicit Table(std::size_t bytes) {
    for (void** const buffer : {&source_, &destination_, &codes_})
      require(cudaMalloc(buffer, bytes + bytes / 2)); // a copy of what a job moves is half of it, with masks more
    require(cudaMalloc(&params_, params_size));
    // Numbers from 0.0004 to 500 in each type, of both signs: every half of 16 bit is one.
    std::vector<unsigned short> halves(1 << 20);
    unsigned state = 1;
    for (unsigned short& half : halves) {
      state = state * 1664525u + 1013904223u;
      half = static_cast<unsigned short>((state >> 16 & 0x87ff) | 0x3a00);
    }
    for (std::size_t at = 0; at < bytes; at += halves.size() * 2)
      require(cudaMemcpy(static_cast<char*>(source_) + at, halves.data(), std::min(halves.size() * 2, bytes - at),
                         cudaMemcpyHostToDevice));
    std::printf("%-13s %-8s %2s  %-6s %-22s %10s %9s %8s\n", "operation", "type", "b", "mode", "shape", "us", "GB/s",
                "of copy");
  }

  void row(unsigned operation, unsigned type, unsigned bits, unsigned mode, std::size_t outer, std::size_t groups,
           std::size_t inner, bool in_place = false, bool has_mask = false, std::size_t offset = 0) {
    const std::size_t count = outer * groups * inner, size = element_sizes[type];
    GFPQ_JOB_ST job{};
    job.type = type;
    job.bit_width = bits;
    job.outer = outer;
    job.groups = groups;
    job.inner = inner;
    job.params = static_cast<GFPQ_GROUP_PARAM_ST*>(params_);
    require(cudaMemset(params_, 0, params_size));
    // The parameters, and codes to decode.
    job.operation = GFPQ_ENCODE;
    job.mode = GFPQ_MODE_INIT;
    job.source = source_;
    job.destination = codes_;
    run(job);
    job.operation = operation;
    job.mode = mode;
    job.source = operation == GFPQ_DECODE ? codes_ : static_cast<char*>(source_) + offset * size;
    job.destination = operation == GFPQ_ENCODE ? codes_ : in_place ? const_cast<void*>(job.source) : destination_;
    job.mask = has_mask ? static_cast<unsigned char*>(codes_) : nullptr;
    const std::size_t code = bits / 8;
    const std::size_t moved =
        count * ((operation == GFPQ_DECODE ? code : size) + (operation == GFPQ_ENCODE ? code : size) + has_mask);
    const int calls = moved < (1u << 24) ? 50 : 5;
    const double time = time_of([&] { run(job); }, calls);
    const double copy =
        time_of([&] { require(cudaMemcpyAsync(destination_, source_, moved / 2, cudaMemcpyDeviceToDevice)); }, calls);
    const std::string shape = std::to_string(outer) + " x " + std::to_string(groups) + " x " + std::to_string(inner);
    std::printf("%-13s %-8s %2u  %-6s %-22s %10.2f %9.0f %8.2f%s%s%s\n", operation_names[operation], type_names[type],
                bits, mode_names[mode], shape.c_str(), time, double(moved) / time / 1000, copy / time,
                in_place ? "  in place" : "", has_mask ? "  mask" : "", offset != 0 ? "  other alignment" : "");
  }

  /// Many jobs in a call, and one job a call.
  void small_jobs() {
    for (const unsigned count : {1u, 54u, 200u}) {
      constexpr std::size_t inner = 20000;
      std::vector<GFPQ_JOB_ST> jobs(count);
      require(cudaMemset(params_, 0, params_size));
      for (unsigned i = 0; i < count; ++i) {
        GFPQ_JOB_ST& job = jobs[i];
        job = GFPQ_JOB_ST{};
        job.bit_width = 8;
        job.mode = GFPQ_MODE_AUTO;
        job.outer = job.groups = 1;
        job.inner = inner;
        job.source = static_cast<float*>(source_) + i * inner;
        job.destination = static_cast<float*>(destination_) + i * inner;
        job.params = static_cast<GFPQ_GROUP_PARAM_ST*>(params_) + i;
      }
      const auto together = [&] { check(GFPQ_RunJobs_GPU(jobs.data(), count, nullptr)); };
      const auto one_by_one = [&] {
        for (const GFPQ_JOB_ST& job : jobs)
          run(job);
      };
      std::printf(
          "%3u jobs of %zu float32, AUTO: one call %.2f us (host %.2f us); a call each %.2f us (host %.2f us)\n", count,
          inner, time_of(together, 20), host_time_of(together), time_of(one_by_one, 20), host_time_of(one_by_one));
    }
  }

private:
  static constexpr std::size_t params_size = std::size_t(1) << 20;

  static void check(int status) {
    if (status != GFPQ_SUCCESS)
      std::exit(1);
  }
  static void run(const GFPQ_JOB_ST& job) { check(GFPQ_RunJobs_GPU(&job, 1, nullptr)); }

  void *source_ = nullptr, *destination_ = nullptr, *codes_ = nullptr, *params_ = nullptr;
};

} // namespace

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::fprintf(stderr, "gfpq_gpu_job_times: no GPU\n");
    return exit_no_gpu;
  }
  constexpr std::size_t bytes = std::size_t(256) << 20; // of a buffer
  Table table(bytes);
  for (unsigned type = 0; type < 4; ++type) {
    const std::size_t count = bytes / element_sizes[type];
    for (const unsigned bits : {8u, 16u}) {
      table.row(GFPQ_FAKE_QUANTIZE, type, bits, GFPQ_MODE_APPLY_ONLY, 1, 1, count);
      table.row(GFPQ_FAKE_QUANTIZE, type, bits, GFPQ_MODE_AUTO, 1, 1, count);
      table.row(GFPQ_FAKE_QUANTIZE, type, bits, GFPQ_MODE_INIT, 1, 1, count);
      table.row(GFPQ_ENCODE, type, bits, GFPQ_MODE_AUTO, 1, 1, count);
      table.row(GFPQ_DECODE, type, bits, GFPQ_MODE_APPLY_ONLY, 1, 1, count);
    }
    table.row(GFPQ_FAKE_QUANTIZE, type, 8, GFPQ_MODE_AUTO, 1, 1, count, false, true);
    table.row(GFPQ_FAKE_QUANTIZE, type, 8, GFPQ_MODE_UPDATE, 1, 1, count, true);
    table.row(GFPQ_FAKE_QUANTIZE, type, 8, GFPQ_MODE_AUTO, 1, 1, count - 64, false, false, 1);
    table.row(GFPQ_FAKE_QUANTIZE, type, 8, GFPQ_MODE_AUTO, 32, 256, 3136); // channels of a layer
    table.row(GFPQ_FAKE_QUANTIZE, type, 8, GFPQ_MODE_AUTO, 128, 512, 49);
    table.row(GFPQ_FAKE_QUANTIZE, type, 8, GFPQ_MODE_AUTO, 20000, 256, 1); // channels last
    table.row(GFPQ_FAKE_QUANTIZE, type, 8, GFPQ_MODE_AUTO, 1, 512, 4608);  // output channels of a weight
  }
  for (const std::size_t count : {10000u, 100000u, 1000000u, 10000000u})
    for (const unsigned mode : {2u, 3u})
      table.row(GFPQ_FAKE_QUANTIZE, GFPQ_FLOAT32, 8, mode, 1, 1, count);
  table.small_jobs();
}
