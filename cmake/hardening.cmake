# Protections: gfpq_harden(TARGET ...) gives them to libraries and to objects that go into them. The kernels, which a call may
# enter several times, go without a stack protector.
# scripts/check_elf.py checks the result.
function(gfpq_harden)
  if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR GFPQ_SANITIZE) # sanitizers bring their own, and leave symbols undefined
    return()
  endif()
  foreach(target ${ARGN})
    get_target_property(kind ${target} TYPE)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fstack-protector-strong>)
    target_compile_options(${target} PRIVATE # the C library's checks need an optimizing compiler
      "$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<NOT:$<CONFIG:Debug>>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
    if(kind STREQUAL "SHARED_LIBRARY")
      target_link_options(${target} PRIVATE LINKER:-z,relro,-z,now,-z,noexecstack,-z,defs)
    endif()
  endforeach()
endfunction()
