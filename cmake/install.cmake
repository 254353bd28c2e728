# `cmake --install` and `cpack`. What is installed lies in one of three layouts, which one function lays out:
#   default   of `cmake --install`, by GNUInstallDirs
#   archive   of the .tgz, the folders of the vendor's GFPQLibs
#   debian    of the .deb packages, by Debian's policy
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Not the builder's umask.
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS ${CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})

set(libraries gfpq_shared gfpq_static)
if(GFPQ_HAS_CUDA)
  list(APPEND libraries gfpq_gpu_shared gfpq_gpu_static)
endif()
if(GFPQ_PORTABLE) # a static library made with another C++ library does not link with the user's
  list(FILTER libraries EXCLUDE REGEX static)
endif()
foreach(library ${libraries})
  string(REPLACE _shared "" name ${library})
  set_target_properties(${library} PROPERTIES EXPORT_NAME ${name})
endforeach()

write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/gfpq-config-version.cmake COMPATIBILITY SameMajorVersion)

# Makes a folder and those above it with the permissions above: CMake gives them to the last one alone. So too the whole
# package's folder, but not the prefix of `cmake --install`, which is the user's.
function(gfpq_install_folders)
  cmake_parse_arguments(PARSE_ARGV 0 arg "EXCLUDE_FROM_ALL" "COMPONENT" "FOLDERS")
  set(excluded "")
  if(arg_EXCLUDE_FROM_ALL)
    set(excluded EXCLUDE_FROM_ALL)
  endif()
  foreach(folder ${arg_FOLDERS})
    while(folder AND NOT IS_ABSOLUTE "${folder}" AND NOT folder STREQUAL ".")
      install(DIRECTORY DESTINATION ${folder} COMPONENT ${arg_COMPONENT} ${excluded})
      get_filename_component(folder "${folder}" DIRECTORY)
    endwhile()
  endforeach()
  if(arg_EXCLUDE_FROM_ALL) # packages alone
    install(DIRECTORY DESTINATION . COMPONENT ${arg_COMPONENT} ${excluded})
  endif()
endfunction()

function(gfpq_install layout)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "INCLUDE;LIB;BIN;DOC;SAMPLE;RUNTIME;DEVELOPMENT;GPU_RUNTIME;GPU_DEVELOPMENT" "")
  set(excluded EXCLUDE_FROM_ALL)
  if(layout STREQUAL "default")
    set(excluded "")
  endif()
  set(cmake_folder ${arg_LIB}/cmake/gfpq)
  gfpq_install_folders(COMPONENT ${arg_RUNTIME} ${excluded} FOLDERS ${arg_LIB})
  gfpq_install_folders(COMPONENT ${arg_DEVELOPMENT} ${excluded}
                       FOLDERS ${arg_INCLUDE} ${cmake_folder} ${arg_LIB}/pkgconfig ${arg_DOC} ${arg_SAMPLE})
  set(generated ${PROJECT_BINARY_DIR}/cmake/${layout})

  foreach(library ${libraries})
    set(runtime ${arg_RUNTIME})
    set(development ${arg_DEVELOPMENT})
    if(library MATCHES gpu)
      set(runtime ${arg_GPU_RUNTIME})
      set(development ${arg_GPU_DEVELOPMENT})
    endif()
    install(TARGETS ${library} EXPORT ${library}_${layout} ${excluded}
            LIBRARY DESTINATION ${arg_LIB} COMPONENT ${runtime} NAMELINK_COMPONENT ${development}
            RUNTIME DESTINATION ${arg_BIN} COMPONENT ${runtime}
            ARCHIVE DESTINATION ${arg_LIB} COMPONENT ${development}
            INCLUDES DESTINATION ${arg_INCLUDE})
    install(EXPORT ${library}_${layout} FILE ${library}.cmake NAMESPACE gfpq:: DESTINATION ${cmake_folder}
            COMPONENT ${development} ${excluded})
  endforeach()

  configure_package_config_file(cmake/gfpq-config.cmake.in ${generated}/gfpq-config.cmake
                                INSTALL_DESTINATION ${cmake_folder} NO_SET_AND_CHECK_MACRO)
  install(FILES ${generated}/gfpq-config.cmake ${PROJECT_BINARY_DIR}/cmake/gfpq-config-version.cmake
          DESTINATION ${cmake_folder} COMPONENT ${arg_DEVELOPMENT} ${excluded})

  file(RELATIVE_PATH prefix_from_pkgconfig /${arg_LIB}/pkgconfig /)
  string(REGEX REPLACE "/$" "" prefix_from_pkgconfig ${prefix_from_pkgconfig})
  set(name gfpq)
  set(description "${PROJECT_DESCRIPTION}")
  set(variables "")
  set(libs_private -pthread)
  configure_file(cmake/gfpq.pc.in ${generated}/gfpq.pc @ONLY)
  install(FILES ${generated}/gfpq.pc DESTINATION ${arg_LIB}/pkgconfig COMPONENT ${arg_DEVELOPMENT} ${excluded})
  if(GFPQ_HAS_CUDA)
    set(name gfpq_gpu)
    string(APPEND description ", on CUDA GPUs")
    set(variables "cuda_libdir=${CUDAToolkit_LIBRARY_DIR}\n")
    set(libs_private "-L\${cuda_libdir} -lcudart_static -ldl -lrt -pthread")
    configure_file(cmake/gfpq.pc.in ${generated}/gfpq_gpu.pc @ONLY)
    install(FILES ${generated}/gfpq_gpu.pc DESTINATION ${arg_LIB}/pkgconfig COMPONENT ${arg_GPU_DEVELOPMENT} ${excluded})
  endif()

  install(FILES include/gfpq.hpp include/gfpq_jobs.hpp DESTINATION ${arg_INCLUDE} COMPONENT ${arg_DEVELOPMENT} ${excluded})
  if(arg_DOC)
    install(FILES Release_note.txt LICENSE DESTINATION ${arg_DOC} COMPONENT ${arg_DEVELOPMENT} ${excluded})
  endif()
  file(GLOB programs CONFIGURE_DEPENDS samples/*.sh samples/*.py)
  install(PROGRAMS ${programs} DESTINATION ${arg_SAMPLE} COMPONENT ${arg_DEVELOPMENT} ${excluded})
  install(FILES samples/CMakeLists.txt samples/sample.cpp samples/run_windows.bat DESTINATION ${arg_SAMPLE}
          COMPONENT ${arg_DEVELOPMENT} ${excluded})
endfunction()

gfpq_install(default INCLUDE ${CMAKE_INSTALL_INCLUDEDIR} LIB ${CMAKE_INSTALL_LIBDIR} BIN ${CMAKE_INSTALL_BINDIR}
             DOC ${CMAKE_INSTALL_DOCDIR} SAMPLE ${CMAKE_INSTALL_DOCDIR}/sample
             RUNTIME runtime DEVELOPMENT development GPU_RUNTIME gpu_runtime GPU_DEVELOPMENT gpu_development)
gfpq_install(archive INCLUDE include LIB lib BIN lib DOC . SAMPLE sample
             RUNTIME archive DEVELOPMENT archive GPU_RUNTIME archive GPU_DEVELOPMENT archive)

set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_GENERATOR TGZ)
set(CPACK_ARCHIVE_FILE_EXTENSION .tgz)
if(GFPQ_PORTABLE)
  # With the programs that need nothing but this package, and the licences of what is linked into all of it.
  foreach(program gfpq_info gfpq_conformance gfpq_bench)
    if(TARGET ${program})
      install(TARGETS ${program} RUNTIME DESTINATION bin COMPONENT archive EXCLUDE_FROM_ALL)
    endif()
  endforeach()
  install(FILES cmake/portable/THIRD_PARTY_LICENSES.txt DESTINATION . COMPONENT archive EXCLUDE_FROM_ALL)
  set(system_name linux)
else()
  set(system_name ${CMAKE_SYSTEM_NAME})
endif()
set(CPACK_PACKAGE_FILE_NAME GFPQLibs-${PROJECT_VERSION}-${system_name}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_SOURCE_DIR}/cmake/cpack_layouts.cmake)
include(cmake/debian/cpack.cmake)
include(CPack)
