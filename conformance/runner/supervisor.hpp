// Runs cases in workers, and starts another where one dies, hangs or talks nonsense.
#ifndef GFPQ_CONFORMANCE_RUNNER_SUPERVISOR_HPP
#define GFPQ_CONFORMANCE_RUNNER_SUPERVISOR_HPP

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runner/case.hpp"
#include "runner/worker.hpp"

namespace conformance {

struct SupervisorOptions {
  std::string library, golden;
  Device device = Device::cpu;
  bool thorough = false;
  double timeout = 20; ///< seconds for a call; see --timeout
};

class Supervisor {
public:
  explicit Supervisor(SupervisorOptions options) : options_(std::move(options)) {}

  /// Looks at what the library offers, before the first case; `select` may leave some of it. Throws std::runtime_error
  /// where the file is no library.
  const Survey& survey(const std::function<void(Survey&)>& select = nullptr);

  /// Why no worker can load the library and go on; empty where one can.
  const std::string& fatal() const { return fatal_; }

  /// Runs a case, once for each of its thread counts. Whatever the library does, each requirement that the case names
  /// has a finding.
  CaseReport run(std::size_t index);

  /// How many numbers get another code; a worker that is lost is told as the share's problem.
  Share measure(const std::string& data, const Kind& kind);

  /// Workers that died, were ended, or whose report was not whole.
  std::size_t casualties() const { return casualties_; }

private:
  using Clock = std::chrono::steady_clock;

  /// A worker that has loaded the library; null where `fatal` says why.
  Process* worker(int threads);
  CaseReport run(std::size_t index, int threads);
  /// The reply to a request. Empty where the worker is lost, which `loss` then tells.
  std::string ask(const nlohmann::json& request);
  /// Whether the call or the case in progress has had its time.
  bool is_overdue(Clock::time_point since_case, Clock::time_point since_call) const;
  /// Ends the worker and says what the library did.
  std::string lose(const std::string& how);
  double limit() const;

  SupervisorOptions options_;
  std::unique_ptr<Process> process_;
  int threads_ = 0; // of the worker
  Survey survey_;
  bool is_surveyed_ = false;
  std::vector<std::string> skip_;
  std::string loss_, fatal_;
  bool lost_descriptors_ = false;
  std::size_t casualties_ = 0, overdue_ = 0;
};

} // namespace conformance

#endif
