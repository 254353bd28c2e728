#include "runner/npy.hpp"

#include <charconv>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string_view>

namespace conformance {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw std::runtime_error(path + ": " + why);
}

std::size_t little_endian(const std::string& bytes, std::size_t begin, std::size_t count) {
  std::size_t number = 0;
  for (std::size_t i = count; i-- > 0;)
    number = number << 8 | static_cast<unsigned char>(bytes[begin + i]);
  return number;
}

constexpr std::string_view blanks = " \t\r\n", digits = "0123456789";

/// What stands behind a key of the header, which is a Python dictionary.
std::string_view behind_key(const std::string& path, std::string_view header, const std::string& key) {
  const std::string quoted = "'" + key + "'";
  std::size_t at = header.find(quoted);
  if (at != header.npos)
    at = header.find_first_not_of(blanks, at + quoted.size());
  if (at != header.npos && header[at] == ':')
    if (const std::size_t value = header.find_first_not_of(blanks, at + 1); value != header.npos)
      return header.substr(value);
  refuse(path, "its header does not tell " + key + ", or in another way than NumPy does");
}

/// The value, up to and with its last character. Regular expressions of the standard library overflow the stack where a
/// header is long.
std::string_view value_of(const std::string& path, std::string_view header, const std::string& key, char first,
                          char last) {
  const std::string_view rest = behind_key(path, header, key);
  const std::size_t end = rest.front() == first ? rest.find(last, 1) : rest.npos;
  if (end == rest.npos)
    refuse(path, "its header does not tell " + key + ", or in another way than NumPy does");
  return rest.substr(0, end + 1);
}

/// For messages.
std::string shortened(std::string_view text) {
  constexpr std::size_t most = 60;
  return std::string(text.substr(0, most)) + (text.size() > most ? "..." : "");
}

/// How many numbers there are in a shape: `(3, 4)`, `(5,)` or `()` for a single one.
std::uint64_t numbers_in(const std::string& path, std::string_view shape) {
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  std::uint64_t count = 1;
  bool too_many = false, is_empty = false;
  for (std::size_t at = shape.find_first_of(digits); at != shape.npos; at = shape.find_first_of(digits, at)) {
    std::uint64_t length = 0;
    const auto [stopped, error] = std::from_chars(shape.data() + at, shape.data() + shape.size(), length);
    at = static_cast<std::size_t>(stopped - shape.data());
    too_many = too_many || error != std::errc() || length > most || count > most;
    is_empty = is_empty || (error == std::errc() && length == 0);
    count *= too_many ? 1 : length;
  }
  if (is_empty)
    refuse(path, "it has no numbers: its shape is " + shortened(shape));
  if (too_many || count > most)
    refuse(path, "it has more numbers than a call takes, which are 4294967295: its shape is " + shortened(shape));
  return count;
}

template <class Stored, class Float>
std::vector<Float> convert(const char* bytes, std::size_t count) {
  std::vector<Float> numbers(count);
  for (std::size_t i = 0; i < count; ++i) {
    Stored number;
    std::memcpy(&number, bytes + i * sizeof number, sizeof number);
    numbers[i] = static_cast<Float>(number);
  }
  return numbers;
}

} // namespace

template <class Float>
std::vector<Float> read_npy(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream.is_open() || stream.bad())
    throw std::runtime_error("cannot read " + path);
  constexpr std::size_t version_at = 6, length_at = 8;
  if (bytes.size() < length_at + 4 || bytes.compare(0, version_at, "\x93NUMPY") != 0)
    refuse(path, "it is no .npy file: write it with numpy.save");
  const int version = static_cast<unsigned char>(bytes[version_at]);
  if (version < 1 || version > 3)
    refuse(path, "its format has the version " + std::to_string(version) + ", and 1 to 3 are known");
  const std::size_t length_size = version == 1 ? 2 : 4, header_at = length_at + length_size;
  const std::size_t header_size = little_endian(bytes, length_at, length_size);
  constexpr std::size_t longest_header = 1u << 16;
  if (header_size > longest_header || header_size > bytes.size() - header_at)
    refuse(path, "it ends within its header");
  const std::string_view header = std::string_view(bytes).substr(header_at, header_size);

  const bool is_list = behind_key(path, header, "descr").front() == '['; // of several fields
  const std::string_view type = value_of(path, header, "descr", is_list ? '[' : '\'', is_list ? ']' : '\'');
  if (type != "'<f4'" && type != "'<f8'")
    refuse(path, "its numbers are of the type " + shortened(type) +
                     ", want '<f4' or '<f8': convert them with numpy's astype");
  if (behind_key(path, header, "fortran_order").rfind("False", 0) != 0)
    refuse(path, "its numbers are in Fortran's order: convert them with numpy.ascontiguousarray");
  const std::string_view shape = value_of(path, header, "shape", '(', ')');
  const std::string allowed = std::string(blanks) + std::string(digits) + ",";
  if (shape.substr(1, shape.size() - 2).find_first_not_of(allowed) != shape.npos)
    refuse(path, "its header does not tell shape, or in another way than NumPy does");
  const std::uint64_t count = numbers_in(path, shape);
  const std::size_t size = type == "'<f4'" ? sizeof(float) : sizeof(double);
  const std::size_t held = bytes.size() - header_at - header_size;
  if (held != count * size)
    refuse(path, "it is not whole: it holds " + std::to_string(held) + " bytes of numbers, and its shape asks for " +
                     std::to_string(count * size));
  const char* const data = bytes.data() + header_at + header_size;
  return size == sizeof(float) ? convert<float, Float>(data, count) : convert<double, Float>(data, count);
}

template std::vector<float> read_npy<float>(const std::string&);
template std::vector<double> read_npy<double>(const std::string&);

} // namespace conformance
