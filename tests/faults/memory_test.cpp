// No memory to be had: a call needs none, and what would be the better for it does without.
#include <atomic>
#include <cstdlib>

#include "library.hpp"
#include "tensors.hpp"

#ifndef GFPQ_SANITIZED // those bring their own malloc
#define GFPQ_OWN_MALLOC

namespace {
std::atomic<long> allocations{0}, first_refused{-1};
}

// The program's malloc, for the library and for everything else: operator new comes down to it too.
extern "C" void* __libc_malloc(std::size_t);
extern "C" void* malloc(std::size_t size) {
  const long first = first_refused;
  return first >= 0 && allocations++ >= first ? nullptr : __libc_malloc(size);
}
#endif

namespace {

/// While it lives, allocations are refused from the `first` on.
class NoMemory {
public:
  explicit NoMemory([[maybe_unused]] long first) {
#ifdef GFPQ_OWN_MALLOC
    allocations = 0;
    first_refused = first;
#endif
  }
#ifdef GFPQ_OWN_MALLOC
  ~NoMemory() { first_refused = -1; }
#endif
};

class Memory : public testing::Test {
protected:
  void SetUp() override {
#ifndef GFPQ_OWN_MALLOC
    GTEST_SKIP() << "a sanitizer's malloc is in use";
#endif
  }
};

// Each of these makes the first call of its process.

TEST_F(Memory, TheFirstCallNeedsNone) {
  std::vector<float> numbers = faults::tensor<float>(100);
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  int status;
  {
    const NoMemory fault(0);
    status = HI_GFPQ_QuantAndDeQuant(numbers.data(), 100, 8, &param);
  }
  EXPECT_EQ(status, GFPQ_SUCCESS);
  EXPECT_EQ(faults::count_wrong(numbers.data(), 100), 0u);
}

TEST_F(Memory, ARefusedFirstCallNeedsNone) {
  float number = 1;
  int status;
  const auto ignore = [](const char*, void*) {};
  {
    const NoMemory fault(0);
    GFPQ_SetMessageSink(ignore, nullptr);
    status = HI_GFPQ_QuantAndDeQuant(&number, 1, 9, nullptr);
  }
  EXPECT_EQ(status, GFPQ_ERR_BAD_FORMAT);
}

/// Run with GFPQ_TARGET=abacus: the message lists what there is.
TEST_F(Memory, AnUnknownTargetIsReportedWithoutAny) {
  if (std::getenv("GFPQ_TARGET") == nullptr || std::getenv("GFPQ_TARGET") != std::string("abacus"))
    GTEST_SKIP() << "GFPQ_TARGET is not abacus";
  GFPQ_NEED_MESSAGE_SINK();
  float number = 1;
  int status;
  static char received[1024];
  {
    const NoMemory fault(0);
    GFPQ_SetMessageSink([](const char* message, void*) { std::snprintf(received, sizeof received, "%s", message); },
                        nullptr);
    status = HI_GFPQ_QuantAndDeQuant(&number, 1, 8, nullptr);
  }
  EXPECT_EQ(status, GFPQ_ERR_NOT_SUPPORT);
  EXPECT_NE(std::string(received).find("GFPQ_TARGET=abacus: this machine has "), std::string::npos) << received;
  EXPECT_EQ(std::string(received).rfind("scalar"), std::string(received).size() - 6) << received;
}

TEST_F(Memory, LargeTensorsNeedNoneWhicheverAllocationFails) {
  setenv("OMP_NUM_THREADS", "8", 1);
  long made = 0;
  for (long first = 0; first <= made; ++first) {
    std::vector<float> numbers = faults::tensor<float>(faults::large);
    GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
    int status;
    {
      const NoMemory fault(first);
      status = HI_GFPQ_QuantAndDeQuant(numbers.data(), faults::large, 16, &param);
#ifdef GFPQ_OWN_MALLOC
      made = std::min(allocations.load(), 40l);
#endif
    }
    ASSERT_EQ(status, GFPQ_SUCCESS) << first;
    ASSERT_EQ(faults::count_wrong(numbers.data(), faults::large), 0u) << first;
  }
}

} // namespace
