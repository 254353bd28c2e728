// What a submission ends with.
#include "submission.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace {

const std::string path = ::testing::TempDir() + "gfpq_submission.json";

/// A result file with one row, repeated so often.
void write_result(int repetitions) {
  const std::string name =
      "quantize/lib:ours/target:own/type:f32/bits:8/mode:apply/data:guide/count:1000/threads:1/cache:"
      "cold";
  std::ofstream file(path);
  file
      << R"({"context": {"schema": "gfpq-bench/1", "quoted": false, "device": "cpu", "date": "2026-11-23", "title": "t",
    "project_version": "1", "project_revision": "r", "compiler": "c", "compiler_flags": "f", "cpu_model": "m",
    "architecture": "a", "threads_all": 1, "library": {"file": "l", "version": "1"}}, "benchmarks": [)";
  for (int i = 0; i < repetitions; ++i)
    file << (i == 0 ? "" : ",") << R"({"name": ")" << name << R"(", "run_name": ")" << name
         << R"(", "run_type": "iteration", "time_unit": "ns", "real_time": 1000.0})";
  file << "]}";
}

struct Ending {
  int status;
  std::string said;
};

Ending judge() {
  testing::internal::CaptureStdout();
  const int status = bench::judge_submission(path);
  return {status, testing::internal::GetCapturedStdout()};
}

TEST(Submission, NamesTheFileOfAFitRun) {
  write_result(9);
  const Ending ending = judge();
  EXPECT_EQ(ending.status, 0);
  EXPECT_NE(ending.said.find(path + ": fit to be published"), std::string::npos) << ending.said;
  EXPECT_NE(ending.said.find("Send this one file: " + path), std::string::npos) << ending.said;
}

TEST(Submission, SaysWhyARunIsNotFit) {
  write_result(8);
  const Ending ending = judge();
  EXPECT_EQ(ending.status, 1);
  EXPECT_NE(ending.said.find("not fit to be published"), std::string::npos) << ending.said;
  EXPECT_NE(ending.said.find("fewer than 9 repetitions"), std::string::npos) << ending.said;
  EXPECT_NE(ending.said.find("Nothing to send yet"), std::string::npos) << ending.said;
}

TEST(Submission, DoesNotCallFitWhatCannotBeJudged) {
  std::filesystem::remove(path);
  EXPECT_EQ(judge().status, 2);
}

TEST(Submission, IsNamedAfterTheProcessor) {
  bench::RunOptions options;
  options.is_quiet = true;
  bench::prepare_submission(options, "AMD EPYC 9575F (Zen 5)");
  EXPECT_EQ(options.output, "gfpq-amd-epyc-9575f-zen-5.json");
  EXPECT_EQ(options.repetitions, 9);
  bench::prepare_submission(options, "another");
  EXPECT_EQ(options.output, "gfpq-amd-epyc-9575f-zen-5.json");
}

} // namespace
