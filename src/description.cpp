#include "description.hpp"

#include <cstdio>
#include <cstring>

#include "cpu_backend.hpp"
#include "gfpq.hpp"

namespace gfpq {

namespace {

/// Appends to a text what is left of room for. Without memory of its own, so that no call can fail for want of it.
class Writer {
public:
  Writer(char* text, unsigned int size) : text_(text), size_(size) {}

  Writer& operator<<(const char* part) {
    const std::size_t length = std::strlen(part);
    if (written_ + length < size_)
      std::memcpy(text_ + written_, part, length + 1);
    written_ += length;
    return *this;
  }

  Writer& quoted(const char* part) { return part != nullptr ? *this << "\"" << part << "\"" : *this << "null"; }

  /// The room that all of it takes, with the zero at its end.
  std::size_t needed() const { return written_ + 1; }

private:
  char* text_;
  std::size_t size_, written_ = 0;
};

} // namespace
} // namespace gfpq

int GFPQ_Describe(char* text, unsigned int size) {
  if (text == nullptr)
    return GFPQ_FAIL(gfpq::errors::empty_pointer);
  const gfpq::Target* chosen = gfpq::chosen_target();
  char threads[32];
  std::snprintf(threads, sizeof threads, "%zu", gfpq::CpuBackend::allowed_threads());

  gfpq::Writer writer(text, size);
  (writer << "{\"target\": ").quoted(chosen != nullptr ? chosen->name : nullptr) << ", \"targets\": [";
  const char* separator = "";
  for (const gfpq::Target* target : gfpq::supported_targets()) {
    (writer << separator).quoted(target->name);
    separator = ", ";
  }
  (writer << "], \"threads\": " << threads << ", \"gpu_architectures\": ").quoted(gfpq::gpu_architectures()) << "}";
  return writer.needed() <= size
             ? GFPQ_SUCCESS
             : GFPQ_FAIL(gfpq::errors::short_buffer, size, static_cast<unsigned int>(writer.needed()));
}
