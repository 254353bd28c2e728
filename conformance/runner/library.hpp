// The library under test: known by its file and by the interfaces of gfpq.hpp and gfpq_jobs.hpp alone.
#ifndef GFPQ_CONFORMANCE_RUNNER_LIBRARY_HPP
#define GFPQ_CONFORMANCE_RUNNER_LIBRARY_HPP

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "gfpq_jobs.hpp"

namespace conformance {

enum class Device { cpu, gpu };

/// Which function a call goes to: the overloaded C++ one, or the `_PY` one for float.
enum class Entry { cpp, python };

/// A kind of tensor.
struct Kind {
  int bits;
  bool is_double;
  bool operator==(const Kind& other) const { return bits == other.bits && is_double == other.is_double; }
};

/// How long the library's calls take at the least, in seconds.
struct Pace {
  static constexpr std::size_t few_numbers = 12, more_numbers = 300;
  double of_few = 0, of_more = 0;

  /// Whether calls on so many numbers, or as many as calls on few of them are made with, take so long that cases of
  /// many calls would take minutes: a library may start threads at each call.
  bool is_slow(std::size_t numbers) const { return (numbers <= few_numbers ? of_few : of_more) > 50e-6; }
};

/// A function that the library should have and has not.
struct MissingFunction : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A C++ exception left the library.
struct LibraryThrew : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A function of gfpq.hpp, or behind those of gfpq_jobs.hpp.
enum class Function : std::uint32_t {
  get_info,
  quantize,
  quantize_py,
  quantize_gpu,
  quantize_gpu_py,
  run_jobs,
  get_blocks,
  set_blocks,
  get_deltas,
  set_deltas,
  run_jobs_gpu
};
const char* name(Function function);

/// Told of each call, on the thread that makes it.
class CallObserver {
public:
  virtual ~CallObserver() = default;
  virtual void before(Function function, unsigned count, unsigned bits, const GFPQ_PARAM_ST* param,
                      std::size_t type_size) = 0;
  virtual void after() = 0;
};

class Library {
public:
  /// Throws std::runtime_error with the loader's reason where the file is no library.
  explicit Library(const std::string& path);

  const std::string& path() const { return path_; }
  std::string file_name() const;

  /// The names of gfpq.hpp's functions that the library does not export.
  const std::vector<std::string>& missing() const { return missing_; }

  /// Whether it has a function for this type.
  template <class Float>
  bool has(Device device, Entry entry) const;
  bool has_info() const { return get_info_ != nullptr; }

  /// What a call goes to, by its name in gfpq.hpp.
  template <class Float>
  Function function(Device device, Entry entry) const;
  template <class Float>
  const char* function_name(Device device, Entry entry) const {
    return name(function<Float>(device, entry));
  }

  /// From now on, an observer is told of each call, and an exception that leaves the library becomes LibraryThrew.
  void set_observer(CallObserver* observer) { observer_ = observer; }

  // These throw MissingFunction where the library has none. A library without the C++ function for float is called by
  // its `_PY` function instead.
  template <class Float>
  int quantize(Device device, Float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param,
               Entry entry = Entry::cpp) const;
  int quantize_py(Device device, float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) const {
    return quantize(device, data, count, bits, param, Entry::python);
  }
  int get_info(GFPQ_INFO_ST* info) const;

  /// Whether it has the functions of gfpq_jobs.hpp. They are no part of gfpq.hpp's interface: a library may lack them.
  bool has_jobs(Device device) const;
  int run_jobs(const GFPQ_JOB_ST* jobs, unsigned count) const;
  int run_jobs_gpu(const GFPQ_JOB_ST* jobs, unsigned count) const; ///< on the default stream
  int get_blocks(const GFPQ_GROUP_PARAM_ST* params, std::size_t count, GFPQ_PARAM_ST* blocks) const;
  int set_blocks(GFPQ_GROUP_PARAM_ST* params, std::size_t count, unsigned bits, const GFPQ_PARAM_ST* blocks) const;
  int get_deltas(const GFPQ_JOB_ST* jobs, unsigned count, int* deltas, std::size_t size) const;
  int set_deltas(const GFPQ_JOB_ST* jobs, unsigned count, const int* deltas, std::size_t size) const;

  /// The version as the library tells it; all zero where it does not.
  GFPQ_INFO_ST info() const;

private:
  template <class Float>
  using Quantize = int(Float*, unsigned, unsigned, GFPQ_PARAM_ST*);
  template <class Float>
  using QuantizeGpu = int(Float*, unsigned, unsigned, GFPQ_PARAM_ST*, void*, void*);
  template <class Float>
  struct Functions {
    Quantize<Float>* cpu = nullptr;
    QuantizeGpu<Float>* gpu = nullptr;
    bool has(Device device) const { return device == Device::gpu ? gpu != nullptr : cpu != nullptr; }
  };

  /// What a call goes to.
  template <class Float>
  const Functions<Float>& functions(Device device, Entry entry) const;

  /// Throws MissingFunction where the library lacks a function of gfpq_jobs.hpp.
  template <class Pointer, class... Arguments>
  int call_job_function(Function function, const GFPQ_JOB_ST* job, Pointer* address, Arguments... arguments) const;

  template <class Call>
  int observed(Function function, unsigned count, unsigned bits, const GFPQ_PARAM_ST* param, std::size_t type_size,
               Call call) const;

  std::string path_;
  std::vector<std::string> missing_;
  CallObserver* observer_ = nullptr;
  Functions<float> float_, py_;
  Functions<double> double_;
  int (*get_info_)(GFPQ_INFO_ST*) = nullptr;
  decltype(GFPQ_RunJobs)* run_jobs_ = nullptr;
  decltype(GFPQ_RunJobs_GPU)* run_jobs_gpu_ = nullptr;
  decltype(GFPQ_GetBlocks)* get_blocks_ = nullptr;
  decltype(GFPQ_SetBlocks)* set_blocks_ = nullptr;
  decltype(GFPQ_GetDeltas)* get_deltas_ = nullptr;
  decltype(GFPQ_SetDeltas)* set_deltas_ = nullptr;
};

/// `1.1.5`
std::string version_of(const GFPQ_INFO_ST& info);

} // namespace conformance

#endif
