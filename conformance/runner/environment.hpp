// What a call must leave as it was in the process around it: looked after, restored, and judged under requirements of
// its own, so that nothing else is blamed for it.
#ifndef GFPQ_CONFORMANCE_RUNNER_ENVIRONMENT_HPP
#define GFPQ_CONFORMANCE_RUNNER_ENVIRONMENT_HPP

#include <array>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "runner/finding.hpp"
#include "runner/library.hpp"
#include "runner/process.hpp"

namespace conformance {

/// The parts of the environment, each with a requirement.
enum class Surrounding { floating_point, locale, signals, descriptors, folder, children, cpus };
inline constexpr std::size_t surroundings = 7;
const char* requirement_of(Surrounding part);
inline constexpr const char* calls_return = "GFPQ-ENV-01";
/// What is looked after in every case: those of the surroundings, and that calls return.
const std::vector<std::string>& requirements_of_every_case();

/// Told what a part was changed to.
using TellChange = std::function<void(Surrounding, const std::string& what)>;

/// What is looked after at each call, on its thread. environment_posix.cpp, environment_windows.cpp.
class ThreadEnvironment {
public:
  ThreadEnvironment();
  void save();
  /// Tells what has changed since `save`, and restores it.
  void restore(const TellChange& tell);

private:
  struct State;
  std::array<unsigned char, 512> storage_;
  State& state();
};

/// What is looked after at each case's end, and where output is captured. The process's, from the making on.
class ProcessEnvironment {
public:
  ProcessEnvironment();
  ~ProcessEnvironment();
  void restore(const TellChange& tell);
  /// The part of it that output goes through.
  void restore_output(const TellChange& tell);
  /// Whether this is still the process that it was made in, or that has adopted it since.
  bool is_same_process() const;
  void adopt();

private:
  struct State;
  std::unique_ptr<State> state_;
};

class EnvironmentGuard : public CallObserver {
public:
  explicit EnvironmentGuard(Channel& channel);

  void before(Function function, unsigned count, unsigned bits, const GFPQ_PARAM_ST* param,
              std::size_t type_size) override;
  void after() override;

  /// The process's environment as it is now is right from here on.
  void start();
  /// Calls come back in this process too, which a case has forked.
  void adopt_process() { process_->adopt(); }
  /// The call in progress does not come back: its process, which a case has forked, ends in it.
  void abandon_call();
  /// Looks after what output goes through.
  void check_output();
  /// Looks after the rest. \return what was found since `start` or the last time, on every part and on calls that
  /// return: `thrown` says how one has not
  std::vector<Finding> conclude(const std::string& test, const std::string& thrown);

private:
  void note(Surrounding part, const std::string& what);

  Channel& channel_;
  std::unique_ptr<ProcessEnvironment> process_;
  std::mutex mutex_;
  std::array<std::size_t, surroundings> failed_ = {};
  std::array<std::vector<std::string>, surroundings> failures_;
  std::uint64_t calls_before_ = 0;
};

/// The one of this worker.
EnvironmentGuard* environment_guard();

} // namespace conformance

#endif
