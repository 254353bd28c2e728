// The library under test: any, by its file. The functions of gfpq.hpp go to it.
#ifndef GFPQ_TESTS_FAULTS_LIBRARY_HPP
#define GFPQ_TESTS_FAULTS_LIBRARY_HPP

#include <string>

namespace faults {

const std::string& library_file();

/// Whether it has this project's own GFPQ_SetMessageSink. Without it, that function does nothing.
bool has_message_sink();

} // namespace faults

/// Skips a test that is about the messages' sink.
#define GFPQ_NEED_MESSAGE_SINK()                                                                                       \
  if (!faults::has_message_sink())                                                                                     \
  GTEST_SKIP() << "the library has no GFPQ_SetMessageSink"

#endif
