#include "device_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

namespace gfpq {
namespace ptx {
namespace {

template <class T>
T* map_or_exit(std::uint64_t bytes, int protection, int flags, int file) {
  void* address = mmap(nullptr, bytes, protection, flags | MAP_NORESERVE, file, 0);
  if (address == MAP_FAILED) {
    std::perror("the GPU's memory: mmap");
    std::exit(1);
  }
  return static_cast<T*>(address);
}

std::map<std::uint64_t, std::uint64_t>& host_ranges() {
  static auto& ranges = *new std::map<std::uint64_t, std::uint64_t>;
  return ranges;
}

/// Fresh memory holds this, so that what relies on zeros is found.
constexpr int fresh_byte = 0xA5;
constexpr std::uint64_t most_filled = 64 << 20; // more would cost more than it finds

} // namespace

DeviceMemory& DeviceMemory::instance() {
  static DeviceMemory& memory = *new DeviceMemory; // used until the process ends
  return memory;
}

DeviceMemory::DeviceMemory() : allocations_(1, Allocation{}) {
  const int file = memfd_create("device memory", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, pages * page_bytes) != 0) {
    std::perror("the GPU's memory: memfd_create");
    std::exit(1);
  }
  base_ = reinterpret_cast<std::uint64_t>(map_or_exit<void>(pages * page_bytes, PROT_NONE, MAP_SHARED, file));
  alias_ = map_or_exit<unsigned char>(pages * page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file);
  page_owners_ =
      map_or_exit<std::uint32_t>(pages * sizeof *page_owners_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  close(file);
}

std::uint64_t DeviceMemory::allocate(std::uint64_t bytes, std::uint64_t alignment, bool managed) {
  if (bytes > free_bytes())
    return 0;
  const std::uint64_t needed = (alignment + bytes + page_bytes - 1) / page_bytes;
  if (needed + 1 > pages - next_page_) {
    std::fputs("the GPU's memory: all addresses are used\n", stderr);
    std::exit(1);
  }
  const std::uint64_t begin = base_ + next_page_ * page_bytes + alignment;
  std::fill_n(page_owners_ + next_page_, needed, static_cast<std::uint32_t>(allocations_.size()));
  allocations_.push_back({begin, begin + bytes, managed});
  if (managed && mprotect(reinterpret_cast<void*>(base_ + next_page_ * page_bytes), needed * page_bytes,
                          PROT_READ | PROT_WRITE) != 0)
    std::perror("managed memory: mprotect");
  next_page_ += needed + 1; // between two is a page of nobody
  used_ += bytes;
  std::memset(at(begin), fresh_byte, std::min(bytes, most_filled));
  return begin;
}

bool DeviceMemory::free(std::uint64_t address) {
  const Allocation* found = find(address);
  if (found == nullptr || found->begin != address)
    return false;
  Allocation& freed = allocations_[found - allocations_.data()];
  const std::uint64_t first = (address - base_) / page_bytes * page_bytes;
  const std::uint64_t bytes = (freed.end - base_ + page_bytes - 1) / page_bytes * page_bytes - first;
  madvise(alias_ + first, bytes, MADV_REMOVE);
  if (freed.managed)
    mprotect(reinterpret_cast<void*>(base_ + first), bytes, PROT_NONE);
  used_ -= freed.end - freed.begin;
  freed.end = 0;
  return true;
}

void register_host_memory(const void* address, std::size_t bytes) {
  const auto begin = reinterpret_cast<std::uint64_t>(address);
  host_ranges()[begin] = begin + bytes;
}

void unregister_host_memory(const void* address) { host_ranges().erase(reinterpret_cast<std::uint64_t>(address)); }

bool is_registered_host_memory(std::uint64_t address, std::size_t bytes) {
  auto range = host_ranges().upper_bound(address);
  return range != host_ranges().begin() && address + bytes <= (--range)->second;
}

} // namespace ptx
} // namespace gfpq
