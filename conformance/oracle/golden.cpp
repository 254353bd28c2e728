#include "oracle/golden.hpp"

#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>

#include "oracle/sha256.hpp"

namespace conformance {
namespace {

std::string folder = GFPQ_GOLDEN_FOLDER;
std::map<std::string, std::string_view> packed; // by file; empty where the folder is read

template <class Float>
using Bits = std::conditional_t<sizeof(Float) == 4, std::uint32_t, std::uint64_t>;

std::string path_of(const std::string& file) { return packed.empty() ? folder + "/" + file : file; }

std::string content(const std::string& file) {
  if (!packed.empty()) {
    const auto found = packed.find(file);
    if (found == packed.end())
      throw std::runtime_error("the golden data of this program lack " + file);
    return std::string(found->second);
  }
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

/// The number that a text of exactly this many digits spells, or of any length where that is 0.
template <class Number>
Number parse(const std::string& text, int base, std::size_t digits, const std::string& what) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || stopped != end || (digits != 0 && text.size() != digits))
    throw std::runtime_error("\"" + text + "\" is not " + what);
  return number;
}

} // namespace

void set_golden_folder(const std::string& path) {
  folder = path;
  packed.clear();
}

void set_golden_pack(std::string_view pack) {
  const std::size_t index_size = pack.empty() ? 0 : pack.find("\n\n") + 2;
  std::istringstream index{std::string(pack.substr(0, index_size))};
  std::size_t size, begin = index_size;
  for (std::string file; index >> size >> file; begin += size)
    packed[file] = pack.substr(begin, size);
}

std::string read_golden(const std::string& file) {
  const auto entry = checksums().find(file);
  if (entry == checksums().end())
    throw std::runtime_error(path_of("SHA256SUMS") + " does not list " + file);
  std::string bytes = content(file);
  if (sha256(bytes) != entry->second)
    throw std::runtime_error(path_of(file) + " is damaged: its checksum is not the one in SHA256SUMS; fetch it again");
  return bytes;
}

std::string golden_checksums() { return content("SHA256SUMS"); }

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

long Row::integer(const std::string& column) const { return parse<long>(text(column), 10, 0, "a whole number"); }

template <class Float>
Float Row::number(const std::string& column, int occurrence) const {
  return from_bits<Float>(text(column, occurrence));
}

std::vector<Row> parse_table(const std::string& file, const std::string& text) {
  std::istringstream stream(text);
  std::string line;
  if (!std::getline(stream, line))
    throw std::runtime_error(file + " is empty");
  const auto header = std::make_shared<const Row::Header>(Row::Header{file, split(line, ',')});
  std::vector<Row> rows;
  while (std::getline(stream, line))
    rows.emplace_back(header, split(line, ','));
  return rows;
}

template <class Float>
Float from_bits(const std::string& hexadecimal) {
  const auto bits = parse<Bits<Float>>(hexadecimal, 16, 2 * sizeof(Float),
                                       "the bit pattern of a " + std::to_string(8 * sizeof(Float)) + "-bit number");
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
  const std::string what = "a byte of the block \"" + hexadecimal + "\"";
  GFPQ_PARAM_ST param{};
  for (std::size_t i = 0; i < GFPQ_PARAM_LEN; ++i)
    param.buf[i] = parse<unsigned char>(hexadecimal.substr(2 * i, 2), 16, 2, what);
  return param;
}

template <class Float>
std::vector<Float> parse_tensor(const std::string& file, const std::string& bytes) {
  if (bytes.size() % sizeof(Float) != 0)
    throw std::runtime_error(file + ": its " + std::to_string(bytes.size()) + " bytes are not numbers of " +
                             std::to_string(sizeof(Float)) + " bytes each");
  std::vector<Float> numbers(bytes.size() / sizeof(Float));
  if (!numbers.empty())
    std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

template float Row::number<float>(const std::string&, int) const;
template double Row::number<double>(const std::string&, int) const;
template float from_bits<float>(const std::string&);
template double from_bits<double>(const std::string&);
template std::vector<float> list_from_bits<float>(const std::string&);
template std::vector<double> list_from_bits<double>(const std::string&);
template std::vector<float> parse_tensor<float>(const std::string&, const std::string&);
template std::vector<double> parse_tensor<double>(const std::string&, const std::string&);

} // namespace conformance
