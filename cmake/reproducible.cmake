# The same source gives the same bits, wherever it lies and whenever it is built: no path and no time gets into an object
# or an archive. cmake/revision.cmake does its part. Not so the GPU library: nvcc names internal symbols by the source's
# full path, whatever it is given. scripts/release.sh therefore builds in a folder that has the same name everywhere.
if(MSVC)
  return()
endif()
# Where one folder lies in the other, GCC takes the last pair that fits, Clang the first: for build/ both come to the same.
foreach(pair ${PROJECT_SOURCE_DIR}=. ${PROJECT_BINARY_DIR}=./build)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-ffile-prefix-map=${pair}>)
endforeach()
set(CMAKE_CXX_ARCHIVE_CREATE "<CMAKE_AR> qcD <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "<CMAKE_RANLIB> -D <TARGET>")
