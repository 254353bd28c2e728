#include "gpu/gpu_measurements.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "block.hpp"
#include "gpu/kernels.hpp"
#include "timing.hpp"

namespace bench {
namespace {

constexpr int hold_microseconds = 30;    // a stream, for each call: longer than it takes to queue one
constexpr std::size_t max_tensors = 32;  // that a round visits
constexpr std::size_t most_calls = 8;    // in a sample, where a call takes hardly longer than the events' resolution
constexpr std::size_t least_samples = 8; // in a repetition
constexpr int host_samples = 5;
constexpr std::size_t cold_pool_bytes = std::size_t(256) << 20;

/// Device memory, gone with the object.
class DeviceMemory {
public:
  explicit DeviceMemory(std::size_t bytes) { require(cudaMalloc(&memory_, bytes), "cudaMalloc"); }
  ~DeviceMemory() { cudaFree(memory_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  template <class T = void>
  T* at(std::size_t offset = 0) const {
    return reinterpret_cast<T*>(static_cast<char*>(memory_) + offset);
  }

private:
  void* memory_ = nullptr;
};

class Event {
public:
  Event() { require(cudaEventCreate(&event_), "cudaEventCreate"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream) { require(cudaEventRecord(event_, stream), "cudaEventRecord"); }
  /// Nanoseconds since another event; waits for this one.
  double since(const Event& start) const {
    float milliseconds = 0;
    require(cudaEventSynchronize(event_), "cudaEventSynchronize");
    require(cudaEventElapsedTime(&milliseconds, start.event_, event_), "cudaEventElapsedTime");
    return 1e6 * static_cast<double>(milliseconds);
  }

private:
  cudaEvent_t event_ = nullptr;
};

std::size_t padded(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

std::size_t calls_per_sample(const Row& row, std::size_t l2_bytes) {
  return std::clamp<std::size_t>(l2_bytes / 4 / padded(row.bytes()), 1, most_calls);
}

std::size_t tensors_for(const Row& row, std::size_t l2_bytes) {
  const std::size_t calls = calls_per_sample(row, l2_bytes);
  return row.cache == Cache::warm ? calls
                                  : std::max(calls, std::min(max_tensors, cold_pool_bytes / padded(row.bytes())));
}

} // namespace

std::string gpu_name(const Row& row) {
  const std::string name = row.name();
  const std::size_t slash = name.find('/');
  return name.substr(0, slash) + "/device:gpu" + name.substr(slash);
}

GpuMeasurements::GpuMeasurements(const Device& device, const GpuLibrary& library) : device_(device), library_(library) {
  require(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
}

GpuMeasurements::~GpuMeasurements() { cudaStreamDestroy(stream_); }

std::size_t GpuMeasurements::memory_of(const Row& row) const {
  return (tensors_for(row, device_.l2_bytes) + 1) * padded(row.bytes()) + 2 * device_.l2_bytes;
}

/// The tensors of one row and what is done with them.
template <class Float>
class GpuMeasurements::Repetition {
  using Work = std::function<void(Float*)>;

public:
  Repetition(GpuMeasurements& measurements, const Row& row, const Prepared<Float>& prepared)
      : measurements_(measurements), row_(row), prepared_(prepared), stream_(measurements.stream_),
        stride_(padded(row.bytes())), tensors_(tensors_for(row, measurements.device_.l2_bytes)),
        calls_(calls_per_sample(row, measurements.device_.l2_bytes)), source_(stride_), memory_(tensors_ * stride_),
        flushed_(2 * measurements.device_.l2_bytes + 256), result_(256) {
    require(cudaMemcpy(source_.at(), prepared.source.data(), row.bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
    require(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); // the stream waits for nothing of the default one
    require(cub_maximum<Float>(nullptr, scratch_bytes_, source_.at<Float>(), row.count, result_.at<Float>(), stream_),
            "cub::DeviceReduce");
    scratch_ = std::make_unique<DeviceMemory>(scratch_bytes_ + 1);
  }

  void run(benchmark::State& state) {
    const Work limit = limit_of(row_.limit());
    if (row_.kind == Kind::limit) {
      report(state, median(sample(limit)), label_);
      return;
    }
    const Work call = call_of();
    const Work transform = [this](Float* data) {
      require(cub_transform(data, row_.count, row_.bits, prepared_.expected.delta, stream_), "cub::DeviceTransform");
    };
    const bool is_peer = row_.contender->lib == "peer";
    const Work& own = is_peer ? transform : call;
    restore(); // and load the code
    own(tensor(0));
    const double time = median(sample(own));
    verify(); // of the last sample
    const double limit_time = median(sample(limit));
    report(state, time, "limit: " + label_);
    state.counters["guide_gib_per_second"] = static_cast<double>(row_.bytes()) / (time * 1e-9) / (1 << 30);
    state.counters["limit_time"] = limit_time;
    state.counters["limit_ratio"] = limit_time / time;
    if (row_.peer != nullptr) {
      const double peer_time = median(sample(transform));
      state.counters["peer_time"] = peer_time;
      state.counters["peer_ratio"] = peer_time / time;
    }
    measure_host(state, own);
  }

private:
  Float* tensor(std::size_t index) const { return memory_.at<Float>(index * stride_); }

  void restore() {
    for (std::size_t i = 0; i < tensors_; ++i)
      require(cudaMemcpyAsync(tensor(i), source_.at(), row_.bytes(), cudaMemcpyDeviceToDevice, stream_), "cudaMemcpy");
    if (row_.cache == Cache::cold) {
      require(cudaMemsetAsync(flushed_.at(), 0, 2 * measurements_.device_.l2_bytes, stream_), "cudaMemset");
    } else {
      for (std::size_t i = 0; i < tensors_; ++i)
        require(scale(tensor(i), row_.count, 1, stream_), "scale");
    }
  }

  /// GPU times of single calls, in nanoseconds: between two events, the stream held until all of it is queued.
  std::vector<double> sample(const Work& work) {
    std::vector<double> times;
    Event start, stop;
    while (times.size() < least_samples) {
      restore();
      for (std::size_t first = 0; first + calls_ <= tensors_; first += calls_) {
        require(hold(stream_, hold_microseconds * static_cast<int>(1 + calls_)), "hold");
        start.record(stream_);
        for (std::size_t i = first; i < first + calls_; ++i)
          work(tensor(i));
        stop.record(stream_);
        times.push_back(stop.since(start) / static_cast<double>(calls_));
      }
    }
    samples_ = times.size();
    return times;
  }

  /// What the caller sees: how long the call takes to return, and how long until the GPU is done.
  void measure_host(benchmark::State& state, const Work& work) {
    std::vector<double> returned, done;
    for (int i = 0; i < host_samples; ++i) {
      restore();
      require(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
      const auto start = Clock::now();
      work(tensor(0));
      returned.push_back(1e9 * seconds_since(start));
      require(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
      done.push_back(1e9 * seconds_since(start));
    }
    state.counters["call_time"] = median(returned);
    state.counters["end_to_end_time"] = median(done);
  }

  Work call_of() {
    // The block before a call, made from one number that asks for the delta that is wanted: the data's for APPLY; a
    // smaller one for UPDATE, so that the data decide.
    Float number = prepared_.largest * (row_.mode == GFPQ_MODE_UPDATE ? Float(0.125) : Float(1));
    before_ = {GFPQ_MODE_INIT, {}};
    check(measurements_.library_.on_cpu().quantize(&number, 1, row_.bits, &before_));
    before_.mode = row_.mode;
    return [this](Float* data) {
      after_ = before_;
      check(measurements_.library_.quantize(data, static_cast<unsigned>(row_.count), row_.bits, &after_, stream_));
    };
  }

  void check(int status) const {
    if (status != GFPQ_SUCCESS)
      throw std::runtime_error("the library returned " + std::to_string(status) + ": " +
                               measurements_.library_.on_cpu().last_message());
  }

  void verify() {
    std::vector<Float> result(row_.count);
    require(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    require(cudaMemcpy(result.data(), tensor(0), row_.bytes(), cudaMemcpyDeviceToHost), "cudaMemcpy");
    const std::string wrong = difference(result.data(), prepared_.expected.data, prepared_.source);
    if (!wrong.empty())
      throw std::runtime_error("wrong result: " + wrong);
    if (row_.contender->lib == "ours" && delta_of(after_) != prepared_.expected.delta)
      throw std::runtime_error("wrong parameter block: delta " + std::to_string(delta_of(after_)) + " instead of " +
                               std::to_string(prepared_.expected.delta));
  }

  Work limit_of(Op op) {
    const Work maximum = [this](Float* data) {
      require(cub_maximum(scratch_->at(), scratch_bytes_, data, row_.count, result_.at<Float>(), stream_), "CUB");
    };
    const auto copy_to = source_.at<Float>(); // of the same numbers: the source stays what it is
    if (op == Op::max)
      return label_ = "cub::DeviceReduce", maximum;
    if (op == Op::copy)
      return label_ = "cudaMemcpyAsync", [this, copy_to](Float* data) {
        require(cudaMemcpyAsync(copy_to, data, row_.bytes(), cudaMemcpyDeviceToDevice, stream_), "cudaMemcpy");
      };
    const int way = fastest_scale();
    label_ = "scale, " + std::to_string(16 * way) + " bytes a thread";
    const Work scaled = [this, way](Float* data) { require(scale(data, row_.count, way, stream_), "scale"); };
    if (op == Op::scale)
      return scaled;
    label_ = "cub::DeviceReduce + " + label_;
    return [maximum, scaled](Float* data) {
      maximum(data);
      scaled(data);
    };
  }

  /// Tried once for every kind of tensor, and kept.
  int fastest_scale() {
    const std::string key = std::to_string(sizeof(Float)) + " " + std::to_string(row_.count) +
                            (row_.cache == Cache::cold ? " cold" : " warm");
    if (const auto found = measurements_.fastest_scale_.find(key); found != measurements_.fastest_scale_.end())
      return found->second;
    int fastest = scale_ways[0];
    double best = HUGE_VAL;
    for (const int way : scale_ways) {
      const double time =
          quartile(sample([this, way](Float* data) { require(scale(data, row_.count, way, stream_), "scale"); }));
      if (time < best) {
        best = time;
        fastest = way;
      }
    }
    return measurements_.fastest_scale_[key] = fastest;
  }

  void report(benchmark::State& state, double time, const std::string& label) {
    const double seconds = time * 1e-9;
    state.SetIterationTime(seconds);
    state.SetLabel(label);
    state.counters["gbytes_per_second"] = row_.passes() * static_cast<double>(row_.bytes()) / seconds / 1e9;
    state.counters["ns_per_element"] = time / static_cast<double>(row_.count);
    state.counters["samples"] = static_cast<double>(samples_);
    state.counters["calls_per_sample"] = static_cast<double>(calls_);
  }

  GpuMeasurements& measurements_;
  const Row& row_;
  const Prepared<Float>& prepared_;
  const cudaStream_t stream_;
  const std::size_t stride_, tensors_, calls_;
  const DeviceMemory source_, memory_, flushed_, result_;
  std::size_t scratch_bytes_ = 0;
  std::unique_ptr<DeviceMemory> scratch_;
  GFPQ_PARAM_ST before_{}, after_{};
  std::size_t samples_ = 0;
  std::string label_;
};

template <class Float>
const Prepared<Float>& GpuMeasurements::prepare(const Row& row) {
  Prepared<Float>* prepared;
  if constexpr (sizeof(Float) == sizeof(float))
    prepared = &f32_;
  else
    prepared = &f64_;
  const std::string name = std::to_string(sizeof(Float)) + " " + std::to_string(static_cast<int>(row.data)) + " " +
                           std::to_string(row.count) + " " + std::to_string(row.bits);
  if (prepared_for_ != name) {
    prepared->source = make_data<Float>(row.data, row.count);
    prepared->largest = 0;
    for (const Float number : prepared->source)
      prepared->largest = std::max(prepared->largest, std::abs(number));
    prepared->expected = expect(prepared->source, row.bits);
    prepared_for_ = name;
  }
  return *prepared;
}

void GpuMeasurements::measure(benchmark::State& state, const Row& row) {
  for (auto _ : state) {
    try {
      if (row.type == Type::f32)
        Repetition<float>(*this, row, prepare<float>(row)).run(state);
      else
        Repetition<double>(*this, row, prepare<double>(row)).run(state);
    } catch (const std::exception& error) {
      state.SkipWithError(error.what());
      break;
    }
  }
}

} // namespace bench
