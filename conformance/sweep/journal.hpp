// What a sweep has done, kept so that a run that was killed goes on where it was.
#ifndef GFPQ_CONFORMANCE_SWEEP_JOURNAL_HPP
#define GFPQ_CONFORMANCE_SWEEP_JOURNAL_HPP

#include <string>
#include <vector>

#include "delta_sweep.hpp"

namespace conformance {

/// What the results depend on: a journal made with another is refused.
struct Identity {
  std::string library_sha256, target;
  Method method;
};

/// The results in FILE and in every FILE.1, FILE.2 ..., the journals of a sweep's ranks. A last line that was cut off
/// is left out. Throws std::runtime_error for another sweep's journal, and for any other damage.
std::vector<DeltaResult> read_journals(const std::string& path, const Identity& identity);

/// One line for each delta, on the disk before `add` returns.
class Journal {
public:
  /// Goes on with the file behind its last whole line. Throws std::runtime_error where another process has it open.
  Journal(const std::string& path, const Identity& identity);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// One call at a time.
  void add(const DeltaResult& result);

private:
  void append(const std::string& line);

  std::string path_;
  int file_;
};

} // namespace conformance

#endif
