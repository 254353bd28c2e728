// Files that are written whole or not at all.
#ifndef GFPQ_CONFORMANCE_RUNNER_FILES_HPP
#define GFPQ_CONFORMANCE_RUNNER_FILES_HPP

#include <string>

namespace conformance {

/// Writes a file under another name and lets it take its place once it is whole on the disk. What is no regular file
/// (a pipe, a device) is written directly. Throws std::runtime_error, and leaves what was there, where that fails.
void write_whole(const std::string& path, const std::string& bytes);

/// Moves a whole file that another part of the program has written to its place.
void move_whole(const std::string& from, const std::string& to);

/// Throws std::runtime_error where `write_whole` would find no place to write to.
void require_writable(const std::string& path);

} // namespace conformance

#endif
