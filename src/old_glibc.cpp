// In the shared libraries alone: the functions for threads by the versions that glibc has had from the beginning. Those
// of glibc 2.34, which a newer linker takes, would keep the library from loading where glibc is older.
#include <pthread.h>
#include <sched.h>

#include <cstddef>

__asm__(".symver pthread_create, pthread_create@GLIBC_2.2.5");
__asm__(".symver pthread_join, pthread_join@GLIBC_2.2.5");
__asm__(".symver pthread_setaffinity_np, pthread_setaffinity_np@GLIBC_2.3.4");

extern "C" { // NOLINTBEGIN(bugprone-reserved-identifier): the names that the linker gives to --wrap

int __wrap_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  return pthread_create(thread, attributes, run, argument);
}

int __wrap_pthread_join(pthread_t thread, void** result) { return pthread_join(thread, result); }

int __wrap_pthread_setaffinity_np(pthread_t thread, std::size_t size, const cpu_set_t* cpus) {
  return pthread_setaffinity_np(thread, size, cpus);
}
// NOLINTEND(bugprone-reserved-identifier)
}
