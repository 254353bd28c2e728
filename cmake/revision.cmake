# GFPQ_REVISION (short hash), GFPQ_REVISION_NUMBER, GFPQ_REVISION_TIME and the same time as a changelog has it, from git.
# They come from the source and not from the clock, so that the same source builds the same bits.
set(GFPQ_REVISION unknown)
set(GFPQ_REVISION_NUMBER 0)
set(GFPQ_REVISION_TIME unknown)
set(GFPQ_REVISION_RFC_TIME "Thu, 01 Jan 1970 00:00:00 +0000")

find_package(Git QUIET)
if(Git_FOUND AND EXISTS ${PROJECT_SOURCE_DIR}/.git)
  set(ENV{TZ} UTC)
  foreach(pair
          "GFPQ_REVISION|rev-parse;--short=12;HEAD"
          "GFPQ_REVISION_NUMBER|rev-list;--count;HEAD"
          "GFPQ_REVISION_TIME|log;-1;--format=%cd;--date=format-local:%b %-d %Y %H:%M:%S"
          "GFPQ_REVISION_RFC_TIME|log;-1;--format=%cD")
    string(REGEX REPLACE "\\|.*" "" name "${pair}")
    string(REGEX REPLACE "^[^|]*\\|" "" arguments "${pair}")
    execute_process(COMMAND ${GIT_EXECUTABLE} ${arguments} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                    OUTPUT_VARIABLE output OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE result ERROR_QUIET)
    if(result EQUAL 0)
      set(${name} "${output}")
    endif()
  endforeach()
  if(EXISTS ${PROJECT_SOURCE_DIR}/.git/logs/HEAD)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/.git/logs/HEAD)
  endif()
endif()
