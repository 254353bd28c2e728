// One row of a result file: what is measured, and the name that says so (SCHEMA.md).
#ifndef GFPQ_BENCH_ROW_HPP
#define GFPQ_BENCH_ROW_HPP

#include <cstddef>
#include <string>

#include "gfpq.hpp"

namespace bench {

class Library;

enum class Kind { quantize, limit };
enum class Type { f32, f64 };
enum class Op { scale, max, copy, max_scale };
enum class Data { guide, weights, activations };
enum class Cache { cold, warm };

/// A library at one instruction set.
struct Contender {
  std::string lib;    ///< `ours` or `peer`
  std::string target; ///< `own` where the library chooses and does not say
  const Library* library;
};

constexpr int own_threads = 0; ///< the library decides how many

struct Row {
  Kind kind = Kind::quantize;
  const Contender* contender = nullptr;
  const Contender* peer = nullptr; ///< measured beside the contender, for the ratio
  Op op = Op::scale;               ///< of a limit
  Type type = Type::f32;
  unsigned bits = 8;
  GFPQ_MODE_E mode = GFPQ_MODE_APPLY_ONLY;
  bool is_job = false; ///< by GFPQ_RunJobs_GPU, out of place, with the parameter on the device
  Data data = Data::guide;
  std::size_t count = 0;
  int threads = 1;
  Cache cache = Cache::cold;
  double seconds = 0; ///< how long a repetition goes on taking samples

  std::size_t element_size() const { return type == Type::f32 ? sizeof(float) : sizeof(double); }
  std::size_t bytes() const { return count * element_size(); }

  /// What bounds this row; a limit's is itself.
  Op limit() const;

  /// How often the tensor crosses the memory bus, reads and writes together.
  int passes() const;

  std::string name() const;
};

const char* name_of(Op op);

} // namespace bench

#endif
