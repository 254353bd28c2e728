#include "golden.hpp"

#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>

#include "sha256.hpp"

namespace conformance {
namespace {

std::string folder = GFPQ_GOLDEN_FOLDER;

template <class Float>
using Bits = std::conditional_t<sizeof(Float) == 4, std::uint32_t, std::uint64_t>;

std::string path_of(const std::string& file) { return folder + "/" + file; }

std::string content(const std::string& file) {
  std::ifstream stream(path_of(file), std::ios::binary);
  if (!stream)
    throw std::runtime_error("cannot read " + path_of(file) + ": name the folder golden/ with --golden");
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

/// The checksums in golden/SHA256SUMS, by file.
const std::map<std::string, std::string>& checksums() {
  static const auto by_file = [] {
    std::map<std::string, std::string> result;
    std::istringstream lines(content("SHA256SUMS"));
    for (std::string sum, file; lines >> sum >> file;)
      result[file] = sum;
    return result;
  }();
  return by_file;
}

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> fields(1);
  for (const char c : line)
    if (c == separator)
      fields.emplace_back();
    else if (c != '\r')
      fields.back() += c;
  return fields;
}

} // namespace

void set_golden_folder(const std::string& path) { folder = path; }

std::string read_golden(const std::string& file) {
  const auto entry = checksums().find(file);
  if (entry == checksums().end())
    throw std::runtime_error(path_of("SHA256SUMS") + " does not list " + file);
  std::string bytes = content(file);
  if (sha256(bytes) != entry->second)
    throw std::runtime_error(path_of(file) + " is damaged: its checksum is not the one in SHA256SUMS; fetch it again");
  return bytes;
}

void verify_golden() {
  for (const auto& [file, sum] : checksums())
    read_golden(file);
}

Row::Row(std::shared_ptr<const Header> header, std::vector<std::string> fields)
    : header_(std::move(header)), fields_(std::move(fields)) {
  if (fields_.size() != header_->columns.size())
    throw std::runtime_error(header_->file + ": a row has " + std::to_string(fields_.size()) + " fields instead of " +
                             std::to_string(header_->columns.size()));
}

const std::string& Row::text(const std::string& column, int occurrence) const {
  for (std::size_t i = 0; i < fields_.size(); ++i)
    if (header_->columns[i] == column && occurrence-- == 0)
      return fields_[i];
  throw std::runtime_error(header_->file + " has no column " + column);
}

long Row::integer(const std::string& column) const { return std::stol(text(column)); }

template <class Float>
Float Row::number(const std::string& column, int occurrence) const {
  return from_bits<Float>(text(column, occurrence));
}

std::vector<Row> read_table(const std::string& file) {
  std::istringstream stream(read_golden(file));
  std::string line;
  std::getline(stream, line);
  const auto header = std::make_shared<const Row::Header>(Row::Header{file, split(line, ',')});
  std::vector<Row> rows;
  while (std::getline(stream, line))
    rows.emplace_back(header, split(line, ','));
  return rows;
}

template <class Float>
Float from_bits(const std::string& hexadecimal) {
  if (hexadecimal.size() != 2 * sizeof(Float))
    throw std::runtime_error("\"" + hexadecimal + "\" is not the bit pattern of a " +
                             std::to_string(8 * sizeof(Float)) + "-bit number");
  const auto bits = static_cast<Bits<Float>>(std::stoull(hexadecimal, nullptr, 16));
  Float number;
  std::memcpy(&number, &bits, sizeof number);
  return number;
}

template <class Float>
std::vector<Float> list_from_bits(const std::string& text) {
  std::vector<Float> numbers;
  std::istringstream words(text);
  for (std::string word; words >> word;)
    numbers.push_back(from_bits<Float>(word));
  return numbers;
}

GFPQ_PARAM_ST block_from_hex(const std::string& hexadecimal) {
  if (hexadecimal.size() != 2 * GFPQ_PARAM_LEN)
    throw std::runtime_error("\"" + hexadecimal + "\" is not a block of 16 bytes");
  GFPQ_PARAM_ST param{};
  for (std::size_t i = 0; i < GFPQ_PARAM_LEN; ++i)
    param.buf[i] = static_cast<unsigned char>(std::stoul(hexadecimal.substr(2 * i, 2), nullptr, 16));
  return param;
}

template <class Float>
std::vector<Float> read_tensor(const std::string& file) {
  const std::string bytes = read_golden(file);
  std::vector<Float> numbers(bytes.size() / sizeof(Float));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(Float));
  return numbers;
}

template float Row::number<float>(const std::string&, int) const;
template double Row::number<double>(const std::string&, int) const;
template float from_bits<float>(const std::string&);
template double from_bits<double>(const std::string&);
template std::vector<float> list_from_bits<float>(const std::string&);
template std::vector<double> list_from_bits<double>(const std::string&);
template std::vector<float> read_tensor<float>(const std::string&);
template std::vector<double> read_tensor<double>(const std::string&);

} // namespace conformance
