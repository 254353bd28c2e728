# What cross builds take from the machine that builds: libraries that are headers alone, and GoogleTest's source, as
# Debian's packages have them. Links to the few headers needed: /usr/include as a whole belongs to another machine.
cmake_minimum_required(VERSION 3.24) # for OVERRIDE_FIND_PACKAGE
set(dependencies ${PROJECT_BINARY_DIR}/dependencies)
file(MAKE_DIRECTORY ${dependencies}/include)
foreach(headers CLI hwy nlohmann)
  file(CREATE_LINK /usr/include/${headers} ${dependencies}/include/${headers} SYMBOLIC)
endforeach()
file(COPY /usr/share/cmake/CLI11 /usr/share/cmake/nlohmann_json DESTINATION ${dependencies}/share/cmake)
list(APPEND CMAKE_FIND_ROOT_PATH ${dependencies})
list(APPEND CMAKE_PREFIX_PATH ${dependencies})

include(FetchContent)
set(BUILD_GMOCK OFF)
set(INSTALL_GTEST OFF)
FetchContent_Declare(GTest SOURCE_DIR /usr/src/googletest OVERRIDE_FIND_PACKAGE)
FetchContent_MakeAvailable(GTest)
foreach(target gtest gtest_main)
  target_compile_options(${target} PRIVATE ${GFPQ_TEST_OPTIONS})
endforeach()

# Google Benchmark's libraries in Debian are compiled; a folder with its source makes gfpq_bench part of a portable package.
set(GFPQ_BENCHMARK_SOURCE "" CACHE PATH "Source of Google Benchmark, for cross builds")
if(GFPQ_BENCHMARK_SOURCE)
  set(BENCHMARK_ENABLE_TESTING OFF)
  set(BENCHMARK_ENABLE_INSTALL OFF)
  set(BENCHMARK_ENABLE_WERROR OFF)
  FetchContent_Declare(benchmark SOURCE_DIR ${GFPQ_BENCHMARK_SOURCE} OVERRIDE_FIND_PACKAGE)
  FetchContent_MakeAvailable(benchmark)
  target_compile_options(benchmark PRIVATE -w) # it asks for errors where a newer compiler warns
endif()
