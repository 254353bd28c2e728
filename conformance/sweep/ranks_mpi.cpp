#include <mpi.h>

#include <cstdlib>
#include <numeric>

#include "ranks.hpp"

namespace conformance {
namespace {

/// Started without mpirun or srun, MPI_Init would take half a second and a daemon to make a world of one.
bool has_launcher() {
  for (const char* variable : {"PMIX_RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK"})
    if (std::getenv(variable) != nullptr)
      return true;
  return false;
}

} // namespace

Ranks::Ranks(int& argc, char**& argv) {
  if (!has_launcher())
    return;
  int provided, index, count; // one thread alone calls MPI
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &index);
  MPI_Comm_size(MPI_COMM_WORLD, &count);
  index_ = static_cast<std::size_t>(index);
  count_ = static_cast<std::size_t>(count);
}

Ranks::~Ranks() {
  if (has_launcher())
    MPI_Finalize();
}

std::string Ranks::broadcast(std::string text) const {
  if (count_ == 1)
    return text;
  int length = static_cast<int>(text.size());
  MPI_Bcast(&length, 1, MPI_INT, 0, MPI_COMM_WORLD);
  text.resize(static_cast<std::size_t>(length));
  MPI_Bcast(text.data(), length, MPI_CHAR, 0, MPI_COMM_WORLD);
  return text;
}

std::vector<std::string> Ranks::gather(const std::string& text) const {
  if (count_ == 1)
    return {text};
  const int length = static_cast<int>(text.size());
  std::vector<int> lengths(index_ == 0 ? count_ : 0), starts(lengths.size());
  MPI_Gather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, 0, MPI_COMM_WORLD);
  std::exclusive_scan(lengths.begin(), lengths.end(), starts.begin(), 0);
  std::string all(static_cast<std::size_t>(std::accumulate(lengths.begin(), lengths.end(), 0)), ' ');
  MPI_Gatherv(text.data(), length, MPI_CHAR, all.data(), lengths.data(), starts.data(), MPI_CHAR, 0, MPI_COMM_WORLD);
  std::vector<std::string> texts;
  for (std::size_t rank = 0; rank < lengths.size(); ++rank)
    texts.push_back(all.substr(static_cast<std::size_t>(starts[rank]), static_cast<std::size_t>(lengths[rank])));
  return texts;
}

void Ranks::abort(int status) const {
  if (count_ > 1)
    MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

} // namespace conformance
