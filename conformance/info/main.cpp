// Tells on one screen which GFPQ library a program gets here, what it can do, and whether it computes right.
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <sched.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <thread>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "digests.hpp"
#include "gfpq.hpp"
#include "oracle/digest.hpp"

namespace {

using Json = nlohmann::ordered_json;

/// A library, and why this file.
struct Loaded {
  void* handle = nullptr;
  std::string file, why;
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string loader_error() {
  const char* text = dlerror();
  return text != nullptr ? text : "unknown";
}

std::string file_of(void* handle, const char* symbol) {
  Dl_info info{};
  const void* address = dlsym(handle, symbol);
  if (address == nullptr || dladdr(address, &info) == 0)
    return "";
  std::error_code error;
  const auto file = std::filesystem::canonical(info.dli_fname, error);
  return error ? info.dli_fname : file.string();
}

/// The library that is named, or else the one in this program's package, or else what the system's loader finds.
Loaded load(const std::string& named, const std::string& file) {
  std::string path = named, why = "named on the command line";
  if (named.empty()) {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto packaged = program.parent_path().parent_path() / "lib" / file;
    if (!error && std::filesystem::exists(packaged)) {
      path = packaged.string();
      why = "beside this program, which comes before the loader's folders";
    } else {
      path = file;
      const std::string folders = environment("LD_LIBRARY_PATH");
      why = "the first that the system's loader finds, LD_LIBRARY_PATH " +
            (folders.empty() ? "is empty" : "= " + folders);
    }
  } else {
    path = std::filesystem::absolute(named).string();
  }
  return {dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL), path, why};
}

template <class Float>
using Quantize = int(Float*, unsigned, unsigned, GFPQ_PARAM_ST*);

/// GFPQ-DIGEST-01 of one width and type: "passed", or what is wrong.
template <class Float>
std::string digest(Quantize<Float>* quantize, unsigned bits) {
  if (quantize == nullptr)
    return "not offered";
  int failed = GFPQ_SUCCESS;
  const std::string got =
      conformance::workload_digest<Float>([&](std::vector<Float>& data, GFPQ_PARAM_ST* param, std::size_t offset) {
        std::vector<Float> moved(data.size() + offset);
        std::copy(data.begin(), data.end(), moved.begin() + static_cast<std::ptrdiff_t>(offset));
        const int status = quantize(moved.data() + offset, static_cast<unsigned>(data.size()), bits, param);
        failed = status != GFPQ_SUCCESS ? status : failed;
        std::copy(moved.begin() + static_cast<std::ptrdiff_t>(offset), moved.end(), data.begin());
      });
  if (failed != GFPQ_SUCCESS) {
    char text[32];
    std::snprintf(text, sizeof text, "error 0x%08x", static_cast<unsigned>(failed));
    return text;
  }
  for (const auto& golden : golden_digests)
    if (golden.bits == bits && golden.type_size == sizeof(Float))
      return got == golden.sha256 ? "passed" : "FAILED";
  return "no digest of this width is known";
}

/// Version and what the library says of itself; a foreign one says less.
Json describe(void* handle) {
  Json about = Json::object();
  if (auto* get_info = reinterpret_cast<int (*)(GFPQ_INFO_ST*)>(dlsym(handle, "_Z15HI_GFPQ_GetInfoP13_GFPQ_INFO_ST"))) {
    alignas(GFPQ_INFO_ST) char room[sizeof(GFPQ_INFO_ST) + GFPQ_INFO_LEN_MAX] = {}; // a later library may write more
    auto* info = reinterpret_cast<GFPQ_INFO_ST*>(room);
    if (get_info(info) == GFPQ_SUCCESS) {
      about["version"] = std::to_string(info->u32LibVerMajor) + "." + std::to_string(info->u32LibVerMinor) + "." +
                         std::to_string(info->u32LibVerPatch);
      about["revision"] = info->u32ComRevision;
      about["built_at"] = std::string(info->u8BuildTime, strnlen(info->u8BuildTime, GFPQ_DATE_TIME_STR_LEN));
    }
  }
  if (auto* own = reinterpret_cast<int (*)(char*, unsigned)>(dlsym(handle, "GFPQ_Describe"))) {
    char text[4096];
    if (own(text, sizeof text) == GFPQ_SUCCESS)
      about.update(Json::parse(text));
  }
  return about;
}

Json gpu_library(const std::string& beside) {
  Json gpu = Json::object();
  const auto neighbour = std::filesystem::path(beside).parent_path() / "libgfpq_gpu.so.1";
  const Loaded loaded = load(std::filesystem::exists(neighbour) ? neighbour.string() : "", "libgfpq_gpu.so.1");
  if (loaded.handle == nullptr) {
    gpu["library"] = "not loaded: " + loader_error();
  } else {
    gpu["library"] = file_of(loaded.handle, "HI_GFPQ_QuantAndDeQuant_GPU_PY");
    const Json about = describe(loaded.handle);
    gpu["version"] = about.value("version", "unknown");
    if (about.contains("gpu_architectures"))
      gpu["architectures"] = about["gpu_architectures"];
  }
  // The driver by itself: without it no GPU library helps.
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) {
    gpu["driver"] = "not loaded: " + loader_error();
    return gpu;
  }
  int version = 0, devices = 0, status = -1;
  auto* init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  auto* get_version = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDriverGetVersion"));
  auto* get_count = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  if (get_version != nullptr && get_version(&version) == 0)
    gpu["driver"] = "serves CUDA " + std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
  if (init != nullptr && get_count != nullptr && (status = init(0)) == 0)
    status = get_count(&devices);
  gpu["devices"] = status == 0 ? Json(devices) : Json("the driver's error " + std::to_string(status));
  return gpu;
}

std::string text_of(const Json& value) {
  if (value.is_string())
    return value.get<std::string>();
  if (!value.is_array())
    return value.is_null() ? "unknown" : value.dump();
  std::string text;
  for (const Json& element : value)
    text += (text.empty() ? "" : ", ") + text_of(element);
  return text;
}

void print(const Json& report) {
  for (const auto& [name, value] : report.items())
    if (value.is_object())
      for (const auto& [inner, content] : value.items())
        std::cout << (name + " " + inner + ":                                ").substr(0, 26) << text_of(content)
                  << "\n";
    else
      std::cout << (name + ":                                ").substr(0, 26) << text_of(value) << "\n";
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app("Tells which GFPQ library a program gets here, what it can do, and whether it computes right.\n"
               "Exit status: 0 the self-test passed, 1 it failed, 2 bad arguments, 3 no library was loaded.");
  std::string named;
  bool as_json = false;
  app.add_option("library", named, "the library's file; without it the one beside this program, or the system's");
  app.add_flag("--json", as_json, "the same as JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  const Loaded loaded = load(named, "libgfpq.so.1");
  if (loaded.handle == nullptr) {
    std::cerr << "gfpq_info: " << loaded.file << " (" << loaded.why << ") is not loaded: " << loader_error() << "\n";
    return 3;
  }
  Json report = Json::object();
  report["library"] = file_of(loaded.handle, "_Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST");
  if (text_of(report["library"]).empty()) {
    std::cerr << "gfpq_info: " << loaded.file << " is not a GFPQ library: it has no HI_GFPQ_QuantAndDeQuant\n";
    return 3;
  }
  report["why"] = loaded.why;
  report.update(describe(loaded.handle));
  report.erase("gpu_architectures");
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  report["cpus"] = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
  report["glibc"] = gnu_get_libc_version();
  const std::string messages = environment("GFPQ_MESSAGES");
  report["messages"] = messages.empty() ? "standard output (GFPQ_MESSAGES is not set)" : "GFPQ_MESSAGES=" + messages;
  report["gpu"] = gpu_library(text_of(report["library"]));

  auto* single =
      reinterpret_cast<Quantize<float>*>(dlsym(loaded.handle, "_Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST"));
  auto* real =
      reinterpret_cast<Quantize<double>*>(dlsym(loaded.handle, "_Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST"));
  Json& test = report["self-test"] = Json::object();
  bool passed = true;
  for (const unsigned bits : {8u, 16u}) {
    const std::string name = std::to_string(bits) + " bit";
    test[name + " float"] = digest<float>(single, bits);
    test[name + " double"] = digest<double>(real, bits);
  }
  for (const auto& [name, result] : test.items())
    passed = passed && (result == "passed" || result == "not offered");

  if (as_json)
    std::cout << report.dump(2) << "\n";
  else
    print(report);
  return passed ? 0 : 1;
}
