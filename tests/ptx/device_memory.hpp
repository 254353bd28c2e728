// The memory of the GPU that is stood in for. The host can't touch it, but for managed memory: that is a segmentation
// fault.
#ifndef GFPQ_TESTS_PTX_DEVICE_MEMORY_HPP
#define GFPQ_TESTS_PTX_DEVICE_MEMORY_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gfpq {
namespace ptx {

struct Allocation {
  std::uint64_t begin, end; ///< end == 0: freed
  bool managed;
};

/// Addresses are never used twice, so what is freed stays known as freed. Each allocation has pages of its own, which
/// makes finding it one look-up.
class DeviceMemory {
public:
  static DeviceMemory& instance();

  /// 0 where no memory is left. The address is a multiple of the alignment and of nothing greater.
  std::uint64_t allocate(std::uint64_t bytes, std::uint64_t alignment = cuda_alignment, bool managed = false);
  bool free(std::uint64_t address);

  /// What was allocated, and not freed, at the address or on the same page; nullptr where nothing was.
  const Allocation* find(std::uint64_t address) const {
    const std::uint64_t page = (address - base_) / page_bytes;
    const Allocation* found = &allocations_[page < pages ? page_owners_[page] : 0];
    return found->end != 0 ? found : nullptr;
  }

  /// Where the stand-in itself reaches an address of the device.
  unsigned char* at(std::uint64_t address) const { return alias_ + (address - base_); }

  std::uint64_t free_bytes() const { return capacity - used_; }

  static constexpr std::uint64_t cuda_alignment = 256;
  static constexpr std::uint64_t capacity = std::uint64_t(8) << 30;

private:
  DeviceMemory();

  static constexpr std::uint64_t page_bytes = 4096;
  static constexpr std::uint64_t pages = std::uint64_t(1) << 26; // 256 GiB of addresses

  std::uint64_t base_;
  unsigned char* alias_;
  std::uint32_t* page_owners_; // index into allocations_, of which the first is none
  std::vector<Allocation> allocations_;
  std::uint64_t next_page_ = 1;
  std::uint64_t used_ = 0;
};

/// Host memory that kernels can use at its own address.
void register_host_memory(const void* address, std::size_t bytes);
void unregister_host_memory(const void* address);
bool is_registered_host_memory(std::uint64_t address, std::size_t bytes);

} // namespace ptx
} // namespace gfpq

#endif
