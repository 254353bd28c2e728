// The largest count, on a few MiB of memory that are mapped again and again.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "tensors.hpp"

namespace {

/// 2^32 numbers in address space, of which the first and the last chunk have memory of their own, and all between share
/// one; behind it is a page that may not be touched. Writing one result many times is no different from writing it
/// once.
template <class Float>
class HugeTensor {
public:
  static constexpr std::size_t count = 0xFFFFFFFF;
  static constexpr std::size_t chunk = faults::period << 20; ///< in bytes; a whole number of patterns of 8 bytes

  HugeTensor() {
    const std::size_t page = std::size_t(sysconf(_SC_PAGESIZE));
    const std::size_t bytes = (std::size_t(count) + 1) * sizeof(Float);
    file_ = memfd_create("huge", 0);
    if (file_ < 0 || ftruncate(file_, 3 * chunk) != 0)
      return;
    void* const all = mmap(nullptr, bytes + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED)
      return;
    size_ = bytes + page;
    data_ = static_cast<Float*>(all);
    // From the end, so that the last number is the last of a chunk; what is over at the front is part of a chunk.
    char* const front = static_cast<char*>(all);
    for (std::size_t end = bytes; end > 0;) {
      const std::size_t length = std::min(chunk, end);
      const std::size_t which = end == bytes ? 2 : length < chunk || end == chunk ? 0 : 1;
      end -= length;
      const off_t offset = off_t(which * chunk + (chunk - length));
      if (mmap(front + end, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_, offset) == MAP_FAILED) {
        is_whole_ = false;
        return;
      }
      if (which == 0)
        first_length_ = length / sizeof(Float);
    }
    is_whole_ = true;
  }
  ~HugeTensor() {
    if (data_ != nullptr)
      munmap(data_, size_);
    if (file_ >= 0)
      close(file_);
  }

  bool is_whole() const { return is_whole_; }
  Float* data() const { return data_; }

  /// The pieces of memory, each as a range of indices.
  struct Range {
    std::size_t begin, length;
  };
  std::vector<Range> pieces() const {
    const std::size_t in_chunk = chunk / sizeof(Float);
    return {{0, first_length_}, {first_length_, in_chunk}, {count + 1 - in_chunk, in_chunk}};
  }

private:
  int file_ = -1;
  Float* data_ = nullptr;
  std::size_t size_ = 0, first_length_ = 0;
  bool is_whole_ = false;
};

template <class Float>
void check_largest_count(unsigned bits) {
#ifdef GFPQ_SANITIZED
  GTEST_SKIP() << "a sanitizer's shadow of so much address space is too large";
#endif
  const HugeTensor<Float> tensor;
  if (!tensor.is_whole())
    GTEST_SKIP() << "this system does not give that much address space";
  const Float untouched = Float(0.77), largest = Float(16.01);
  for (const auto& piece : tensor.pieces()) {
    const std::vector<Float> pattern = faults::tensor<Float>(piece.length);
    std::memcpy(tensor.data() + piece.begin, pattern.data(), piece.length * sizeof(Float));
  }
  // What decides delta is the very last; behind it is a number that is none of the tensor's.
  tensor.data()[tensor.count - 1] = largest;
  tensor.data()[tensor.count] = untouched;

  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}}, want_param = param;
  Float one = largest;
  ASSERT_EQ(HI_GFPQ_QuantAndDeQuant(&one, 1, bits, &want_param), GFPQ_SUCCESS);
  ASSERT_EQ(HI_GFPQ_QuantAndDeQuant(tensor.data(), unsigned(tensor.count), bits, &param), GFPQ_SUCCESS);
  EXPECT_EQ(std::memcmp(&param, &want_param, sizeof param), 0) << "delta is not the last number's";
  EXPECT_EQ(tensor.data()[tensor.count - 1], 16);
  EXPECT_EQ(tensor.data()[tensor.count], untouched);
  for (const auto& piece : tensor.pieces()) {
    const bool is_last = piece.begin + piece.length > tensor.count;
    EXPECT_EQ(faults::count_wrong(tensor.data() + piece.begin, piece.length - (is_last ? 2 : 0)), 0u)
        << "from " << piece.begin;
  }
}

TEST(LargestCount, OfFloatsIsDoneToTheLastNumber) { check_largest_count<float>(8); }
TEST(LargestCount, OfDoublesIsDoneToTheLastNumber) { check_largest_count<double>(16); }

} // namespace
