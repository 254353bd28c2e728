// What translated PTX runs on: a thread's registers are C++ variables, and all that leaves the thread goes through
// here.
#ifndef GFPQ_TESTS_PTX_PTX_DEVICE_HPP
#define GFPQ_TESTS_PTX_PTX_DEVICE_HPP

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "device_memory.hpp"
#include "shared_memory.hpp"

namespace gfpq {
namespace ptx {

/// Prints what is wrong, and where, and ends the program.
[[noreturn]] void fault(const std::string& what);

template <class T, int count>
using Vector = std::array<T, count>;

struct Thread;

struct Parameter {
  unsigned offset, size;
};

/// Registers itself; `registered` counts on static storage.
struct Kernel {
  Kernel(const char* name, void (*function)(Thread&), unsigned most_threads, unsigned shared_bytes,
         std::vector<Parameter> parameters);
  static const Kernel* find(const std::string& name);
  static std::vector<const Kernel*> all();

  std::string name;
  void (*function)(Thread&);
  unsigned most_threads, shared_bytes;
  std::vector<Parameter> parameters;
  mutable std::uint64_t runs = 0;
};

/// A variable of the device.
class Variable {
public:
  Variable(const char* name, unsigned alignment, unsigned size, const unsigned char* initial);
  static std::uint64_t find(const std::string& name); ///< its address, or 0

  std::uint64_t address() const { return address_; }

private:
  std::uint64_t address_;
};

/// The calls of a program, for its report (GFPQ_PTX_REPORT).
struct Counters {
  std::uint64_t launches = 0, blocks = 0, barriers = 0, loads = 0, stores = 0, atomics = 0, waits = 0, copies = 0;
  std::uint64_t allocations = 0;
  std::uint64_t watched_begin = 0, watched_end = 0;    ///< addresses of global memory
  std::uint64_t watched_loads = 0, watched_stores = 0; ///< bytes there

  bool watches(std::uint64_t address) const { return address - watched_begin < watched_end - watched_begin; }
};
extern Counters counters;

enum class State { ready, at_barrier, ended };

struct Thread {
  unsigned index, threads, block_index, blocks;
  const std::vector<unsigned char>* parameters;
  SharedMemory* shared;
  void* stack_pointer;
  State state;
  int barrier_line;
  unsigned char* local;
  std::size_t local_bytes;

  // Between these calls a thread runs alone; in them others of its block, and other blocks, may run.
  void barrier(int line);
  void fence();

  template <class T>
  T load_global(std::uint64_t address) {
    ++counters.loads;
    if (counters.watches(address))
      counters.watched_loads += sizeof(T);
    T value;
    std::memcpy(&value, global(address, sizeof(T)), sizeof(T));
    return value;
  }

  template <class T>
  void store_global(std::uint64_t address, T value) {
    ++counters.stores;
    if (counters.watches(address))
      counters.watched_stores += sizeof(T);
    std::memcpy(global(address, sizeof(T)), &value, sizeof(T));
  }

  template <class T>
  T load_shared(std::uint64_t address) {
    T value;
    require(shared->check(address, sizeof(T)), address);
    require(shared->read(address, sizeof(T), index, &value), address);
    return value;
  }

  template <class T>
  void store_shared(std::uint64_t address, T value) {
    require(shared->check(address, sizeof(T)), address);
    require(shared->write(address, sizeof(T), index, &value), address);
  }

  template <class T>
  T load_param(std::uint64_t offset) {
    T value;
    check_within("the parameters", offset, sizeof(T), parameters->size());
    std::memcpy(&value, parameters->data() + offset, sizeof(T));
    return value;
  }

  template <class T>
  T load_local(std::uint64_t offset) {
    T value;
    check_within("local memory", offset, sizeof(T), local_bytes);
    std::memcpy(&value, local + offset, sizeof(T));
    return value;
  }

  template <class T>
  void store_local(std::uint64_t offset, T value) {
    check_within("local memory", offset, sizeof(T), local_bytes);
    std::memcpy(local + offset, &value, sizeof(T));
  }

  template <class T>
  T atomic_cas(std::uint64_t address, T expected, T desired) {
    return atomically<T>(address, [&](T old) { return old == expected ? desired : old; });
  }
  template <class T>
  T atomic_exch(std::uint64_t address, T value) {
    return atomically<T>(address, [&](T) { return value; });
  }
  template <class T>
  T atomic_inc(std::uint64_t address, T last) {
    return atomically<T>(address, [&](T old) { return old >= last ? T(0) : T(old + 1); });
  }
  template <class T>
  T atomic_add(std::uint64_t address, T value) {
    return atomically<T>(address, [&](T old) { return T(old + value); });
  }
  template <class T>
  T atomic_max(std::uint64_t address, T value) {
    return atomically<T>(address, [&](T old) { return old < value ? value : old; });
  }
  template <class T>
  T atomic_min(std::uint64_t address, T value) {
    return atomically<T>(address, [&](T old) { return value < old ? value : old; });
  }

private:
  unsigned char* global(std::uint64_t address, std::size_t size) {
    const Allocation* found = DeviceMemory::instance().find(address);
    if (address % size != 0 || found == nullptr || address < found->begin || address + size > found->end)
      return global_of_host(address, size);
    return DeviceMemory::instance().at(address);
  }
  /// Registered host memory; all else is a fault.
  unsigned char* global_of_host(std::uint64_t address, std::size_t size);

  template <class T, class Change>
  T atomically(std::uint64_t address, Change change) {
    ++counters.atomics;
    let_others_run(); // before it: what it finds depends on them
    unsigned char* place = global(address, sizeof(T));
    T old;
    std::memcpy(&old, place, sizeof(T));
    const T changed = change(old);
    std::memcpy(place, &changed, sizeof(T));
    return old;
  }

  void let_others_run();
  void check_within(const char* memory, std::uint64_t offset, std::size_t size, std::size_t bytes) {
    if (offset % size != 0 || offset > bytes || size > bytes - offset)
      fault_within(memory, offset, size);
  }
  [[noreturn]] void fault_within(const char* memory, std::uint64_t offset, std::size_t size);
  void require(const char* fault_name, std::uint64_t address) {
    if (fault_name != nullptr)
      fault_at(fault_name, address);
  }
  [[noreturn]] void fault_at(const char* what, std::uint64_t address);
};

/// A kernel's local memory, on its thread's stack.
template <std::size_t bytes>
struct LocalMemory {
  explicit LocalMemory(Thread& thread) {
    std::memset(data, 0xA5, bytes);
    thread.local = data;
    thread.local_bytes = bytes;
  }
  unsigned char data[bytes];
};

/// Runs all blocks, in random order and several at a time, up to the end.
void run(const Kernel& kernel, unsigned blocks, unsigned threads, const std::vector<unsigned char>& parameters);

} // namespace ptx
} // namespace gfpq

#endif
