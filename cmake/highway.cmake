# Finds Google's Highway, of which only headers are used: nothing of it is needed where the library runs. Gives
# GFPQ_HIGHWAY_INCLUDE_DIR and GFPQ_HIGHWAY_OPTIONS, or ends the configuration: a library without SIMD is 50 to 100 times
# slower, so it is built only on demand, by GFPQ_SCALAR=ON.
set(GFPQ_HIGHWAY_OPTIONS "")
if(GFPQ_SCALAR)
  message(STATUS "GFPQ_SCALAR: the kernels run without SIMD, 50 to 100 times slower")
  return()
endif()
set(gfpq_highway_oldest 0.17) # earlier ones lack HWY_EMU128
set(gfpq_highway_advice "Install it (Debian, Ubuntu 22.04: libhwy-dev), let -DGFPQ_FETCH_HIGHWAY=ON download it, or name the "
    "folder with hwy/highway.h of another by -DGFPQ_HIGHWAY_INCLUDE_DIR=FOLDER. -DGFPQ_SCALAR=ON builds a library without "
    "SIMD, 50 to 100 times slower.")
string(CONCAT gfpq_highway_advice ${gfpq_highway_advice})
set(GFPQ_HIGHWAY_URL https://github.com/google/highway/archive/refs/tags/1.0.3.tar.gz CACHE STRING
    "Where GFPQ_FETCH_HIGHWAY finds that archive, or a copy of it")
set(gfpq_highway_sha256 566fc77315878473d9a6bd815f7de78c73734acdcb745c3dde8579560ac5440e)
if(MSVC) # Highway's targets, and the questions to the CPU, are those of GCC and Clang
  message(FATAL_ERROR "The SIMD kernels need GCC or Clang. "
                      "-DGFPQ_SCALAR=ON builds a library without SIMD, 50 to 100 times slower.")
endif()

if(GFPQ_FETCH_HIGHWAY)
  set(gfpq_highway_folder ${PROJECT_BINARY_DIR}/highway)
  if(NOT EXISTS ${gfpq_highway_folder}/hwy/highway.h)
    message(STATUS "Downloading ${GFPQ_HIGHWAY_URL}")
    set(gfpq_highway_archive ${PROJECT_BINARY_DIR}/highway.tar.gz)
    file(DOWNLOAD ${GFPQ_HIGHWAY_URL} ${gfpq_highway_archive} STATUS gfpq_highway_status TLS_VERIFY ON TIMEOUT 120)
    list(GET gfpq_highway_status 1 gfpq_highway_reason)
    if(NOT gfpq_highway_status MATCHES "^0;")
      message(FATAL_ERROR "Highway cannot be downloaded from ${GFPQ_HIGHWAY_URL}: ${gfpq_highway_reason}. Name a copy of it by "
                          "-DGFPQ_HIGHWAY_URL=URL (file:///... too). ${gfpq_highway_advice}")
    endif()
    file(SHA256 ${gfpq_highway_archive} gfpq_highway_found)
    if(NOT gfpq_highway_found STREQUAL gfpq_highway_sha256)
      message(FATAL_ERROR "${GFPQ_HIGHWAY_URL} is not Highway 1.0.3: its SHA-256 is ${gfpq_highway_found} instead of "
                          "${gfpq_highway_sha256}")
    endif()
    execute_process(COMMAND ${CMAKE_COMMAND} -E tar xzf ${gfpq_highway_archive} WORKING_DIRECTORY ${PROJECT_BINARY_DIR})
    file(RENAME ${PROJECT_BINARY_DIR}/highway-1.0.3 ${gfpq_highway_folder})
  endif()
  set(GFPQ_HIGHWAY_INCLUDE_DIR ${gfpq_highway_folder} CACHE PATH "Where hwy/highway.h lies" FORCE)
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
