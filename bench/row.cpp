#include "row.hpp"

namespace bench {
namespace {

const char* name_of(GFPQ_MODE_E mode) {
  switch (mode) {
  case GFPQ_MODE_INIT:
    return "init";
  case GFPQ_MODE_UPDATE:
    return "update";
  default:
    return "apply";
  }
}

const char* name_of(Data data) {
  switch (data) {
  case Data::weights:
    return "weights";
  case Data::activations:
    return "activations";
  default:
    return "guide";
  }
}

} // namespace

const char* name_of(Op op) {
  switch (op) {
  case Op::max:
    return "max";
  case Op::copy:
    return "copy";
  case Op::max_scale:
    return "max+scale";
  default:
    return "scale";
  }
}

Op Row::limit() const {
  if (kind == Kind::limit)
    return op;
  if (is_job)
    return Op::copy;
  return mode == GFPQ_MODE_APPLY_ONLY ? Op::scale : Op::max_scale;
}

int Row::passes() const {
  switch (limit()) {
  case Op::max:
    return 1;
  case Op::max_scale:
    return 3;
  default:
    return 2;
  }
}

std::string Row::name() const {
  const std::string type_name = type == Type::f32 ? "f32" : "f64";
  const std::string where = "/count:" + std::to_string(count) +
                            "/threads:" + (threads == own_threads ? "own" : std::to_string(threads)) +
                            "/cache:" + (cache == Cache::cold ? "cold" : "warm");
  if (kind == Kind::limit)
    return std::string("limit/op:") + name_of(op) + "/type:" + type_name + where;
  return "quantize/lib:" + contender->lib + "/target:" + contender->target + "/type:" + type_name +
         "/bits:" + std::to_string(bits) + "/mode:" + (is_job ? "job" : name_of(mode)) + "/data:" + name_of(data) +
         where;
}

} // namespace bench
