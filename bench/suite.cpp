#include "suite.hpp"

#include <initializer_list>
#include <set>

#include "library.hpp"

namespace bench {
namespace {

constexpr std::size_t guide_count = 13107200;     // 50 MiB of floats: what the vendor's guide times
constexpr std::size_t largest_for_peer = 1 << 24; // a slow one would take minutes
constexpr GFPQ_MODE_E modes[] = {GFPQ_MODE_APPLY_ONLY, GFPQ_MODE_INIT, GFPQ_MODE_UPDATE};

/// Collects rows; one that comes up in two parts of a suite is kept once.
class Suite {
public:
  Suite(const Contenders& contenders, double seconds) : contenders_(contenders), seconds_(seconds) {}

  std::vector<Row> rows;

  /// How long a repetition goes on.
  void take(double seconds) { seconds_ = seconds; }

  /// The row for our fastest instruction set, with all numbers of threads, and for the peer.
  void compare(const Row& row) {
    for (const int threads : threads_of(contenders_.ours.front()))
      ours(contenders_.ours.front(), row, threads);
    if (row.count <= largest_for_peer)
      for (const Contender& peer : contenders_.peer)
        for (const int threads : threads_of(peer))
          quantize(peer, nullptr, row, threads);
  }

  /// The row for our fastest instruction set, on one thread.
  void one_thread(const Row& row) { ours(contenders_.ours.front(), row, threads_of(contenders_.ours.front()).front()); }

  /// The row for every instruction set, on one thread.
  void all_targets(const Row& row) {
    for (const Contender& contender : contenders_.ours)
      ours(contender, row, threads_of(contender).front());
  }

  void limit(Op op, Type type, std::size_t count) {
    for (const int threads : contenders_.threads) {
      Row row;
      row.kind = Kind::limit;
      row.op = op;
      row.type = type;
      row.count = count;
      row.threads = threads;
      row.cache = Cache::cold;
      add(row);
    }
  }

private:
  /// The numbers of threads that a library can be told to use.
  std::vector<int> threads_of(const Contender& contender) const {
    return contender.library->can_set_threads() ? contenders_.threads : std::vector<int>{own_threads};
  }

  void ours(const Contender& contender, const Row& row, int threads) {
    const bool has_peer = !contenders_.peer.empty() && row.count <= largest_for_peer;
    const bool is_fastest = &contender == &contenders_.ours.front();
    quantize(contender, has_peer && is_fastest ? &contenders_.peer.front() : nullptr, row, threads);
  }

  void quantize(const Contender& contender, const Contender* peer, Row row, int threads) {
    row.contender = &contender;
    row.peer = peer;
    row.threads = threads;
    add(row);
  }

  void add(Row row) {
    row.seconds = seconds_;
    if (names_.insert(row.name()).second)
      rows.push_back(row);
  }

  const Contenders& contenders_;
  double seconds_;
  std::set<std::string> names_;
};

Row row(Type type, unsigned bits, GFPQ_MODE_E mode, std::size_t count, Cache cache, Data data = Data::guide) {
  Row result;
  result.type = type;
  result.bits = bits;
  result.mode = mode;
  result.count = count;
  result.cache = cache;
  result.data = data;
  return result;
}

/// In bytes, both types are as fast; the limits of their rows are measured beside them anyway.
void limits(Suite& suite, std::size_t count) {
  for (const Op op : {Op::scale, Op::max, Op::max_scale, Op::copy})
    suite.limit(op, Type::f32, count);
  suite.limit(Op::scale, Type::f64, count);
}

void all_modes(Suite& suite, std::size_t count, Cache cache, Data data,
               std::initializer_list<Type> types = {Type::f32, Type::f64}) {
  for (const Type type : types)
    for (const unsigned bits : {8u, 16u})
      for (const GFPQ_MODE_E mode : modes)
        suite.compare(row(type, bits, mode, count, cache, data));
}

void sweep(Suite& suite, std::size_t count, Cache cache) {
  suite.compare(row(Type::f32, 8, GFPQ_MODE_APPLY_ONLY, count, cache));
  suite.compare(row(Type::f32, 16, GFPQ_MODE_APPLY_ONLY, count, cache));
  suite.compare(row(Type::f32, 8, GFPQ_MODE_INIT, count, cache));
}

void latency(Suite& suite) {
  for (const std::size_t count : {16, 1000})
    for (const unsigned bits : {8u, 16u})
      suite.compare(row(Type::f32, bits, GFPQ_MODE_APPLY_ONLY, count, Cache::warm));
}

std::vector<Row> smoke_suite(const Contenders& contenders) {
  Suite suite(contenders, 0.0005);
  limits(suite, 1000);
  all_modes(suite, 1000, Cache::warm, Data::guide);
  for (const Data data : {Data::weights, Data::activations})
    suite.compare(row(Type::f32, 8, GFPQ_MODE_INIT, 100, Cache::warm, data));
  suite.all_targets(row(Type::f32, 16, GFPQ_MODE_APPLY_ONLY, 100, Cache::warm));
  suite.compare(row(Type::f32, 8, GFPQ_MODE_APPLY_ONLY, 100000, Cache::cold));
  return suite.rows;
}

std::vector<Row> short_suite(const Contenders& contenders) {
  Suite suite(contenders, 0.02);
  limits(suite, guide_count);
  all_modes(suite, guide_count, Cache::cold, Data::guide, {Type::f32});
  for (const unsigned bits : {8u, 16u}) {
    suite.compare(row(Type::f64, bits, GFPQ_MODE_APPLY_ONLY, guide_count, Cache::cold));
    suite.one_thread(row(Type::f64, bits, GFPQ_MODE_INIT, guide_count, Cache::cold));
    suite.all_targets(row(Type::f32, bits, GFPQ_MODE_APPLY_ONLY, guide_count, Cache::cold));
    for (const Data data : {Data::weights, Data::activations})
      suite.one_thread(row(Type::f32, bits, GFPQ_MODE_APPLY_ONLY, guide_count, Cache::cold, data));
  }
  suite.take(0.01);
  latency(suite);
  for (std::size_t count = 1 << 4; count <= 1 << 24; count *= 4)
    sweep(suite, count, Cache::warm);
  return suite.rows;
}

std::vector<Row> full_suite(const Contenders& contenders) {
  Suite suite(contenders, 0.1);
  limits(suite, guide_count);
  for (const Data data : {Data::guide, Data::weights, Data::activations})
    all_modes(suite, guide_count, Cache::cold, data);
  for (const Type type : {Type::f32, Type::f64})
    for (const unsigned bits : {8u, 16u})
      for (const GFPQ_MODE_E mode : modes)
        suite.all_targets(row(type, bits, mode, guide_count, Cache::cold));
  suite.take(0.02);
  latency(suite);
  for (std::size_t count = 1 << 4; count <= 1 << 27; count *= 2)
    for (const Cache cache : {Cache::warm, Cache::cold})
      sweep(suite, count, cache);
  return suite.rows;
}

} // namespace

std::vector<Row> make_suite(const std::string& name, const Contenders& contenders) {
  if (name == "smoke")
    return smoke_suite(contenders);
  return name == "full" ? full_suite(contenders) : short_suite(contenders);
}

} // namespace bench
