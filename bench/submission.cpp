#include "submission.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <filesystem>
#include <iostream>
#include <vector>

namespace bench {
namespace {

constexpr int exit_not_judged = 2;

/// `AMD EPYC 9575F (Zen 5)` becomes `amd-epyc-9575f-zen-5`.
std::string file_name(const std::string& text) {
  std::string name;
  for (const char letter : text)
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0)
      name += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    else if (!name.empty() && name.back() != '-')
      name += '-';
  while (!name.empty() && name.back() == '-')
    name.pop_back();
  return name;
}

/// The exit status of a program, -1 where it cannot be run.
int run(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  int status = 0;
  if (posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0 ||
      waitpid(child, &status, 0) != child || !WIFEXITED(status))
    return -1;
  return WEXITSTATUS(status);
}

} // namespace

void prepare_submission(RunOptions& options, const std::string& cpu_model) {
  options.repetitions = 9;
  if (options.output.empty())
    options.output = "gfpq-" + file_name(cpu_model) + ".json";
  if (!options.is_quiet)
    std::cout << "This takes about a minute where nothing else runs. Leave the machine alone until it ends."
              << std::endl;
}

int judge_submission(const std::string& file) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto script = program.parent_path().parent_path().parent_path() / "scripts" / "report.py";
  int status = -1;
  if (std::filesystem::exists(script, error))
    status = run({script.string(), "--check", file});
  if (status != 0 && status != 1) {
    std::cerr << "gfpq_bench: whether " << file << " is fit to be published is not known: `scripts/report.py --check "
              << file << "` in a checkout of the project says it (scripts/setup.sh run installs what it needs)\n";
    return exit_not_judged;
  }
  std::cout << (status == 0 ? "Send this one file: " : "Nothing to send yet; the run is in ") << file
            << (status == 0 ? "; bench/results/README.md says how.\n"
                            : "; run it again when what is named above has been changed.\n");
  return status;
}

} // namespace bench
