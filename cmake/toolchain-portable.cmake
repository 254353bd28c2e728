# Linux binaries that run where glibc is 2.17 (2012) or later, and need no C++ library there: Clang with its own C++ library,
# linked against that glibc's symbols (cmake/portable/requirements.txt, which `scripts/setup.sh portable` installs).
# GFPQ_PORTABLE_PROCESSOR: x86_64 or aarch64.
set(GFPQ_PORTABLE_PROCESSOR x86_64 CACHE STRING "Processor of the portable binaries: x86_64 or aarch64")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES GFPQ_PORTABLE_PROCESSOR)
set(GFPQ_PORTABLE ON)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${GFPQ_PORTABLE_PROCESSOR})
set(CMAKE_CXX_COMPILER ${CMAKE_CURRENT_LIST_DIR}/portable/zig-c++)
set(CMAKE_CXX_COMPILER_TARGET ${GFPQ_PORTABLE_PROCESSOR}-linux-gnu.2.17)
set(CMAKE_AR ${CMAKE_CURRENT_LIST_DIR}/portable/zig-ar)
set(CMAKE_RANLIB ${CMAKE_CURRENT_LIST_DIR}/portable/zig-ranlib)
find_program(CMAKE_STRIP NAMES llvm-strip llvm-strip-14)
# An empty folder: what this machine has is not for the machine that the binaries are for.
set(CMAKE_FIND_ROOT_PATH ${CMAKE_CURRENT_LIST_DIR}/portable)
# But for CUDA, whose runtime needs no newer glibc. nvcc takes this machine's compiler for its host code, which uses
# nothing of a C++ library.
find_program(GFPQ_NVCC nvcc PATHS /usr/local/cuda/bin DOC "CUDA's compiler, for the GPU library")
if(GFPQ_NVCC)
  get_filename_component(cuda_folder ${GFPQ_NVCC}/../.. REALPATH)
  list(APPEND CMAKE_FIND_ROOT_PATH ${cuda_folder})
  if("$ENV{CUDAHOSTCXX}" STREQUAL "")
    set(CMAKE_CUDA_HOST_COMPILER g++)
  endif()
endif()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
if(GFPQ_PORTABLE_PROCESSOR STREQUAL "aarch64")
  set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
endif()
