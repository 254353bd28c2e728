// SHA-256 (FIPS 180-4). Its own few lines, because the runner is also built for systems without a library that has it.
#ifndef GFPQ_CONFORMANCE_ORACLE_SHA256_HPP
#define GFPQ_CONFORMANCE_ORACLE_SHA256_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace conformance {

class Sha256 {
public:
  void update(const void* data, std::size_t bytes);
  /// Ends the message. \return 64 hexadecimal digits
  std::string digest();

private:
  void compress(const unsigned char* block);

  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> pending_;
  std::uint64_t length_ = 0; // bytes
};

std::string sha256(const std::string& message);

/// Of a file's bytes. Throws std::runtime_error where it cannot be read.
std::string sha256_of_file(const std::string& path);

} // namespace conformance

#endif
