// A library under test, known by its file and by the interface of gfpq.hpp alone.
#ifndef GFPQ_BENCH_LIBRARY_HPP
#define GFPQ_BENCH_LIBRARY_HPP

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "gfpq.hpp"

namespace bench {

/// Says what is wrong with a library file, in words for the user.
struct LibraryError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Library {
public:
  explicit Library(const std::string& path);

  int quantize(float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) const {
    return quantize_float_(data, count, bits, param);
  }
  int quantize(double* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) const {
    return quantize_double_(data, count, bits, param);
  }

  GFPQ_INFO_ST info() const;

  /// Whether the number of threads that the library uses can be set.
  bool can_set_threads() const { return set_threads_ != nullptr || is_ours(); }
  void set_threads(int count) const;

  /// The last error message of any library that has GFPQ_SetMessageSink; such messages are not printed.
  static const std::string& last_message();

private:
  template <class Function>
  void resolve(Function*& function, const char* symbol, bool required);
  bool is_ours() const { return set_message_sink_ != nullptr; }

  std::string path_;
  void* handle_;
  int (*quantize_float_)(float*, unsigned, unsigned, GFPQ_PARAM_ST*);
  int (*quantize_double_)(double*, unsigned, unsigned, GFPQ_PARAM_ST*);
  int (*get_info_)(GFPQ_INFO_ST*);
  void (*set_message_sink_)(GFPQ_MESSAGE_SINK, void*);
  void (*set_threads_)(int);
};

/// The library once for each instruction set that it has on this machine.
struct TargetLibrary {
  std::string target;
  std::unique_ptr<Library> library;
};

/// Fastest first; a single `own` where the library gives no choice. With GFPQ_TARGET in the environment, that one only.
std::vector<TargetLibrary> load_targets(const std::string& path);

} // namespace bench

#endif
