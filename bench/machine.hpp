// Facts about the machine that a reader of the figures wants to know.
#ifndef GFPQ_BENCH_MACHINE_HPP
#define GFPQ_BENCH_MACHINE_HPP

#include <cstddef>
#include <string>

namespace bench {

/// Zero or "unknown" where a fact cannot be found.
struct Machine {
  std::string cpu_model;
  std::string architecture;
  int physical_cores;
  int logical_cpus;
  int usable_cpus; ///< that this process may run on
  std::size_t cache_l1d_bytes;
  std::size_t cache_l2_bytes;
  std::size_t cache_l3_bytes;
  int numa_nodes;
  std::string frequency_governor;
  std::string huge_pages;
  std::string os;
  std::string kernel;
  std::size_t memory_bytes;

  /// The largest cache.
  std::size_t last_level_cache() const;
};

Machine this_machine();

/// Memory that can be taken without swapping.
std::size_t available_memory();

} // namespace bench

#endif
