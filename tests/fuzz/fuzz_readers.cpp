// The conformance runner's readers: whatever a file holds, it is read or refused with an exception that names the file,
// and what is read is what it says.
#include <fuzzer/FuzzedDataProvider.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cctype>
#include <cmath>

#include "guarded_tensor.hpp"
#include "oracle/golden.hpp"
#include "runner/known.hpp"
#include "runner/npy.hpp"
#include "runner/specification.hpp"

namespace {

using namespace conformance;

/// A file in memory, made once, with a name in the file system.
class File {
public:
  File() : descriptor_(memfd_create("fuzz", 0)) {}

  void write(const std::string& content) const {
    const bool written = ftruncate(descriptor_, 0) == 0 &&
                         pwrite(descriptor_, content.data(), content.size(), 0) == ssize_t(content.size());
    fuzz::require(written, "cannot write the file");
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

private:
  const int descriptor_;
};

bool is_hexadecimal(const std::string& text, std::size_t length) {
  for (const char c : text)
    if (!std::isxdigit(static_cast<unsigned char>(c)))
      return false;
  return text.size() == length;
}

void read_known_deviations(const File& file, const std::string& content) {
  const KnownDeviations known(file.path());
  fuzz::require(nlohmann::json::parse(content).at("deviations").is_array(), "deviations that are no list");
  for (const Requirement& requirement : specification())
    if (const Deviation* deviation = known.find(requirement.id))
      fuzz::require(!deviation->reason.empty(), "a deviation without a reason");
}

/// Reads a field in every way that there is; those that succeed must be right.
void read_field(const Row& row, const std::string& column) {
  const std::string& text = row.text(column);
  const auto attempt = [&](const char* kind, auto read, auto is_right) {
    try {
      read();
    } catch (const std::exception& error) {
      fuzz::require(std::strncmp(error.what(), "\"", 1) == 0,
                    std::string(kind) + " \"" + text + "\": the error does not quote it: " + error.what());
      return;
    }
    fuzz::require(is_right(), std::string(kind) + " \"" + text + "\" was read");
  };
  attempt(
      "float", [&] { row.number<float>(column); }, [&] { return is_hexadecimal(text, 8); });
  attempt(
      "double", [&] { row.number<double>(column); }, [&] { return is_hexadecimal(text, 16); });
  attempt(
      "block", [&] { block_from_hex(text); }, [&] { return is_hexadecimal(text, 32); });
  long number = 0;
  attempt(
      "integer", [&] { number = row.integer(column); }, [&] { return std::atol(text.c_str()) == number; });
  attempt(
      "list", [&] { list_from_bits<float>(text); }, [] { return true; });
}

void read_csv(const File& file, const std::string& content) {
  for (const Row& row : parse_table(file.path(), content))
    read_field(row, "block");
  fuzz::require(!content.empty(), "an empty table");
}

template <class Float>
void read_numbers(const File& file, const std::string& content) {
  fuzz::require(parse_tensor<Float>(file.path(), content).size() * sizeof(Float) == content.size(),
                "not all of a tensor");
}

/// A file of NumPy's. What is read is what it ends with.
template <class Float>
void read_npy_file(const File& file, const std::string& content) {
  const std::vector<Float> numbers = read_npy<Float>(file.path());
  const auto ends_with = [&](const auto last) {
    return content.size() > sizeof last &&
           std::memcmp(content.data() + content.size() - sizeof last, &last, sizeof last) == 0;
  };
  fuzz::require(content.rfind("\x93NUMPY", 0) == 0 && !numbers.empty(), "numbers from what is no file of NumPy's");
  fuzz::require(std::isnan(numbers.back()) || ends_with(static_cast<float>(numbers.back())) ||
                    ends_with(static_cast<double>(numbers.back())) || sizeof(Float) == sizeof(float),
                "another number than the file ends with");
}

/// Whatever the file holds, an error names it.
void attempt(void (*read)(const File&, const std::string&), const File& file, const std::string& content) {
  try {
    read(file, content);
  } catch (const std::exception& error) {
    fuzz::require(std::string(error.what()).find(file.path()) != std::string::npos,
                  std::string("the error does not name the file: ") + error.what());
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
  static const File file;
  FuzzedDataProvider input(bytes, size);
  const int reader = input.ConsumeIntegralInRange(0, 3);
  const std::string content = input.ConsumeRemainingBytesAsString();
  file.write(content);
  switch (reader) {
  case 0:
    attempt(read_known_deviations, file, content);
    break;
  case 1:
    attempt(read_csv, file, content);
    break;
  case 2:
    attempt(read_numbers<float>, file, content);
    attempt(read_npy_file<float>, file, content);
    break;
  default:
    attempt(read_numbers<double>, file, content);
    attempt(read_npy_file<double>, file, content);
  }
  return 0;
}
