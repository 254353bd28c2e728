#include "gpu/device.hpp"

#include <dlfcn.h>

#include "gpu/kernels.hpp"

namespace bench {
namespace {

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  require(cudaDeviceGetAttribute(&value, which, device), "cudaDeviceGetAttribute");
  return value;
}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// NVIDIA's management library, loaded where it is there. What it does not know is null.
class Management {
  using Handle = void*;
  using Json = nlohmann::ordered_json;

public:
  explicit Management(const char* pci_bus_id) : library_(dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
    is_ready_ = ask("nvmlInit_v2") && ask("nvmlDeviceGetHandleByPciBusId_v2", pci_bus_id, &device_);
  }
  ~Management() {
    if (library_ == nullptr)
      return;
    ask("nvmlShutdown");
    dlclose(library_);
  }
  Management(const Management&) = delete;
  Management& operator=(const Management&) = delete;

  Json driver() const {
    char text[80] = "";
    return is_ready_ && ask("nvmlSystemGetDriverVersion", static_cast<char*>(text), 80u) ? Json(text) : Json("unknown");
  }
  Json clock(const char* question, int which) const {
    unsigned megahertz = 0;
    return is_ready_ && ask(question, device_, which, &megahertz) ? Json(megahertz) : Json(nullptr);
  }
  Json ecc() const {
    int current = 0, pending = 0;
    return is_ready_ && ask("nvmlDeviceGetEccMode", device_, &current, &pending) ? Json(current != 0) : Json(nullptr);
  }
  Json power_limit_watts() const {
    unsigned milliwatts = 0;
    return is_ready_ && ask("nvmlDeviceGetEnforcedPowerLimit", device_, &milliwatts) ? Json(milliwatts / 1000)
                                                                                     : Json(nullptr);
  }

private:
  template <class... Arguments>
  bool ask(const char* name, Arguments... arguments) const {
    if (library_ == nullptr)
      return false;
    const auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(library_, name));
    return function != nullptr && function(arguments...) == 0;
  }

  void* library_;
  Handle device_ = nullptr;
  bool is_ready_ = false;
};

} // namespace

void require(cudaError_t error, const char* what) {
  if (error != cudaSuccess)
    throw CudaError(std::string(what) + ": " + cudaGetErrorString(error));
}

std::string gpu_problem() {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess)
    return std::string("no GPU can be used: ") + cudaGetErrorString(error);
  return devices == 0 ? "no GPU can be used" : "";
}

Device this_device() {
  int device = 0, driver = 0, runtime = 0;
  char pci_bus_id[32] = "";
  cudaDeviceProp properties{};
  cudaFuncAttributes code{};
  require(cudaGetDevice(&device), "cudaGetDevice");
  require(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  require(cudaDeviceGetPCIBusId(pci_bus_id, sizeof pci_bus_id, device), "cudaDeviceGetPCIBusId");
  require(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  require(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  require(code_attributes(code), "this program has no code for this GPU");

  Device result;
  result.name = properties.name;
  result.target = "sm_" + std::to_string(properties.major) + std::to_string(properties.minor);
  result.l2_bytes = static_cast<std::size_t>(properties.l2CacheSize);
  result.memory_bytes = properties.totalGlobalMem;

  const Management management(pci_bus_id);
  const double memory_hertz = 1e3 * attribute(cudaDevAttrMemoryClockRate, device);
  const int bus_bits = attribute(cudaDevAttrGlobalMemoryBusWidth, device);
  auto& facts = result.facts;
  facts["name"] = result.name;
  facts["compute_capability"] = std::to_string(properties.major) + "." + std::to_string(properties.minor);
  facts["multiprocessors"] = properties.multiProcessorCount;
  facts["memory_bytes"] = result.memory_bytes;
  facts["l2_bytes"] = result.l2_bytes;
  facts["memory_bus_bits"] = bus_bits;
  // Data move at both edges of the memory's clock.
  facts["peak_gbytes_per_second"] = memory_hertz > 0 ? nlohmann::ordered_json(2 * memory_hertz * bus_bits / 8 / 1e9)
                                                     : nlohmann::ordered_json(nullptr);
  facts["driver"] = management.driver();
  facts["driver_cuda"] = version_text(driver);
  facts["toolkit_cuda"] = version_text(runtime);
  facts["sm_clock_mhz"] = management.clock("nvmlDeviceGetClockInfo", 1);
  facts["sm_clock_max_mhz"] = management.clock("nvmlDeviceGetMaxClockInfo", 1);
  facts["memory_clock_mhz"] = management.clock("nvmlDeviceGetClockInfo", 2);
  facts["memory_clock_max_mhz"] = management.clock("nvmlDeviceGetMaxClockInfo", 2);
  facts["power_limit_watts"] = management.power_limit_watts();
  facts["ecc"] = management.ecc();
  facts["code"] = code.binaryVersion == code.ptxVersion ? "machine code sm_" + std::to_string(code.binaryVersion)
                                                        : "PTX compute_" + std::to_string(code.ptxVersion);
  return result;
}

} // namespace bench
