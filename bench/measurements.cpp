#include "measurements.hpp"

#include <algorithm>
#include <cmath>

#include "timing.hpp"

namespace bench {

Measurements::Measurements(const Machine& machine, int all_threads)
    : machine_(machine), all_threads_(all_threads), clock_cost_(measure_clock_cost()) {}

template <class Float>
void Measurements::prepare(const Row& row) {
  Kept<Float>& own = kept<Float>();
  const std::string source_name = std::to_string(static_cast<int>(row.data)) + " " + std::to_string(row.count);
  if (own.source_name != source_name) {
    own.source = make_data<Float>(row.data, row.count);
    own.source_name = source_name;
    own.expected.clear();
    own.largest = 0;
    for (const Float number : own.source)
      own.largest = std::max(own.largest, std::abs(number));
  }
  if (row.kind == Kind::quantize && own.expected.count(row.bits) == 0)
    own.expected[row.bits] = expect(own.source, row.bits);

  const TensorPlan plan(machine_, row.bytes(), row.cache);
  const std::string tensors_name = std::to_string(row.bytes()) + " " + std::to_string(plan.groups) + " " +
                                   std::to_string(plan.group_size) + " " + std::to_string(threads_of(row));
  if (tensors_name_ != tensors_name) {
    tensors_.reset(); // before the new ones take memory
    tensors_ = std::make_unique<Tensors>(plan, row.bytes(), threads_of(row));
    tensors_name_ = tensors_name;
  }
}

template void Measurements::prepare<float>(const Row& row);
template void Measurements::prepare<double>(const Row& row);

std::size_t Measurements::memory_of(const Row& row) const {
  const std::size_t kept_copies = 6; // source and expected of both widths, and those of the other type from before
  return TensorPlan(machine_, row.bytes(), row.cache).total_bytes() + kept_copies * row.bytes();
}

} // namespace bench
