# Finds Google's Highway, of which only headers are used: nothing of it is needed where the library runs. Gives
# GFPQ_HIGHWAY_INCLUDE_DIR and GFPQ_HIGHWAY_OPTIONS, or ends the configuration: a library without SIMD is 50 to 100 times
# slower, so it is built only on demand, by GFPQ_SCALAR=ON.
set(GFPQ_HIGHWAY_OPTIONS "")
if(GFPQ_SCALAR)
  message(STATUS "GFPQ_SCALAR: the kernels run without SIMD, 50 to 100 times slower")
  return()
endif()
set(gfpq_highway_oldest 0.17) # earlier ones lack HWY_EMU128
set(gfpq_highway_advice "Install it (Debian, Ubuntu 22.04: libhwy-dev), or name the folder with hwy/highway.h of another by "
    "-DGFPQ_HIGHWAY_INCLUDE_DIR=FOLDER. -DGFPQ_SCALAR=ON builds a library without SIMD, 50 to 100 times slower.")
string(CONCAT gfpq_highway_advice ${gfpq_highway_advice})
if(MSVC) # Highway's targets, and the questions to the CPU, are those of GCC and Clang
  message(FATAL_ERROR "The SIMD kernels need GCC or Clang. "
                      "-DGFPQ_SCALAR=ON builds a library without SIMD, 50 to 100 times slower.")
endif()

find_path(GFPQ_HIGHWAY_INCLUDE_DIR hwy/highway.h DOC "Where hwy/highway.h lies")
if(NOT GFPQ_HIGHWAY_INCLUDE_DIR AND EXISTS ${PROJECT_SOURCE_DIR}/third_party/hwy/highway.h) # in the Python package's source
  set(GFPQ_HIGHWAY_INCLUDE_DIR ${PROJECT_SOURCE_DIR}/third_party CACHE PATH "Where hwy/highway.h lies" FORCE)
endif()
if(NOT GFPQ_HIGHWAY_INCLUDE_DIR)
  message(FATAL_ERROR "Google's Highway ${gfpq_highway_oldest} or later is needed, and hwy/highway.h was not found. "
                      "${gfpq_highway_advice}")
endif()
set(gfpq_highway_version "")
foreach(header base.h highway.h) # 1.1 moved it
  if(NOT gfpq_highway_version AND EXISTS ${GFPQ_HIGHWAY_INCLUDE_DIR}/hwy/${header})
    file(STRINGS ${GFPQ_HIGHWAY_INCLUDE_DIR}/hwy/${header} lines REGEX "^#define HWY_(MAJOR|MINOR) [0-9]+")
    if(lines)
      string(REGEX REPLACE ".*HWY_MAJOR ([0-9]+).*" "\\1" major "${lines}")
      string(REGEX REPLACE ".*HWY_MINOR ([0-9]+).*" "\\1" minor "${lines}")
      set(gfpq_highway_version ${major}.${minor})
    endif()
  endif()
endforeach()
if(gfpq_highway_version VERSION_LESS gfpq_highway_oldest)
  message(FATAL_ERROR "Highway ${gfpq_highway_version} in ${GFPQ_HIGHWAY_INCLUDE_DIR} is too old: "
                      "${gfpq_highway_oldest} or later is needed. ${gfpq_highway_advice}")
endif()
message(STATUS "Highway ${gfpq_highway_version} in ${GFPQ_HIGHWAY_INCLUDE_DIR}")

# Clang 18 to 21 have 512-bit vectors as a feature of its own, which Highway asks for since 1.1.
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 18 AND
   CMAKE_CXX_COMPILER_VERSION VERSION_LESS 22 AND gfpq_highway_version VERSION_LESS 1.1 AND
   CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(GFPQ_HIGHWAY_OPTIONS -mevex512)
endif()
if(MINGW AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Windows aligns the stack to 16 bytes, but GCC spills wider registers as if it were aligned for them (its bug 54412).
  # Debian's GCC has a patch for that; for every other one, the assembler (binutils 2.38 or later) corrects it.
  list(APPEND GFPQ_HIGHWAY_OPTIONS -Wa,-muse-unaligned-vector-move)
endif()
