# Debian packages: libgfpq1 and libgfpq-dev, and libgfpq-gpu1 and libgfpq-gpu-dev where the GPU library is built. Each is a
# component of the same name.
find_program(DPKG_DEB dpkg-deb)
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR CMAKE_CROSSCOMPILING OR NOT DPKG_DEB)
  return()
endif()
list(APPEND CPACK_GENERATOR DEB)

set(soversion ${PROJECT_VERSION_MAJOR})
set(doc ${CMAKE_INSTALL_DATAROOTDIR}/doc)
gfpq_install(debian INCLUDE include LIB lib/${CMAKE_LIBRARY_ARCHITECTURE} BIN bin SAMPLE share/doc/libgfpq-dev/examples
             RUNTIME libgfpq${soversion} DEVELOPMENT libgfpq-dev
             GPU_RUNTIME libgfpq-gpu${soversion} GPU_DEVELOPMENT libgfpq-gpu-dev)
install(FILES Release_note.txt DESTINATION share/doc/libgfpq-dev COMPONENT libgfpq-dev EXCLUDE_FROM_ALL)

set(CPACK_PACKAGE_CONTACT "the gfpq authors <maintainers@gfpq.invalid>" CACHE STRING "Maintainer in Debian packages")
configure_file(cmake/debian/changelog.in debian/changelog @ONLY)
execute_process(COMMAND gzip --best --no-name --stdout ${PROJECT_BINARY_DIR}/debian/changelog
                OUTPUT_FILE ${PROJECT_BINARY_DIR}/debian/changelog.gz RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "gzip: ${result}")
endif()

set(CPACK_DEBIAN_COMPONENTS "")
macro(gfpq_debian_package name section depends description)
  string(TOUPPER ${name} upper)
  list(APPEND CPACK_DEBIAN_COMPONENTS ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${upper}_PACKAGE_DEPENDS "${depends}")
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${description}")
  if(${section} STREQUAL "libs")
    set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/cmake/debian/triggers)
  endif()
  gfpq_install_folders(COMPONENT ${name} EXCLUDE_FROM_ALL FOLDERS ${doc}/${name})
  install(FILES cmake/debian/copyright ${PROJECT_BINARY_DIR}/debian/changelog.gz DESTINATION ${doc}/${name}
          COMPONENT ${name} EXCLUDE_FROM_ALL)
endmacro()

set(this "(= ${PROJECT_VERSION})")
gfpq_debian_package(libgfpq${soversion} libs "" "The shared library: quantizes and dequantizes tensors as the chip does.")
gfpq_debian_package(libgfpq-dev libdevel "libgfpq${soversion} ${this}"
  "Header, static library, files for CMake and pkg-config, and samples.")
if(GFPQ_HAS_CUDA)
  gfpq_debian_package(libgfpq-gpu${soversion} libs ""
    "The shared library for CUDA GPUs: it has the functions for the CPU too, and\nCUDA's runtime inside.")
  gfpq_debian_package(libgfpq-gpu-dev libdevel "libgfpq-gpu${soversion} ${this}, libgfpq-dev ${this}"
    "The static library for CUDA GPUs, and its files for CMake and pkg-config.")
endif()

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
