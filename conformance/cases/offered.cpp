// Interface: what the library takes at all.
#include "runner/case.hpp"

namespace conformance {
namespace {

template <class Float>
void check_offered(Checks& checks, int bits) {
  const Library& library = *test_run().library;
  if (!library.has<Float>(test_run().device, Entry::cpp)) // GFPQ-INTERFACE-01 says so
    return;
  const ChecksOfKind of_kind(bits, sizeof(Float) == sizeof(double));
  GFPQ_PARAM_ST param{GFPQ_MODE_INIT, {}};
  const Outcome<Float> outcome = quantize(std::vector<Float>{1, -2, 0, 5}, static_cast<unsigned>(bits), &param);
  checks.status({name(library.function<Float>(test_run().device, Entry::cpp)), type_name<Float>,
                 static_cast<unsigned>(bits), "INIT"},
                outcome.status, GFPQ_SUCCESS);
}

CONFORMANCE_TEST(Interface, Offered, "GFPQ-INTERFACE-08") {
  for (const Width& width : widths) {
    check_offered<float>(requirements["GFPQ-INTERFACE-08"], width.bits);
    check_offered<double>(requirements["GFPQ-INTERFACE-08"], width.bits);
  }
}

} // namespace
} // namespace conformance
