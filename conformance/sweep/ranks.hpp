// The processes that share a sweep: those of MPI where it is built in, else this one alone.
#ifndef GFPQ_CONFORMANCE_SWEEP_RANKS_HPP
#define GFPQ_CONFORMANCE_SWEEP_RANKS_HPP

#include <cstddef>
#include <string>
#include <vector>

namespace conformance {

class Ranks {
public:
  Ranks(int& argc, char**& argv);
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  std::size_t index() const { return index_; } ///< of this process, from 0
  std::size_t count() const { return count_; }

  /// Rank 0's text, on every rank.
  std::string broadcast(std::string text) const;
  /// Every rank's text by rank, on rank 0; nothing elsewhere.
  std::vector<std::string> gather(const std::string& text) const;
  /// Ends all processes with this status, at once.
  [[noreturn]] void abort(int status) const;

private:
  std::size_t index_ = 0, count_ = 1;
};

} // namespace conformance

#endif
