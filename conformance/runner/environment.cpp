#include "runner/environment.hpp"

#include <algorithm>
#include <cstdlib>

#include "oracle/oracle.hpp"
#include "runner/checks.hpp"
#include "runner/diagnosis.hpp"

namespace conformance {
namespace {

EnvironmentGuard* the_guard = nullptr;
thread_local ThreadEnvironment thread_environment;

struct CallInProgress {
  unsigned bits;
  std::size_t type_size;
  const GFPQ_PARAM_ST* param;
};
thread_local CallInProgress call_in_progress;

constexpr int exit_descriptors_closed = 124;

} // namespace

EnvironmentGuard* environment_guard() { return the_guard; }

const char* requirement_of(Surrounding part) {
  switch (part) {
  case Surrounding::floating_point:
    return "GFPQ-ENV-02";
  case Surrounding::locale:
    return "GFPQ-ENV-03";
  case Surrounding::signals:
    return "GFPQ-ENV-04";
  case Surrounding::descriptors:
    return "GFPQ-ENV-05";
  case Surrounding::folder:
    return "GFPQ-ENV-06";
  case Surrounding::children:
    return "GFPQ-ENV-07";
  case Surrounding::cpus:
    return "GFPQ-ENV-08";
  }
  throw std::logic_error("an unknown part of the environment");
}

const std::vector<std::string>& requirements_of_every_case() {
  static const std::vector<std::string> ids = [] {
    std::vector<std::string> all = {calls_return};
    for (std::size_t part = 0; part < surroundings; ++part)
      all.emplace_back(requirement_of(static_cast<Surrounding>(part)));
    return all;
  }();
  return ids;
}

EnvironmentGuard::EnvironmentGuard(Channel& channel) : channel_(channel) { the_guard = this; }

void EnvironmentGuard::before(Function function, unsigned count, unsigned bits, const GFPQ_PARAM_ST* param,
                              std::size_t type_size) {
  Activity& activity = channel_.activity();
  constexpr auto relaxed = std::memory_order_relaxed;
  activity.function.store(static_cast<std::uint32_t>(function), relaxed);
  activity.count.store(count, relaxed);
  activity.bits.store(bits, relaxed);
  activity.mode.store(param != nullptr ? param->mode : ~0u, relaxed);
  activity.type_size.store(static_cast<std::uint32_t>(type_size), relaxed);
  activity.threads_inside.fetch_add(1, relaxed);
  activity.calls.fetch_add(1, std::memory_order_release);
  call_in_progress = {bits, type_size, param};
  thread_environment.save();
}

void EnvironmentGuard::abandon_call() { channel_.activity().threads_inside.fetch_sub(1, std::memory_order_relaxed); }

void EnvironmentGuard::after() {
  if (process_ != nullptr && !process_->is_same_process()) { // the library has forked, and both came back
    channel_.activity().returned_in_child.fetch_add(1);
    std::_Exit(0);
  }
  if (call_in_progress.param != nullptr)
    remember_delta(call_in_progress.bits, call_in_progress.type_size, delta_of(*call_in_progress.param));
  thread_environment.restore([this](Surrounding part, const std::string& what) { note(part, what); });
  channel_.activity().threads_inside.fetch_sub(1, std::memory_order_relaxed);
  if (!channel_.is_open()) { // nothing can be reported any more
    channel_.activity().closed_descriptors.store(1);
    std::_Exit(exit_descriptors_closed);
  }
}

void EnvironmentGuard::start() {
  process_ = std::make_unique<ProcessEnvironment>();
  calls_before_ = channel_.activity().calls;
}

void EnvironmentGuard::check_output() {
  if (process_ != nullptr)
    process_->restore_output([this](Surrounding part, const std::string& what) { note(part, what); });
}

void EnvironmentGuard::note(Surrounding part, const std::string& what) {
  constexpr std::size_t max_shown = 3;
  const Activity& activity = channel_.activity();
  const std::lock_guard lock(mutex_);
  const auto index = static_cast<std::size_t>(part);
  ++failed_[index];
  if (failures_[index].size() < max_shown)
    failures_[index].push_back("by " + describe_call(activity) + ": " + what);
}

std::vector<Finding> EnvironmentGuard::conclude(const std::string& test, const std::string& thrown) {
  process_->restore([this](Surrounding part, const std::string& what) { note(part, what); });
  const std::uint32_t returned = channel_.activity().returned_in_child.exchange(0);
  if (returned > 0)
    note(Surrounding::children, std::to_string(returned) + " call(s) returned twice: the library forks");

  const std::uint64_t calls = channel_.activity().calls - calls_before_;
  calls_before_ += calls;
  std::vector<Finding> findings;
  if (calls == 0)
    return findings;
  const auto add = [&](const char* id, std::size_t failed, const std::vector<std::string>& failures) {
    Finding finding;
    finding.test = test;
    finding.requirement = id;
    finding.kinds[""] = {std::max<std::size_t>(calls, failed), failed, failed > 0 ? other_symptom : 0u};
    finding.failures = failures;
    findings.push_back(std::move(finding));
  };
  add(calls_return, thrown.empty() ? 0 : 1, thrown.empty() ? std::vector<std::string>() : std::vector{thrown});
  for (std::size_t part = 0; part < surroundings; ++part) {
    add(requirement_of(static_cast<Surrounding>(part)), failed_[part], failures_[part]);
    failed_[part] = 0;
    failures_[part].clear();
  }
  return findings;
}

} // namespace conformance
