// In the shared libraries alone: pthread_create and pthread_join by the versions that glibc has had from the beginning.
// Those of glibc 2.34, which a newer linker takes, would keep the library from loading where glibc is older.
#include <pthread.h>

__asm__(".symver pthread_create, pthread_create@GLIBC_2.2.5");
__asm__(".symver pthread_join, pthread_join@GLIBC_2.2.5");

extern "C" { // NOLINTBEGIN(bugprone-reserved-identifier): the names that the linker gives to --wrap

int __wrap_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  return pthread_create(thread, attributes, run, argument);
}

int __wrap_pthread_join(pthread_t thread, void** result) { return pthread_join(thread, result); }
// NOLINTEND(bugprone-reserved-identifier)
}
