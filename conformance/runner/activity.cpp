#include <sstream>

#include "runner/case.hpp"
#include "runner/process.hpp"

namespace conformance {

std::string describe_call(const Activity& activity) {
  const auto function = static_cast<Function>(activity.function.load());
  std::ostringstream text;
  text << name(function);
  const bool is_quantize = function >= Function::quantize && function <= Function::quantize_gpu_py;
  if (!is_quantize)
    return text.str();
  const std::uint32_t mode = activity.mode;
  text << "(" << (activity.type_size == sizeof(float) ? "float" : "double") << ", " << activity.bits << " bit, "
       << (mode == ~0u ? "no parameter" : mode_name(mode)) << "), " << activity.count << " numbers";
  return text.str();
}

} // namespace conformance
