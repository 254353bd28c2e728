// Streams that do nothing until something waits for them: work is as late as CUDA allows, so what relies on more is
// found.
#ifndef GFPQ_TESTS_PTX_STREAMS_HPP
#define GFPQ_TESTS_PTX_STREAMS_HPP

#include <cuda_runtime_api.h>

#include <functional>
#include <mutex>
#include <vector>

namespace gfpq {
namespace ptx {

using Work = std::function<void()>;

struct Graph {
  std::vector<Work> nodes;
};

struct Stream {
  bool waits_for_legacy = false; ///< and the legacy stream for it: not created with cudaStreamNonBlocking
  std::vector<Work> pending;
  Graph* captured = nullptr; ///< while it is being captured
  cudaStreamCaptureMode capture_mode = cudaStreamCaptureModeGlobal;
  bool is_capture_valid = true;
};

/// Every function of CUDA holds it: work of all streams is done by one host thread at a time.
std::unique_lock<std::recursive_mutex> lock_device();

/// The thread's last error, as CUDA keeps it.
cudaError_t done(cudaError_t error);

Stream& stream_of(cudaStream_t handle);
cudaStream_t create_stream(bool waits_for_legacy);
void destroy_stream(cudaStream_t handle); ///< its work is done before

void enqueue(Stream& stream, Work work);
void finish(Stream& stream);
void finish_all();

/// What may wait or allocate is not allowed while a stream is captured, unless the thread has said that it may: as CUDA
/// has it, the capture fails.
bool is_forbidden_by_capture();

} // namespace ptx
} // namespace gfpq

#endif
