#include "streams.hpp"

#include <algorithm>
#include <memory>

#include "ptx_device.hpp"

namespace gfpq {
namespace ptx {
namespace {

std::vector<std::unique_ptr<Stream>>& created() {
  static auto& streams = *new std::vector<std::unique_ptr<Stream>>;
  return streams;
}

Stream& legacy() {
  static Stream& stream = *new Stream;
  return stream;
}

thread_local cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;
thread_local cudaError_t last_error = cudaSuccess;

} // namespace

std::unique_lock<std::recursive_mutex> lock_device() {
  static auto& mutex = *new std::recursive_mutex;
  return std::unique_lock<std::recursive_mutex>(mutex);
}

cudaError_t done(cudaError_t error) {
  if (error != cudaSuccess)
    last_error = error;
  return error;
}

Stream& stream_of(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy)
    return legacy();
  for (const auto& stream : created())
    if (reinterpret_cast<cudaStream_t>(stream.get()) == handle)
      return *stream;
  fault("a stream that does not exist");
}

cudaStream_t create_stream(bool waits_for_legacy) {
  created().push_back(std::make_unique<Stream>());
  created().back()->waits_for_legacy = waits_for_legacy;
  return reinterpret_cast<cudaStream_t>(created().back().get());
}

void destroy_stream(cudaStream_t handle) {
  Stream& stream = stream_of(handle);
  finish(stream);
  auto& all = created();
  all.erase(std::find_if(all.begin(), all.end(), [&](const auto& other) { return other.get() == &stream; }));
}

void enqueue(Stream& stream, Work work) {
  if (stream.captured != nullptr) {
    stream.captured->nodes.push_back(std::move(work));
    return;
  }
  if (&stream == &legacy()) {
    for (const auto& other : created())
      if (other->waits_for_legacy)
        finish(*other);
  } else if (stream.waits_for_legacy) {
    finish(legacy());
  }
  stream.pending.push_back(std::move(work));
}

void finish(Stream& stream) {
  std::vector<Work> all;
  all.swap(stream.pending);
  for (const Work& work : all)
    work();
}

void finish_all() {
  finish(legacy());
  for (const auto& stream : created())
    finish(*stream);
}

bool is_forbidden_by_capture() {
  if (thread_mode == cudaStreamCaptureModeRelaxed)
    return false;
  bool is_forbidden = false;
  for (const auto& stream : created())
    if (stream->captured != nullptr && stream->capture_mode != cudaStreamCaptureModeRelaxed) {
      stream->is_capture_valid = false;
      is_forbidden = true;
    }
  return is_forbidden;
}

} // namespace ptx
} // namespace gfpq

using namespace gfpq::ptx;

extern "C" {

cudaError_t cudaGetLastError() {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}

cudaError_t cudaPeekAtLastError() { return last_error; }
const char* cudaGetErrorString(cudaError_t) { return "an error of the CUDA that stands in"; }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  const auto lock = lock_device();
  *stream = create_stream(flags != cudaStreamNonBlocking);
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const auto lock = lock_device();
  destroy_stream(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  const auto lock = lock_device();
  Stream& stream = stream_of(handle);
  if (stream.captured != nullptr) {
    stream.is_capture_valid = false;
    return done(cudaErrorStreamCaptureUnsupported);
  }
  ++counters.waits;
  finish(stream);
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  const auto lock = lock_device();
  if (is_forbidden_by_capture())
    return done(cudaErrorStreamCaptureUnsupported);
  ++counters.waits;
  finish_all();
  return cudaSuccess;
}

cudaError_t cudaDeviceReset() { return cudaDeviceSynchronize(); }

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const auto lock = lock_device();
  *status = stream_of(stream).captured != nullptr ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  std::swap(*mode, thread_mode);
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  const auto lock = lock_device();
  Stream& stream = stream_of(handle);
  if (&stream == &legacy() || stream.captured != nullptr)
    return done(cudaErrorStreamCaptureUnsupported);
  stream.captured = new Graph;
  stream.capture_mode = mode;
  stream.is_capture_valid = true;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  const auto lock = lock_device();
  Stream& stream = stream_of(handle);
  std::unique_ptr<Graph> captured(stream.captured);
  stream.captured = nullptr;
  *graph = nullptr;
  if (captured == nullptr || !stream.is_capture_valid)
    return done(captured == nullptr ? cudaErrorIllegalState : cudaErrorStreamCaptureInvalidated);
  *graph = reinterpret_cast<cudaGraph_t>(captured.release());
  return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  if (nodes != nullptr) // who asks for more than their number
    return done(cudaErrorNotSupported);
  *count = reinterpret_cast<Graph*>(graph)->nodes.size();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = reinterpret_cast<cudaGraphExec_t>(new Graph(*reinterpret_cast<Graph*>(graph)));
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  const auto lock = lock_device();
  for (const Work& node : reinterpret_cast<Graph*>(executable)->nodes)
    enqueue(stream_of(stream), node);
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete reinterpret_cast<Graph*>(executable);
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete reinterpret_cast<Graph*>(graph);
  return cudaSuccess;
}
}
