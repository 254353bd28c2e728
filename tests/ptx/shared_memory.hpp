// A block's shared memory, with the last accesses to each byte: finds races and reads of what nobody wrote.
#ifndef GFPQ_TESTS_PTX_SHARED_MEMORY_HPP
#define GFPQ_TESTS_PTX_SHARED_MEMORY_HPP

#include <cstdint>
#include <cstring>
#include <vector>

namespace gfpq {
namespace ptx {

class SharedMemory {
public:
  void reset(std::size_t bytes) {
    bytes_.assign(bytes, 0xA5);
    accesses_.assign(bytes, Accesses{});
    interval_ = 1;
  }

  /// All threads have come to a barrier: what they did before is ordered before what follows.
  void pass_barrier() { ++interval_; }

  /// A fault's name, or nullptr.
  const char* check(std::uint64_t address, std::size_t size) const {
    return address % size != 0                                         ? "misaligned access of shared memory"
           : address > bytes_.size() || size > bytes_.size() - address ? "access outside of shared memory"
                                                                       : nullptr;
  }

  const char* read(std::uint64_t address, std::size_t size, std::uint16_t thread, void* to) {
    for (std::size_t i = 0; i < size; ++i) {
      Accesses& byte = accesses_[address + i];
      if (byte.writer == nobody)
        return "uninitialized read of shared memory";
      if (byte.written_in == interval_ && byte.writer != thread)
        return "race in shared memory: a thread reads what another wrote, with no barrier between";
      byte.reader = byte.read_in == interval_ && byte.reader != thread ? several : thread;
      byte.read_in = interval_;
    }
    std::memcpy(to, bytes_.data() + address, size);
    return nullptr;
  }

  const char* write(std::uint64_t address, std::size_t size, std::uint16_t thread, const void* from) {
    for (std::size_t i = 0; i < size; ++i) {
      Accesses& byte = accesses_[address + i];
      if (byte.written_in == interval_ && byte.writer != thread)
        return "race in shared memory: two threads write, with no barrier between";
      if (byte.read_in == interval_ && byte.reader != thread)
        return "race in shared memory: a thread writes what another read, with no barrier between";
      byte.writer = thread;
      byte.written_in = interval_;
    }
    std::memcpy(bytes_.data() + address, from, size);
    return nullptr;
  }

private:
  static constexpr std::uint16_t nobody = 0xFFFF, several = 0xFFFE; // a block has 1024 threads at most

  struct Accesses {
    std::uint16_t writer = nobody, reader = nobody;
    std::uint32_t written_in = 0, read_in = 0; ///< intervals between barriers
  };

  std::vector<unsigned char> bytes_;
  std::vector<Accesses> accesses_;
  std::uint32_t interval_ = 1;
};

} // namespace ptx
} // namespace gfpq

#endif
