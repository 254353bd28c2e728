// A tensor between margins that a call may neither read nor write.
#ifndef GFPQ_TESTS_FUZZ_GUARDED_TENSOR_HPP
#define GFPQ_TESTS_FUZZ_GUARDED_TENSOR_HPP

#include <sanitizer/asan_interface.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace fuzz {

/// Ends the run, which is how libFuzzer learns of a finding.
inline void require(bool holds, const std::string& what) {
  if (holds)
    return;
  std::fprintf(stderr, "FINDING: %s\n", what.c_str());
  std::abort();
}

/// AddressSanitizer tells of a touch of the margins, as far as it sees one; their content tells of a write.
template <class Bits>
class GuardedTensor {
public:
  /// Begins `offset` numbers behind a border of 64 bytes.
  GuardedTensor(const std::vector<Bits>& numbers, std::size_t offset)
      : before_(margin + offset), count_(numbers.size()), size_(before_ + count_ + margin),
        all_(static_cast<Bits*>(::operator new(size_ * sizeof(Bits), alignment))) {
    for (std::size_t i = 0; i < size_; ++i)
      all_[i] = canary;
    if (count_ > 0)
      std::memcpy(bits(), numbers.data(), count_ * sizeof(Bits));
    __asan_poison_memory_region(all_, before_ * sizeof(Bits));
    __asan_poison_memory_region(bits() + count_, margin * sizeof(Bits));
  }
  ~GuardedTensor() {
    unpoison();
    ::operator delete(all_, alignment);
  }
  GuardedTensor(const GuardedTensor&) = delete;
  GuardedTensor& operator=(const GuardedTensor&) = delete;

  Bits* bits() const { return all_ + before_; }

  /// Ends the guard: the tensor must hold `wanted`, and the margins what they held.
  void expect(const std::vector<Bits>& wanted, const std::string& what) {
    unpoison();
    for (std::size_t i = 0; i < size_; ++i) {
      const bool inside = i >= before_ && i < before_ + count_;
      const Bits want = inside ? wanted[i - before_] : canary;
      if (all_[i] != want) {
        char text[128];
        std::snprintf(text, sizeof text, ": index %td of %zu is 0x%llx instead of 0x%llx",
                      static_cast<std::ptrdiff_t>(i - before_), count_, static_cast<unsigned long long>(all_[i]),
                      static_cast<unsigned long long>(want));
        require(false, what + text);
      }
    }
  }

private:
  static constexpr std::size_t margin = 64;
  static constexpr std::align_val_t alignment{64};
  static constexpr Bits canary = Bits(0x5ca1ab1e5ca1ab1eull); // its quantized form differs

  void unpoison() { __asan_unpoison_memory_region(all_, size_ * sizeof(Bits)); }

  const std::size_t before_, count_, size_;
  Bits* const all_;
};

} // namespace fuzz

#endif
