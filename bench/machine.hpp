// Facts about the machine that a reader of the figures wants to know.
#ifndef GFPQ_BENCH_MACHINE_HPP
#define GFPQ_BENCH_MACHINE_HPP

#include <chrono>
#include <cstddef>
#include <map>
#include <string>

namespace bench {

/// Zero or "unknown" where a fact cannot be found.
struct Machine {
  std::string cpu_model;
  int cpu_family; ///< -1 where not known, as the next two
  int cpu_model_number;
  int cpu_stepping;
  std::string hypervisor; ///< `none` on a machine of its own
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

/// Of the variables that change what is measured, name and value; of paths the last part.
std::map<std::string, std::string> relevant_environment();

/// What the machine does beside this program, from its making on.
class Surroundings {
public:
  Surroundings();

  /// Seconds since then; shares of the time of all CPUs, -1 where the system does not tell.
  struct Shares {
    double seconds;
    double steal;             ///< given to other machines by the hypervisor
    double others;            ///< used by other programs
    double calibration_start; ///< seconds of a fixed loop
    double calibration_end;
  };
  Shares so_far() const;

private:
  struct Times {
    double all = 0, steal = 0, used = 0, own = 0; ///< seconds
  };
  static Times now();

  std::chrono::steady_clock::time_point start_;
  Times before_;
  double calibration_;
};

/// Memory that can be taken without swapping.
std::size_t available_memory();

} // namespace bench

#endif
