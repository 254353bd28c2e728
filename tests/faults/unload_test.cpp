// The library loaded, used and unloaded, again and again.
#include <dlfcn.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "library.hpp"
#include "tensors.hpp"

namespace {

/// What is allocated, and how many mappings there are: of code, and of threads' stacks.
struct Usage {
  std::size_t bytes = mallinfo2().uordblks, mappings = 0;
  Usage() {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
      ++mappings;
  }
};

TEST(Unload, LeavesNothingBehind) {
  setenv("OMP_NUM_THREADS", "4", 1);
  setenv("GFPQ_MESSAGES", "none", 1);
  // A copy is another library, which is not in use.
  const std::string copy = testing::TempDir() + "gfpq_unload_" + std::to_string(getpid()) + ".so";
  std::filesystem::copy_file(faults::library_file(), copy, std::filesystem::copy_options::overwrite_existing);
  std::vector<float> numbers(faults::large);
  std::optional<Usage> before;
  for (int i = 0; i < 40; ++i) {
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
      before.emplace();
  }
  const Usage after;
#ifndef GFPQ_SANITIZED                          // those keep books of their own
  EXPECT_LT(after.bytes, before->bytes + 1000); // less than 35 bytes each time
  EXPECT_LT(after.mappings, before->mappings + 20);
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
