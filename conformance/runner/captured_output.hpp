// What the library prints.
#ifndef GFPQ_CONFORMANCE_RUNNER_CAPTURED_OUTPUT_HPP
#define GFPQ_CONFORMANCE_RUNNER_CAPTURED_OUTPUT_HPP

#include <memory>
#include <string>

namespace conformance {

/// What a worker writes to standard output meanwhile, which is a file; the file is then as it was.
class CapturedOutput {
public:
  CapturedOutput();
  ~CapturedOutput();
  CapturedOutput(const CapturedOutput&) = delete;
  CapturedOutput& operator=(const CapturedOutput&) = delete;
  /// Ends the capture. \return what was written, its lines ended by a line feed alone
  std::string take();

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace conformance

#endif
