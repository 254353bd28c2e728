// Reads the golden data. A file whose checksum is not the one in golden/SHA256SUMS is an error.
#ifndef GFPQ_CONFORMANCE_ORACLE_GOLDEN_HPP
#define GFPQ_CONFORMANCE_ORACLE_GOLDEN_HPP

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gfpq.hpp"

namespace conformance {

/// Where golden/ lies, if not in the source; set once, before the first reading.
void set_golden_folder(const std::string& folder);

/// All golden data, in programs that need no file beside their own (pack_golden.py); defined in those alone.
std::string_view golden_pack();
/// Reads from a pack instead, unless it is empty.
void set_golden_pack(std::string_view pack);

/// A file's bytes.
std::string read_golden(const std::string& file);

/// The text of SHA256SUMS, which tells one set of golden data from another.
std::string golden_checksums();

/// Reads every file, so that a damaged one is not laid at a library's door.
void verify_golden();

/// One row of a table, by column. Throws std::runtime_error, naming the file, for a column that is not there.
class Row {
public:
  struct Header {
    std::string file;
    std::vector<std::string> columns;
  };
  Row(std::shared_ptr<const Header> header, std::vector<std::string> fields);

  /// `occurrence` counts columns of one name, from 0.
  const std::string& text(const std::string& column, int occurrence = 0) const;
  long integer(const std::string& column) const;

  /// The float or double with this bit pattern.
  template <class Float>
  Float number(const std::string& column, int occurrence = 0) const;

private:
  std::shared_ptr<const Header> header_;
  std::vector<std::string> fields_;
};

/// The rows of a CSV file, whose first line names the columns.
std::vector<Row> parse_table(const std::string& file, const std::string& text);
inline std::vector<Row> read_table(const std::string& file) { return parse_table(file, read_golden(file)); }

/// The float or double whose bit pattern the text gives in hexadecimal.
template <class Float>
Float from_bits(const std::string& hexadecimal);

/// Bit patterns separated by blanks.
template <class Float>
std::vector<Float> list_from_bits(const std::string& text);

/// A block from its 32 hexadecimal digits; the mode is left 0.
GFPQ_PARAM_ST block_from_hex(const std::string& hexadecimal);

/// A raw file of floats or doubles.
template <class Float>
std::vector<Float> parse_tensor(const std::string& file, const std::string& bytes);
template <class Float>
std::vector<Float> read_tensor(const std::string& file) {
  return parse_tensor<Float>(file, read_golden(file));
}

} // namespace conformance

#endif
