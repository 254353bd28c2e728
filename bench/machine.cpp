#include "machine.hpp"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "timing.hpp"

namespace bench {
namespace {

const std::string cpu_folder = "/sys/devices/system/cpu/";

/// A file's first line, or nothing.
std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string or_unknown(const std::string& text) { return text.empty() ? "unknown" : text; }

/// The value of the first line that starts with `key`, as in /proc/cpuinfo (`key : value`) and os-release
/// (`key=value`).
std::string value_in(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, key.size(), key) != 0)
      continue;
    const std::size_t from = line.find_first_not_of(" \t:=\"", key.size());
    if (from == std::string::npos)
      return "";
    return line.substr(from, line.find_last_not_of(" \t\"") + 1 - from);
  }
  return "";
}

/// How many numbers a list as "0-3,8" holds.
int count_in_list(const std::string& list) {
  int count = 0;
  std::size_t at = 0;
  while (at < list.size()) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    const std::string range = list.substr(at, end - at);
    const std::size_t dash = range.find('-');
    count += dash == std::string::npos ? 1 : std::stoi(range.substr(dash + 1)) - std::stoi(range) + 1;
    at = end + 1;
  }
  return count;
}

std::size_t cache_bytes(int level) {
  for (int index = 0; index < 8; ++index) {
    const std::string folder = cpu_folder + "cpu0/cache/index" + std::to_string(index) + "/";
    if (first_line(folder + "level") != std::to_string(level) || first_line(folder + "type") == "Instruction")
      continue;
    const std::string size = first_line(folder + "size"); // as 48K
    if (size.empty())
      continue;
    const std::size_t unit = size.back() == 'M' ? 1 << 20 : size.back() == 'K' ? 1 << 10 : 1;
    return std::stoul(size) * unit;
  }
  return 0;
}

int physical_cores(int logical_cpus) {
  std::set<std::string> cores; // each named by the logical CPUs that it is made of
  for (int cpu = 0; cpu < logical_cpus; ++cpu)
    cores.insert(first_line(cpu_folder + "cpu" + std::to_string(cpu) + "/topology/thread_siblings_list"));
  cores.erase("");
  return static_cast<int>(cores.size());
}

int usable_cpus(int logical_cpus) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : logical_cpus;
}

/// The word in brackets of "always [madvise] never".
std::string bracketed(const std::string& line) {
  const std::size_t open = line.find('[');
  const std::size_t close = line.find(']');
  return open < close && close != std::string::npos ? line.substr(open + 1, close - open - 1) : "";
}

int number_or_minus_one(const std::string& text) { return text.empty() ? -1 : std::atoi(text.c_str()); }

std::string hypervisor() {
#if defined(__x86_64__) || defined(__i386__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  __cpuid(1, a, b, c, d);
  if ((c >> 31) == 0)
    return "none";
  __cpuid(0x40000000, a, b, c, d);
  std::string name;
  for (const unsigned part : {b, c, d})
    for (int byte = 0; byte < 4; ++byte)
      if (const char letter = static_cast<char>(part >> (8 * byte)); letter >= ' ' && letter <= '~')
        name += letter;
  return name.empty() ? "unknown" : name;
#else
  return or_unknown(first_line("/sys/hypervisor/type"));
#endif
}

/// A chain of multiplications, which no memory and no other core makes faster or slower: seconds, the best of a few.
double calibrate() {
  double best = 1e9;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto start = Clock::now();
    std::uint64_t number = 1;
    for (int i = 0; i < 5000000; ++i)
      number = number * 6364136223846793005u + 1442695040888963407u;
    volatile std::uint64_t kept = number;
    static_cast<void>(kept);
    best = std::min(best, seconds_since(start));
  }
  return best;
}

} // namespace

std::map<std::string, std::string> relevant_environment() {
  std::map<std::string, std::string> found;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    const std::size_t slash = text.rfind('/');
    for (const char* start :
         {"GFPQ_", "OMP_", "GOMP_", "KMP_", "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "CUDA_VISIBLE", "CUDA_LAUNCH"})
      if (text.compare(0, std::strlen(start), start) == 0)
        found[text.substr(0, equals)] = text.substr((slash == std::string::npos ? equals : slash) + 1);
  }
  return found;
}

Surroundings::Surroundings() : start_(Clock::now()), before_(now()), calibration_(calibrate()) {}

Surroundings::Times Surroundings::now() {
  Times times;
  rusage own{};
  getrusage(RUSAGE_SELF, &own);
  for (const timeval& time : {own.ru_utime, own.ru_stime})
    times.own += static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  std::istringstream line(first_line("/proc/stat"));
  std::string word;
  double ticks[8] = {}; // user, nice, system, idle, waiting for disks, interrupts (2), steal
  line >> word;
  for (double& tick : ticks)
    line >> tick;
  const double second = static_cast<double>(sysconf(_SC_CLK_TCK));
  for (const double tick : ticks)
    times.all += tick / second;
  times.steal = ticks[7] / second;
  times.used = times.all - (ticks[3] + ticks[4] + ticks[7]) / second;
  return times;
}

Surroundings::Shares Surroundings::so_far() const {
  const double calibration = calibrate();
  const Times after = now();
  const double all = after.all - before_.all;
  const auto share = [&](double seconds) { return all > 0 ? std::clamp(seconds / all, 0.0, 1.0) : -1; };
  return {seconds_since(start_), share(after.steal - before_.steal),
          share(after.used - before_.used - (after.own - before_.own)), calibration_, calibration};
}

std::size_t Machine::last_level_cache() const {
  const std::size_t largest = std::max({cache_l1d_bytes, cache_l2_bytes, cache_l3_bytes});
  constexpr std::size_t assumed = std::size_t{32} << 20; // where the system does not tell
  return largest != 0 ? largest : assumed;
}

Machine this_machine() {
  utsname system{};
  uname(&system);
  Machine machine{};
  machine.cpu_model = or_unknown(value_in("/proc/cpuinfo", "model name"));
  machine.cpu_family = number_or_minus_one(value_in("/proc/cpuinfo", "cpu family"));
  machine.cpu_model_number = number_or_minus_one(value_in("/proc/cpuinfo", "model\t"));
  machine.cpu_stepping = number_or_minus_one(value_in("/proc/cpuinfo", "stepping"));
  machine.hypervisor = hypervisor();
  machine.architecture = or_unknown(system.machine);
  machine.logical_cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  machine.usable_cpus = usable_cpus(machine.logical_cpus);
  machine.physical_cores = physical_cores(machine.logical_cpus);
  machine.cache_l1d_bytes = cache_bytes(1);
  machine.cache_l2_bytes = cache_bytes(2);
  machine.cache_l3_bytes = cache_bytes(3);
  machine.numa_nodes = count_in_list(first_line("/sys/devices/system/node/online"));
  machine.frequency_governor = or_unknown(first_line(cpu_folder + "cpu0/cpufreq/scaling_governor"));
  machine.huge_pages = or_unknown(bracketed(first_line("/sys/kernel/mm/transparent_hugepage/enabled")));
  machine.os = or_unknown(value_in("/etc/os-release", "PRETTY_NAME"));
  machine.kernel = std::string(system.sysname) + " " + system.release;
  machine.memory_bytes =
      static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return machine;
}

std::size_t available_memory() {
  const std::string kilobytes = value_in("/proc/meminfo", "MemAvailable");
  return kilobytes.empty() ? 0 : std::stoul(kilobytes) * 1024;
}

} // namespace bench
