// What GFPQ_TARGET chooses, for good: CTest runs each of these in a process of its own.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "gfpq.hpp"
#include "target_choice.hpp"

namespace {

TEST(Environment, UnknownTargetIsAnError) {
  ASSERT_STREQ(std::getenv("GFPQ_TARGET"), "abacus");
  EXPECT_EQ(gfpq::chosen_target(), nullptr);

  std::string message;
  GFPQ_SetMessageSink([](const char* text, void* user) { *static_cast<std::string*>(user) = text; }, &message);
  float number = 0.3f;
  GFPQ_PARAM_ST param{};
  param.mode = GFPQ_MODE_INIT;
  const GFPQ_PARAM_ST before = param;
  EXPECT_EQ(HI_GFPQ_QuantAndDeQuant(&number, 1, 8, &param), static_cast<int>(GFPQ_ERR_NOT_SUPPORT));
  EXPECT_EQ(number, 0.3f);
  EXPECT_EQ(std::memcmp(&param, &before, sizeof param), 0);
  EXPECT_NE(message.find("GFPQ_TARGET=abacus"), std::string::npos) << message;
  for (const gfpq::Target* target : gfpq::supported_targets())
    EXPECT_NE(message.find(target->name), std::string::npos) << message;
  GFPQ_SetMessageSink(nullptr, nullptr);
}

TEST(Environment, NamedTargetIsChosen) {
  ASSERT_STREQ(std::getenv("GFPQ_TARGET"), "scalar");
  ASSERT_NE(gfpq::chosen_target(), nullptr);
  EXPECT_STREQ(gfpq::chosen_target()->name, "scalar");
}

TEST(Environment, NoTargetIsTheFastest) {
  ASSERT_STREQ(std::getenv("GFPQ_TARGET"), "");
  EXPECT_EQ(gfpq::chosen_target(), gfpq::supported_targets().front());
}

} // namespace
