#include "measurements.hpp"

#include <algorithm>
#include <cmath>

#include "timing.hpp"

namespace bench {
namespace {

constexpr std::size_t copies_of_data = 3; // the source, and what is expected of both widths

} // namespace

Measurements::Measurements(const Machine& machine, int all_threads)
    : machine_(machine), all_threads_(all_threads), clock_cost_(measure_clock_cost()),
      most_kept_bytes_(available_memory() / 2) {}

template <class Float>
std::pair<const Measurements::Kept<Float>&, Tensors&> Measurements::prepare(const Row& row) {
  const TensorPlan plan(machine_, row.bytes(), row.cache);
  const std::string data_name = std::to_string(static_cast<int>(row.data)) + " " + std::to_string(row.count);
  const std::string tensors_name = std::to_string(row.bytes()) + " " + std::to_string(plan.groups) + " " +
                                   std::to_string(plan.group_size) + " " + std::to_string(threads_of(row));
  const auto missing_bytes = [&] {
    return (all_kept<Float>().count(data_name) != 0 ? 0 : copies_of_data * row.bytes()) +
           (tensors_.count(tensors_name) != 0 ? 0 : plan.total_bytes());
  };
  if (kept_bytes_ + missing_bytes() > most_kept_bytes_) {
    f32_.clear();
    f64_.clear();
    tensors_.clear();
    kept_bytes_ = 0;
  }
  kept_bytes_ += missing_bytes();

  Kept<Float>& kept = all_kept<Float>()[data_name];
  if (kept.source.empty()) {
    kept.source = make_data<Float>(row.data, row.count);
    for (const Float number : kept.source)
      kept.largest = std::max(kept.largest, std::abs(number));
  }
  if (row.kind == Kind::quantize && kept.expected.count(row.bits) == 0)
    kept.expected[row.bits] = expect(kept.source, row.bits);
  std::unique_ptr<Tensors>& tensors = tensors_[tensors_name];
  if (tensors == nullptr)
    tensors = std::make_unique<Tensors>(plan, row.bytes(), threads_of(row));
  return {kept, *tensors};
}

template std::pair<const Measurements::Kept<float>&, Tensors&> Measurements::prepare<float>(const Row& row);
template std::pair<const Measurements::Kept<double>&, Tensors&> Measurements::prepare<double>(const Row& row);

std::size_t Measurements::memory_of(const Row& row) const {
  return TensorPlan(machine_, row.bytes(), row.cache).total_bytes() + copies_of_data * row.bytes();
}

} // namespace bench
