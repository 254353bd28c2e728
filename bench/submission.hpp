// A run whose result is to be sent: always the same, and at its end the verdict and the one file.
#ifndef GFPQ_BENCH_SUBMISSION_HPP
#define GFPQ_BENCH_SUBMISSION_HPP

#include <string>

#include "rounds.hpp"

namespace bench {

/// Makes the options those of a submission: `gfpq-CPU.json` here, where no file is named.
void prepare_submission(RunOptions& options, const std::string& cpu_model);

/// Lets scripts/report.py of this project judge the file, and says what to send.
/// \return the exit status: 0 where it is fit to be published, 1 where it is not, 2 where it could not be judged.
int judge_submission(const std::string& file);

} // namespace bench

#endif
