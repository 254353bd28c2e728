// Compiled once for each instruction set, as GFPQ_BENCH_LOOPS. No standard C++ header is included: an inline function
// of one, compiled for a newer instruction set, could be the copy that the linker keeps for the whole program.
#include "limit_loops.hpp"

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace bench {
namespace {

constexpr size_t line_bytes = 64;

#if defined(__AVX512F__)
constexpr size_t vector_bytes = 64;
#elif defined(__AVX__)
constexpr size_t vector_bytes = 32;
#else
constexpr size_t vector_bytes = 16;
#endif

/// A register's worth of numbers, at any address: a plain loop over a line does not become vector code everywhere.
template <class Float>
struct Vector {
  typedef Float Type __attribute__((vector_size(vector_bytes), aligned(alignof(Float)), may_alias));
};

template <class Float>
struct BitsOf;
template <>
struct BitsOf<float> {
  using Type = int32_t;
};
template <>
struct BitsOf<double> {
  using Type = int64_t;
};

template <Prefetch where, bool for_writing>
void prefetch(const void* address, size_t ahead) {
  // The sum may lie outside the tensor: as a number that is harmless, as a pointer it would not be.
  const auto* line = reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(address) + ahead);
  if (where == Prefetch::innermost)
    __builtin_prefetch(line, for_writing, 3);
  else if (where == Prefetch::second)
    __builtin_prefetch(line, 0, 2);
}

template <Prefetch where, class Float>
void scale_with(Float* data, size_t count, Float factor, size_t ahead) {
  constexpr size_t line = line_bytes / sizeof(Float);
  size_t i = 0;
  for (; i + line <= count; i += line) {
    prefetch<where, true>(data + i, ahead);
    for (size_t k = 0; k < line; k += vector_bytes / sizeof(Float))
      *reinterpret_cast<typename Vector<Float>::Type*>(data + i + k) *= factor;
  }
  for (; i < count; ++i)
    data[i] *= factor;
}

template <class Float>
void scale(Float* data, size_t count, Float factor, Prefetch prefetch, size_t ahead) {
  switch (prefetch) {
  case Prefetch::innermost:
    return scale_with<Prefetch::innermost>(data, count, factor, ahead);
  case Prefetch::second:
    return scale_with<Prefetch::second>(data, count, factor, ahead);
  default:
    return scale_with<Prefetch::none>(data, count, factor, ahead);
  }
}

/// Magnitudes order as their bit patterns do, and whole numbers need no leave to be reordered.
template <class Float>
typename BitsOf<Float>::Type magnitude(Float number) {
  using Bits = typename BitsOf<Float>::Type;
  Bits bits;
  memcpy(&bits, &number, sizeof bits);
  return bits & static_cast<Bits>(~(uint64_t(1) << (8 * sizeof bits - 1)));
}

template <Prefetch where, class Float>
Float max_with(const Float* data, size_t count, size_t ahead) {
  using Bits = typename BitsOf<Float>::Type;
  constexpr size_t line = line_bytes / sizeof(Float);
  Bits lanes[line] = {};
  size_t i = 0;
  for (; i + line <= count; i += line) {
    prefetch<where, false>(data + i, ahead);
    for (size_t k = 0; k < line; ++k) {
      const Bits bits = magnitude(data[i + k]);
      lanes[k] = bits > lanes[k] ? bits : lanes[k];
    }
  }
  Bits largest = 0;
  for (; i < count; ++i) {
    const Bits bits = magnitude(data[i]);
    largest = bits > largest ? bits : largest;
  }
  for (const Bits bits : lanes)
    largest = bits > largest ? bits : largest;
  Float result;
  memcpy(&result, &largest, sizeof result);
  return result;
}

template <class Float>
Float max(const Float* data, size_t count, Prefetch prefetch, size_t ahead) {
  switch (prefetch) {
  case Prefetch::innermost:
    return max_with<Prefetch::innermost>(data, count, ahead);
  case Prefetch::second:
    return max_with<Prefetch::second>(data, count, ahead);
  default:
    return max_with<Prefetch::none>(data, count, ahead);
  }
}

#ifdef __SSE2__
void stream_vector(float* to, const float* from) {
#if defined(__AVX512F__)
  _mm512_stream_ps(to, _mm512_loadu_ps(from));
#elif defined(__AVX__)
  _mm256_stream_ps(to, _mm256_loadu_ps(from));
#else
  _mm_stream_ps(to, _mm_loadu_ps(from));
#endif
}

void stream(void* to, const void* from, size_t bytes) {
  constexpr size_t step = vector_bytes / sizeof(float);
  const size_t whole = bytes / line_bytes * line_bytes;
  auto* out = static_cast<float*>(to);
  const auto* in = static_cast<const float*>(from);
  for (size_t i = 0; i < whole / sizeof(float); i += step)
    stream_vector(out + i, in + i);
  _mm_sfence();
  memcpy(static_cast<char*>(to) + whole, static_cast<const char*>(from) + whole, bytes - whole);
}
#else
constexpr void (*stream)(void*, const void*, size_t) = nullptr;
#endif

} // namespace

extern const AllLoops GFPQ_BENCH_LOOPS = {{scale<float>, max<float>}, {scale<double>, max<double>}, stream};

} // namespace bench
