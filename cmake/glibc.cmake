# gfpq_need_libpthread(TARGET ...): a shared library that starts threads needs libpthread.so.0, whatever glibc it is linked
# on. Since 2.34 the linker leaves it out, as libc.so.6 has its functions; on an older glibc the C++ library's weak
# pthread_create would then be null. scripts/check_elf.py checks the result.
set(pthread_flags -Wl,--push-state,--no-as-needed,-l:libpthread.so.0,--pop-state)
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES ${pthread_flags})
check_cxx_source_compiles("#include <climits>
                           #ifndef __GLIBC__
                           #error another C library
                           #endif
                           int main() {}" GFPQ_HAS_LIBPTHREAD)
unset(CMAKE_REQUIRED_LIBRARIES)

function(gfpq_need_libpthread)
  if(GFPQ_HAS_LIBPTHREAD)
    foreach(target ${ARGN})
      target_link_libraries(${target} PRIVATE ${pthread_flags})
      # A portable build links by the old versions anyway, and a sanitizer has functions of its own.
      if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND NOT GFPQ_PORTABLE AND NOT GFPQ_SANITIZE)
        target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/old_glibc.cpp)
        target_link_options(${target} PRIVATE -Wl,--wrap=pthread_create,--wrap=pthread_join,--wrap=pthread_setaffinity_np)
      endif()
    endforeach()
  endif()
endfunction()
