// Digest: one hash of a mixed workload, the same wherever the library runs.
#include "oracle/digest.hpp"
#include "runner/case.hpp"

namespace conformance {
namespace {

CONFORMANCE_TEST(Digest, MixedWorkload, "GFPQ-DIGEST-01") {
  need_specified_blocks(); // they are part of it
  for_each_kind([&](auto type, int bits) {
    using Float = decltype(type);
    const std::string got =
        workload_digest<Float>([bits](std::vector<Float>& data, GFPQ_PARAM_ST* param, std::size_t offset) {
          data = quantize(data, static_cast<unsigned>(bits), param, offset).data;
        });
    const std::string want = golden_digest<Float>(bits);
    requirements["GFPQ-DIGEST-01"].that(got == want, [&] {
      return "the workload of " + std::to_string(bits) + " bit, " + type_name<Float> + "\n      has the SHA-256 " +
             got + "\n      instead of      " + want;
    });
  });
}

} // namespace
} // namespace conformance
