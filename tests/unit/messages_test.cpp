// Where error messages go.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gfpq.hpp"
#include "unit_test.hpp"

namespace {

/// Makes a call that fails, with GFPQ_MESSAGES set so.
void fail_with(const char* where) {
  gfpq::set_environment("GFPQ_MESSAGES", where);
  EXPECT_EQ(HI_GFPQ_GetInfo(nullptr), GFPQ_ERR_BAD_PARAMETERS);
  gfpq::set_environment("GFPQ_MESSAGES", "");
}

struct Output {
  std::string out, err;
};

Output captured(const char* where) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  fail_with(where);
  return {testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

bool is_the_message(const std::string& text) {
  return text.rfind("[ERR][HI_GFPQ_GetInfo][", 0) == 0 && text.find("] Empty pointer") != std::string::npos;
}

TEST(Messages, GoToStandardOutputByDefault) {
  for (const char* where : {"", "stdout"}) {
    const Output output = captured(where);
    EXPECT_TRUE(is_the_message(output.out)) << output.out;
    EXPECT_EQ(output.err, "");
  }
}

TEST(Messages, GoToStandardErrorWhereSet) {
  const Output output = captured("stderr");
  EXPECT_TRUE(is_the_message(output.err)) << output.err;
  EXPECT_EQ(output.out, "");
}

TEST(Messages, AreNotPrintedWhereSetToNone) {
  const Output output = captured("none");
  EXPECT_EQ(output.out + output.err, "");
}

TEST(Messages, AreAppendedToTheFileThatIsSet) {
  const std::string path = testing::TempDir() + "gfpq_messages.txt";
  std::remove(path.c_str());
  fail_with(("file:" + path).c_str());
  fail_with(("file:" + path).c_str());
  std::ifstream file(path);
  int lines = 0;
  for (std::string line; std::getline(file, line); ++lines)
    EXPECT_TRUE(is_the_message(line)) << line;
  EXPECT_EQ(lines, 2);
  std::remove(path.c_str());
}

TEST(Messages, ABadSettingIsReportedAndLosesNothing) {
  for (const char* where : {"printer", "file:/no/such/folder/messages.txt"}) {
    const Output output = captured(where);
    EXPECT_EQ(output.err.rfind("GFPQ_MESSAGES=" + std::string(where) + ": ", 0), 0u) << output.err;
    EXPECT_TRUE(is_the_message(output.err.substr(output.err.find('\n') + 1))) << output.err;
  }
}

TEST(Messages, ASinkReceivesThemUntilItIsRemoved) {
  std::vector<std::string> received;
  GFPQ_SetMessageSink(
      [](const char* message, void* user) { static_cast<std::vector<std::string>*>(user)->push_back(message); },
      &received);
  EXPECT_EQ(captured("stdout").out, "");
  GFPQ_SetMessageSink(nullptr, nullptr);
  ASSERT_EQ(received.size(), 1u);
  EXPECT_TRUE(is_the_message(received[0]));
  EXPECT_EQ(received[0].find('\n'), std::string::npos);
  EXPECT_TRUE(is_the_message(captured("stdout").out));
  EXPECT_EQ(received.size(), 1u);
}

} // namespace
