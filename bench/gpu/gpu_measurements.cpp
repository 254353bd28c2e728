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
constexpr std::size_t least_slow_samples = 3; // where they take long
constexpr double slow = 1e9;                  // nanoseconds, all samples together
constexpr int host_samples = 15;
constexpr std::size_t small_pieces = std::size_t(16) << 20; // what a row needs beside tensors
constexpr std::size_t cold_pool_bytes = std::size_t(256) << 20;
/// Of a longer tensor the numbers repeat: made one by one they would take longer than all measurements.
constexpr std::size_t most_prepared = std::size_t(1) << 24;

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

GpuMeasurements::GpuMeasurements(const Device& device, const GpuLibrary& library, const GpuLibrary* peer)
    : device_(device), library_(library), peer_(peer) {
  require(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
}

GpuMeasurements::~GpuMeasurements() { cudaStreamDestroy(stream_); }

std::size_t GpuMeasurements::memory_of(const Row& row) const {
  return (tensors_for(row, device_.l2_bytes) + 1 + row.is_job) * padded(row.bytes()) + 2 * device_.l2_bytes +
         small_pieces;
}

void GpuMeasurements::reserve(std::size_t bytes) {
  memory_ = std::make_unique<DeviceMemory>(bytes);
  memory_bytes_ = bytes;
}

/// The tensors of one row and what is done with them.
template <class Float>
class GpuMeasurements::Repetition {
  using Work = std::function<void(Float*)>;

public:
  Repetition(GpuMeasurements& measurements, const Row& row, const Prepared<Float>& prepared)
      : measurements_(measurements), row_(row), prepared_(prepared), stream_(measurements.stream_),
        stride_(padded(row.bytes())), tensors_(tensors_for(row, measurements.device_.l2_bytes)),
        calls_(calls_per_sample(row, measurements.device_.l2_bytes)), source_(take(stride_)),
        memory_(take(tensors_ * stride_)), flushed_(take(2 * measurements.device_.l2_bytes)), result_(take(256)),
        param_(take(sizeof(GFPQ_GROUP_PARAM_ST))) {
    for_each_repetition([&](std::size_t first, std::size_t count) {
      require(cudaMemcpyAsync(source_.at<Float>() + first, prepared.on_device->template at<Float>(),
                              count * sizeof(Float), cudaMemcpyDeviceToDevice, stream_),
              "cudaMemcpy");
    });
    require(cub_maximum<Float>(nullptr, scratch_bytes_, source_.at<Float>(), row.count, result_.at<Float>(), stream_),
            "cub::DeviceReduce");
    scratch_ = take(scratch_bytes_ + 1);
    if (row.is_job)
      results_ = take(stride_);
  }

  void run(benchmark::State& state) {
    const Work limit = limit_of(row_.limit());
    if (row_.kind == Kind::limit) {
      report(state, median(sample(limit)), label_);
      return;
    }
    const Work call = row_.is_job ? job_of() : call_of(measurements_.library_);
    const Work peer = measurements_.peer_ != nullptr ? call_of(*measurements_.peer_) : Work([this](Float* data) {
      require(cub_transform(data, row_.count, row_.bits, prepared_.expected.delta, stream_), "cub::DeviceTransform");
    });
    const Work& own = row_.contender->lib == "peer" ? peer : call;
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
      const double peer_time = median(sample(peer));
      state.counters["peer_time"] = peer_time;
      state.counters["peer_ratio"] = peer_time / time;
    }
    measure_host(state, own);
  }

private:
  /// Some of the memory that was reserved for all rows.
  struct Piece {
    char* begin = nullptr;

    template <class T = void>
    T* at(std::size_t offset = 0) const {
      return reinterpret_cast<T*>(begin + offset);
    }
  };

  Piece take(std::size_t bytes) {
    const std::size_t first = taken_;
    taken_ += padded(bytes);
    if (taken_ > measurements_.memory_bytes_)
      throw std::logic_error("more memory is needed than was reserved");
    return {measurements_.memory_->at<char>(first)};
  }

  /// Calls `part(first, count)` for each repetition of the prepared numbers in a tensor.
  template <class Part>
  void for_each_repetition(const Part& part) const {
    const std::size_t period = prepared_.source.size();
    for (std::size_t first = 0; first < row_.count; first += period)
      part(first, std::min(period, row_.count - first));
  }

  Float* tensor(std::size_t index) const { return memory_.at<Float>(index * stride_); }

  void restore() {
    for (std::size_t i = 0; i < tensors_; ++i)
      require(cudaMemcpyAsync(tensor(i), source_.at(), row_.bytes(), cudaMemcpyDeviceToDevice, stream_), "cudaMemcpy");
    if (row_.cache == Cache::cold) {
      require(cudaMemsetAsync(flushed_.at(), 0, 2 * measurements_.device_.l2_bytes, stream_), "cudaMemset");
    } else {
      for (std::size_t i = 0; i < tensors_; ++i)
        require(scale(tensor(i), row_.count, scale_ways[0], stream_), "scale");
    }
  }

  /// GPU times of single calls, in nanoseconds: between two events, the stream held until all of it is queued.
  std::vector<double> sample(const Work& work) {
    std::vector<double> times;
    double total = 0;
    Event start, stop;
    while (times.size() < (total < slow ? least_samples : least_slow_samples)) {
      restore();
      for (std::size_t first = 0; first + calls_ <= tensors_; first += calls_) {
        require(hold(stream_, hold_microseconds * static_cast<int>(1 + calls_)), "hold");
        start.record(stream_);
        for (std::size_t i = first; i < first + calls_; ++i)
          work(tensor(i));
        stop.record(stream_);
        const double time = stop.since(start);
        total += time;
        times.push_back(time / static_cast<double>(calls_));
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

  Work call_of(const GpuLibrary& library) {
    // The block before a call, made from one number that asks for the delta that is wanted: the data's for APPLY; a
    // smaller one for UPDATE, so that the data decide.
    Float number = prepared_.largest * (row_.mode == GFPQ_MODE_UPDATE ? Float(0.125) : Float(1));
    before_ = {GFPQ_MODE_INIT, {}};
    check(measurements_.library_.on_cpu().quantize(&number, 1, row_.bits, &before_));
    before_.mode = row_.mode;
    return [this, &library](Float* data) {
      after_ = before_;
      check(library.quantize(data, static_cast<unsigned>(row_.count), row_.bits, &after_, stream_));
    };
  }

  /// UPDATE in its steady state: no number asks for more than the parameter has.
  Work job_of() {
    Float number = prepared_.largest;
    GFPQ_PARAM_ST block{GFPQ_MODE_INIT, {}};
    check(measurements_.library_.on_cpu().quantize(&number, 1, row_.bits, &block));
    GFPQ_GROUP_PARAM_ST param{};
    std::copy(std::begin(block.buf), std::end(block.buf), param.buf);
    require(cudaMemcpyAsync(param_.at(), &param, sizeof param, cudaMemcpyHostToDevice, stream_), "cudaMemcpy");
    require(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    GFPQ_JOB_ST job{};
    job.operation = GFPQ_FAKE_QUANTIZE;
    job.type = sizeof(Float) == sizeof(float) ? GFPQ_FLOAT32 : GFPQ_FLOAT64;
    job.bit_width = row_.bits;
    job.mode = GFPQ_MODE_UPDATE;
    job.outer = job.groups = 1;
    job.inner = row_.count;
    job.destination = results_.at();
    job.params = param_.at<GFPQ_GROUP_PARAM_ST>();
    return [this, job](Float* data) mutable {
      job.source = data;
      check(measurements_.library_.run(job, stream_));
    };
  }

  void check(int status) const {
    if (status != GFPQ_SUCCESS)
      throw std::runtime_error("the library returned " + std::to_string(status) + ": " +
                               measurements_.library_.on_cpu().last_message());
  }

  void verify() {
    const Float* const written = row_.is_job ? results_.at<Float>() : tensor(0);
    if (differences_in(written) != 0)
      throw std::runtime_error("wrong result: " + difference_in(written));
    if (differences_in(source_.at<Float>()) == 0)
      throw std::runtime_error("the comparison finds no difference where there are some");
    if (row_.is_job) {
      GFPQ_GROUP_PARAM_ST param{};
      require(cudaMemcpy(&param, param_.at(), sizeof param, cudaMemcpyDeviceToHost), "cudaMemcpy");
      std::copy(std::begin(param.buf), std::end(param.buf), after_.buf);
      check(param.status);
    }
    if (row_.contender->lib == "ours" && delta_of(after_) != prepared_.expected.delta)
      throw std::runtime_error("wrong parameter block: delta " + std::to_string(delta_of(after_)) + " instead of " +
                               std::to_string(prepared_.expected.delta));
  }

  /// How many numbers are not what they should be.
  unsigned long long differences_in(const Float* written) const {
    const Float* const expected = prepared_.expected_on_device->template at<Float>();
    unsigned long long* const differences = result_.at<unsigned long long>();
    require(cudaMemsetAsync(differences, 0, sizeof *differences, stream_), "cudaMemset");
    for_each_repetition([&](std::size_t first, std::size_t count) {
      require(count_differences(written + first, expected, count, differences, stream_), "count_differences");
    });
    unsigned long long found = 0;
    require(cudaMemcpyAsync(&found, differences, sizeof found, cudaMemcpyDeviceToHost, stream_), "cudaMemcpy");
    require(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    return found;
  }

  /// What differs in the first repetition of the prepared numbers that is wrong.
  std::string difference_in(const Float* written) const {
    std::string wrong;
    for_each_repetition([&](std::size_t first, std::size_t count) {
      if (!wrong.empty())
        return;
      std::vector<Float> result = prepared_.expected.data; // of which the last repetition may be a part
      require(cudaMemcpy(result.data(), written + first, count * sizeof(Float), cudaMemcpyDeviceToHost), "cudaMemcpy");
      wrong = difference(result.data(), prepared_.expected.data, prepared_.source);
      if (!wrong.empty())
        wrong = "in the repetition from element " + std::to_string(first) + " on, " + wrong;
    });
    return wrong;
  }

  Work limit_of(Op op) {
    const Work maximum = [this](Float* data) {
      require(cub_maximum(scratch_.at(), scratch_bytes_, data, row_.count, result_.at<Float>(), stream_), "CUB");
    };
    const auto copy_to = source_.at<Float>(); // of the same numbers: the source stays what it is
    if (op == Op::max)
      return label_ = "cub::DeviceReduce", maximum;
    if (op == Op::copy)
      return label_ = "cudaMemcpyAsync", [this, copy_to](Float* data) {
        require(cudaMemcpyAsync(copy_to, data, row_.bytes(), cudaMemcpyDeviceToDevice, stream_), "cudaMemcpy");
      };
    const auto scaled = [this](ScaleWay way) -> Work {
      return [this, way](Float* data) { require(scale(data, row_.count, way, stream_), "scale"); };
    };
    if (op == Op::scale) {
      const ScaleWay way = fastest_way("scale", scaled);
      return label_ = name_of(way), scaled(way);
    }
    const auto both = [maximum, scaled](ScaleWay way) -> Work {
      return [maximum, scale_it = scaled(way)](Float* data) {
        maximum(data);
        scale_it(data);
      };
    };
    const ScaleWay way = fastest_way("max+scale", both);
    return label_ = "cub::DeviceReduce + " + name_of(way), both(way);
  }

  static std::string name_of(ScaleWay way) {
    return "scale, " + std::to_string(16 * way.vectors) + " bytes a thread" + (way.from_end ? ", from the end" : "");
  }

  /// Tried once for every kind of tensor, and kept.
  ScaleWay fastest_way(const char* op, const std::function<Work(ScaleWay)>& work_by) {
    const std::string key = std::string(op) + " " + std::to_string(sizeof(Float)) + " " + std::to_string(row_.count) +
                            (row_.cache == Cache::cold ? " cold" : " warm");
    if (const auto found = measurements_.fastest_way_.find(key); found != measurements_.fastest_way_.end())
      return found->second;
    ScaleWay fastest = scale_ways[0];
    double best = HUGE_VAL;
    for (const ScaleWay way : scale_ways)
      if (const double time = quartile(sample(work_by(way))); time < best) {
        best = time;
        fastest = way;
      }
    return measurements_.fastest_way_[key] = fastest;
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
  std::size_t taken_ = 0; ///< of the reserved memory
  const Piece source_, memory_, flushed_, result_, param_;
  std::size_t scratch_bytes_ = 0;
  Piece scratch_, results_; ///< the latter of a job
  GFPQ_PARAM_ST before_{}, after_{};
  std::size_t samples_ = 0;
  std::string label_;
};

template <class Float>
const Prepared<Float>& GpuMeasurements::prepare(const Row& row) {
  const std::size_t count = std::min(row.count, most_prepared);
  const std::string name =
      std::to_string(static_cast<int>(row.data)) + " " + std::to_string(count) + " " + std::to_string(row.bits);
  std::map<std::string, Prepared<Float>>* kept;
  if constexpr (sizeof(Float) == sizeof(float))
    kept = &f32_;
  else
    kept = &f64_;
  if (const auto found = kept->find(name); found != kept->end())
    return found->second;
  const std::size_t bytes = 2 * count * sizeof(Float);
  if (kept_bytes_ + bytes > device_.memory_bytes / 4) {
    f32_.clear();
    f64_.clear();
    kept_bytes_ = 0;
  }
  kept_bytes_ += bytes;
  Prepared<Float>& prepared = (*kept)[name];
  const auto upload = [&](const std::vector<Float>& numbers) {
    auto memory = std::make_unique<DeviceMemory>(numbers.size() * sizeof(Float));
    require(cudaMemcpy(memory->at(), numbers.data(), numbers.size() * sizeof(Float), cudaMemcpyHostToDevice),
            "cudaMemcpy");
    return memory;
  };
  prepared.source = make_data<Float>(row.data, count);
  for (const Float number : prepared.source)
    prepared.largest = std::max(prepared.largest, std::abs(number));
  prepared.expected = expect(prepared.source, row.bits);
  prepared.on_device = upload(prepared.source);
  prepared.expected_on_device = upload(prepared.expected.data);
  require(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); // other streams don't wait for pageable memory
  return prepared;
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
