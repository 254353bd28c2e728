// The library loaded, used and unloaded, again and again.
#include <dlfcn.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

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
  bool more_than(const Usage& before) const { return bytes > before.bytes || mappings > before.mappings; }
};

/// The library loaded, used with threads, with an error, and unloaded.
void use_once(const std::string& copy, std::vector<float>& data) {
  void* const library = dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  const auto quantize = reinterpret_cast<int (*)(float*, unsigned, unsigned, GFPQ_PARAM_ST*)>(
      dlsym(library, "HI_GFPQ_QuantAndDeQuant_PY"));
  ASSERT_NE(quantize, nullptr);
  data = faults::tensor<float>(faults::large);
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  ASSERT_EQ(quantize(data.data(), faults::large, 8, &param), GFPQ_SUCCESS);
  ASSERT_EQ(faults::count_wrong(data.data(), faults::large), 0u);
  ASSERT_EQ(quantize(nullptr, 0, 8, nullptr), GFPQ_ERR_BAD_PARAMETERS);
  ASSERT_EQ(dlclose(library), 0);
  ASSERT_EQ(dlopen(copy.c_str(), RTLD_NOW | RTLD_NOLOAD), nullptr) << "it is still there";
}

TEST(Unload, LeavesNothingBehind) {
  setenv("OMP_NUM_THREADS", "4", 1);
  setenv("GFPQ_MESSAGES", "none", 1);
  // A copy is another library, which is not in use.
  const std::string copy = testing::TempDir() + "gfpq_unload_" + std::to_string(getpid()) + ".so";
  std::filesystem::copy_file(faults::library_file(), copy, std::filesystem::copy_options::overwrite_existing);
  std::vector<float> numbers(faults::large);
  // The C library keeps some ended threads' stacks, more of them where more threads ended at the
  // same time, up to a limit: what is left behind grows in every block of rounds, those do not.
  bool grew = true;
  for (int block = 0; grew && block < 8; ++block) {
    const Usage before;
    for (int round = 0; round < 10; ++round)
      ASSERT_NO_FATAL_FAILURE(use_once(copy, numbers));
    grew = Usage().more_than(before);
  }
#ifndef GFPQ_SANITIZED // those keep books of their own
  EXPECT_FALSE(grew) << "more memory or mappings after each of eight blocks of ten rounds";
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
