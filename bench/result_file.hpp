// The result file, which is whole JSON at every moment and takes its name only at the end.
#ifndef GFPQ_BENCH_RESULT_FILE_HPP
#define GFPQ_BENCH_RESULT_FILE_HPP

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>

namespace bench {

using Json = nlohmann::ordered_json;

/// Rows are written to FILE.partial as they come, so that a run that ends early leaves what it measured, and does not
/// harm the FILE of an earlier one. All functions throw std::system_error.
class ResultFile {
public:
  ResultFile(const std::string& path, const Json& context);
  ~ResultFile();
  ResultFile(const ResultFile&) = delete;
  ResultFile& operator=(const ResultFile&) = delete;

  /// A line for the row. Where it cannot be written, the rows before it remain.
  void add(const Json& row);

  /// Adds what is known only now, and gives the file its name.
  void finish(const Json& run);

private:
  void append(const std::string& text, const std::string& end);

  std::string path_;
  std::string partial_;
  int file_;
  off_t end_ = 0; ///< of the rows: what closes the list comes behind it, and is overwritten by the next row
  const char* separator_ = "\n";
};

/// The file that is written until the end of a run.
std::string partial_path(const std::string& path);

} // namespace bench

#endif
