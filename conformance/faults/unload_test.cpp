// The library loaded, used and unloaded, again and again.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tensors.hpp"

namespace {

long resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmRSS:", 0) == 0)
      return std::stol(line.substr(6));
  return 0;
}

TEST(Unload, AgainAndAgain) {
  setenv("OMP_NUM_THREADS", "4", 1);
  setenv("GFPQ_MESSAGES", "none", 1);
  // This program is linked with the library; a copy is another, which is not in use.
  const std::string copy = testing::TempDir() + "gfpq_unload_" + std::to_string(getpid()) + ".so";
  std::filesystem::copy_file(GFPQ_LIBRARY, copy, std::filesystem::copy_options::overwrite_existing);
  std::vector<float> numbers(faults::large);
  long before = 0;
  for (int i = 0; i < 100; ++i) {
    void* const library = dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    const auto quantize = reinterpret_cast<int (*)(float*, unsigned, unsigned, GFPQ_PARAM_ST*)>(
        dlsym(library, "HI_GFPQ_QuantAndDeQuant_PY"));
    ASSERT_NE(quantize, nullptr);
    numbers = faults::tensor<float>(faults::large);
    GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
    ASSERT_EQ(quantize(numbers.data(), faults::large, 8, &param), GFPQ_SUCCESS);
    ASSERT_EQ(faults::count_wrong(numbers.data(), faults::large), 0u);
    ASSERT_EQ(quantize(nullptr, 0, 8, nullptr), GFPQ_ERR_BAD_PARAMETERS);
    ASSERT_EQ(dlclose(library), 0);
    ASSERT_EQ(dlopen(copy.c_str(), RTLD_NOW | RTLD_NOLOAD), nullptr) << "it is still there";
    if (i == 10)
      before = resident_kib();
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // those keep what was freed
  EXPECT_LT(resident_kib(), before + 2048);
#endif
  // A fork after the unloading: nothing of the library is to be called then.
  const pid_t child = fork();
  if (child == 0)
    _exit(0);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  std::filesystem::remove(copy);
}

} // namespace
