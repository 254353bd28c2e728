// A right library that does to the process what no library should, where the environment's MISBEHAVIOUR says: in the
// calls on tensors of 333 numbers, in HI_GFPQ_GetInfo, in all calls at 16 bit, in those of a forked child, or while it
// is loaded.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <atomic>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>

#include "gfpq.hpp"

namespace {

constexpr unsigned count_that_triggers = 333;
constexpr unsigned count_of_pairs = 24; // of numbers in Thread.TwoKindsAtOnce

int overflow_the_stack(long depth) {
  volatile char frame[4096] = {};
  return depth == 0 ? frame[0] : overflow_the_stack(depth - 1) + frame[1];
}

void misbehave(const std::string& how) {
  if (how == "exit")
    std::exit(0);
  if (how == "_exit")
    _exit(0);
  if (how == "exit_77")
    _exit(77);
  if (how == "abort")
    std::abort();
  if (how == "throw_int")
    throw 42;
  if (how == "throw_exception")
    throw std::runtime_error("no more numbers");
  if (how == "stack_overflow")
    overflow_the_stack(1L << 40);
  if (how == "sigterm")
    raise(SIGTERM);
  if (how == "sigsegv")
    raise(SIGSEGV);
  if (how == "sigkill")
    raise(SIGKILL);
  if (how == "sigstop")
    raise(SIGSTOP);
  if (how == "pthread_exit")
    pthread_exit(nullptr);
  if (how == "hang")
    for (;;)
      pause();
  if (how == "spin")
    for (volatile int i = 0;; i = i + 1)
      continue;
  if (how == "slow")
    usleep(100);
  if (how == "keep_threads") { // which take signals, as those of OpenMP do
    static std::atomic<int> kept{0};
    if (kept++ < 16)
      std::thread([] {
        for (;;)
          pause();
      }).detach();
  }
  if (how == "close_descriptors")
    for (int descriptor = 3; descriptor < 1024; ++descriptor)
      close(descriptor);
  if (how == "close_all_descriptors")
    for (int descriptor = 0; descriptor < 1024; ++descriptor)
      close(descriptor);
  if (how == "close_output") {
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
  }
  if (how == "redirect_output")
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
  if (how == "talk_on_all_descriptors")
    for (int descriptor = 3; descriptor < 1024; ++descriptor)
      dprintf(descriptor, "gfpq-report 2 0000000000000000000000000000000000000000000000000000000000000000\n{}");
  if (how == "fork_both_return")
    static_cast<void>(fork());
  if (how == "fork_child_stays" && fork() == 0)
    for (;;)
      pause();
  if (how == "fork_daemon_and_exit" && fork() == 0) {
    setsid();
    sleep(120);
    _exit(0);
  } else if (how == "fork_daemon_and_exit") {
    _exit(0);
  }
#if defined(__x86_64__)
  if (how == "denormals_are_zero")
    _mm_setcsr(_mm_getcsr() | 0x0040);
  if (how == "flush_to_zero")
    _mm_setcsr(_mm_getcsr() | 0x8000);
  if (how == "rounding")
    _mm_setcsr(_mm_getcsr() | 0x6000);
#endif
  if (how == "locale")
    std::setlocale(LC_ALL, "C.UTF-8");
  if (how == "signal_mask") {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &mask, nullptr);
  }
  if (how == "signal_handler")
    signal(SIGFPE, [](int) {});
  if (how == "alarm")
    alarm(3600);
  if (how == "folder" && chdir("/") != 0)
    std::abort();
  if (how == "umask")
    umask(0777);
  if (how == "cpus") {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
    sched_setaffinity(0, sizeof one, &one);
  }
}

/// What the environment asks for at this place: MISBEHAVIOUR is `place:how`.
void misbehave_at(const char* place) {
  const char* asked = std::getenv("MISBEHAVIOUR");
  const std::string prefix = std::string(place) + ":";
  if (asked != nullptr && std::strncmp(asked, prefix.c_str(), prefix.size()) == 0)
    misbehave(asked + prefix.size());
}

pid_t loaded_in;

[[gnu::constructor]] void at_load() {
  loaded_in = getpid();
  misbehave_at("load");
}

void* original(const char* symbol) {
  static void* const library = dlopen(ORIGINAL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  void* function = library != nullptr ? dlsym(library, symbol) : nullptr;
  if (function == nullptr) {
    std::fputs(dlerror(), stderr);
    std::abort();
  }
  return function;
}

template <class Float>
int forward(const char* symbol, Float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) {
  const auto call = reinterpret_cast<int (*)(Float*, unsigned, unsigned, GFPQ_PARAM_ST*)>(original(symbol));
  const int status = call(data, count, bits, param);
  if (count == count_that_triggers)
    misbehave_at("call");
  if (bits == GFPQ_BIT_WIDTH_16BIT)
    misbehave_at("16bit");
  if (count == count_of_pairs)
    misbehave_at("pairs");
  if (getpid() != loaded_in)
    misbehave_at("forked");
  misbehave_at("always");
  return status;
}

} // namespace

int HI_GFPQ_QuantAndDeQuant(float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) {
  return forward("_Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST", data, count, bits, param);
}

int HI_GFPQ_QuantAndDeQuant(double* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) {
  return forward("_Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST", data, count, bits, param);
}

int HI_GFPQ_QuantAndDeQuant_PY(float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param) {
  return forward("HI_GFPQ_QuantAndDeQuant_PY", data, count, bits, param);
}

int HI_GFPQ_QuantAndDeQuant_GPU(float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param, void*, void*) {
  return reinterpret_cast<int (*)(float*, unsigned, unsigned, GFPQ_PARAM_ST*, void*, void*)>(original(
      "_Z27HI_GFPQ_QuantAndDeQuant_GPUPfjjP14_GFPQ_PARAM_STPvS2_"))(data, count, bits, param, nullptr, nullptr);
}

int HI_GFPQ_QuantAndDeQuant_GPU(double* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param, void*, void*) {
  return reinterpret_cast<int (*)(double*, unsigned, unsigned, GFPQ_PARAM_ST*, void*, void*)>(original(
      "_Z27HI_GFPQ_QuantAndDeQuant_GPUPdjjP14_GFPQ_PARAM_STPvS2_"))(data, count, bits, param, nullptr, nullptr);
}

int HI_GFPQ_QuantAndDeQuant_GPU_PY(float* data, unsigned count, unsigned bits, GFPQ_PARAM_ST* param, void*, void*) {
  return reinterpret_cast<int (*)(float*, unsigned, unsigned, GFPQ_PARAM_ST*, void*, void*)>(
      original("HI_GFPQ_QuantAndDeQuant_GPU_PY"))(data, count, bits, param, nullptr, nullptr);
}

int HI_GFPQ_GetInfo(GFPQ_INFO_ST* info) {
  misbehave_at("info");
  return reinterpret_cast<int (*)(GFPQ_INFO_ST*)>(original("_Z15HI_GFPQ_GetInfoP13_GFPQ_INFO_ST"))(info);
}
