// The worker: the process that loads the library, makes the cases' calls, and reports each case whole. The runner
// believes a report only with the checksum over the request's nonce, which no library can know.
#ifndef GFPQ_CONFORMANCE_RUNNER_WORKER_HPP
#define GFPQ_CONFORMANCE_RUNNER_WORKER_HPP

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runner/finding.hpp"
#include "runner/library.hpp"
#include "runner/process.hpp"
#include "runner/shares.hpp"

namespace conformance {

/// The first request of a worker: load the library, and look at what it offers.
struct SurveyRequest {
  std::string library, golden;
  bool gpu = false, thorough = false;
  int threads = 1;                 ///< in the environment, where a library listens
  std::vector<std::string> skip{}; ///< steps that have killed a worker before: `info`, kinds of tensors
};

struct Survey {
  std::string error;                ///< why the file is no library
  std::string unavailable;          ///< why nothing can run here
  GFPQ_INFO_ST info = {};           ///< all zero where the library does not tell
  std::vector<std::string> missing; ///< functions
  std::vector<Kind> offered;
  bool own_blocks = false; ///< see own_block.hpp
  Pace pace;
};

struct CaseRequest {
  std::string name; ///< of a test_case()
  std::vector<Kind> offered{};
};

/// See measure_share.
struct MeasureRequest {
  std::string data;
  Kind kind{};
};

struct CaseReport {
  std::vector<Finding> findings;
  std::string skipped;                 ///< why the case can't run here
  std::vector<std::string> left_out{}; ///< since the library is slow
};

void to_json(nlohmann::json& json, const SurveyRequest& request);
void from_json(const nlohmann::json& json, SurveyRequest& request);
void to_json(nlohmann::json& json, const Survey& survey);
void from_json(const nlohmann::json& json, Survey& survey);
void to_json(nlohmann::json& json, const CaseRequest& request);
void from_json(const nlohmann::json& json, CaseRequest& request);
void to_json(nlohmann::json& json, const MeasureRequest& request);
void from_json(const nlohmann::json& json, MeasureRequest& request);
void to_json(nlohmann::json& json, const CaseReport& report);
void from_json(const nlohmann::json& json, CaseReport& report);

/// A report as it goes over the pipe: `gfpq-report LENGTH SHA256`, a line end, and the text.
std::string frame(const std::string& nonce, const std::string& text);

/// Takes the whole report at the front of `received`, if it is there. Throws std::runtime_error where what is there is
/// no report to this nonce.
bool take_frame(const std::string& nonce, std::string& received, std::string& text);

/// Serves requests until the runner is gone.
void worker_main(Channel& channel);

} // namespace conformance

#endif
