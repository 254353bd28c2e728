// Runs a kernel's blocks: each thread on a stack of its own, several blocks in turns, one host thread for all.
#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>

#include "fibers.hpp"
#include "ptx_device.hpp"

namespace gfpq {
namespace ptx {

Counters counters;

namespace {

constexpr unsigned resident_blocks = 3;

const Kernel* running = nullptr;
Thread* current = nullptr;
void* scheduler_stack = nullptr;

/// The same in each run of a program, unless GFPQ_PTX_SEED says otherwise.
std::mt19937& random_numbers() {
  static std::mt19937 numbers(std::getenv("GFPQ_PTX_SEED") ? std::atoi(std::getenv("GFPQ_PTX_SEED")) : 1);
  return numbers;
}

void run_current_thread() {
  running->function(*current);
  current->state = State::ended;
  void* unused;
  gfpq_ptx_switch_stack(&unused, scheduler_stack);
}

void leave(Thread& thread, State state) {
  thread.state = state;
  gfpq_ptx_switch_stack(&thread.stack_pointer, scheduler_stack);
}

std::string demangled(const std::string& name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  std::string result = status == 0 ? text : name;
  std::free(text);
  return result;
}

class Block {
public:
  void start(unsigned index, unsigned blocks, unsigned threads, const std::vector<unsigned char>& parameters) {
    shared_.reset(running->shared_bytes);
    threads_.resize(threads);
    for (unsigned i = 0; i < threads; ++i)
      threads_[i] = {
          i, threads, index, blocks, &parameters, &shared_, stacks_.prepare(i, run_current_thread), State::ready,
          0, nullptr, 0};
    active_ = true;
  }

  bool is_active() const { return active_; }

  /// Each thread up to a barrier, its end, or where it lets others run. Who comes first must not matter: that changes.
  void take_turn() {
    const std::size_t count = threads_.size(), first = random_numbers()() % count;
    const std::size_t step = random_numbers()() % 2 ? 1 : count - 1;
    for (std::size_t i = 0, at = first; i < count; ++i, at = (at + step) % count)
      if (threads_[at].state == State::ready) {
        current = &threads_[at];
        gfpq_ptx_switch_stack(&scheduler_stack, current->stack_pointer);
      }
    finish_turn();
  }

private:
  std::size_t count(State state) const {
    return std::count_if(threads_.begin(), threads_.end(), [&](const Thread& t) { return t.state == state; });
  }

  void finish_turn() {
    if (count(State::ready) != 0)
      return;
    if (count(State::ended) == threads_.size()) {
      active_ = false;
      return;
    }
    for (Thread& thread : threads_) {
      current = &thread;
      if (thread.state == State::ended)
        fault("a barrier that some threads do not reach: this one ended, others wait");
      if (thread.barrier_line != threads_[0].barrier_line)
        fault("a barrier that some threads do not reach: this one waits at another than thread 0");
    }
    ++counters.barriers;
    shared_.pass_barrier();
    for (Thread& thread : threads_)
      thread.state = State::ready;
  }

  SharedMemory shared_;
  std::vector<Thread> threads_;
  Stacks stacks_;
  bool active_ = false;
};

} // namespace

void fault(const std::string& what) {
  std::fprintf(stderr, "GPU fault: %s", what.c_str());
  if (running != nullptr && current != nullptr)
    std::fprintf(stderr, ", in thread %u of block %u of %s", current->index, current->block_index,
                 demangled(running->name).c_str());
  std::fputs("\n", stderr);
  std::fflush(nullptr);
  std::_Exit(1); // no destructor runs on a thread's stack
}

void Thread::barrier(int line) {
  barrier_line = line;
  leave(*this, State::at_barrier);
}

void Thread::fence() { let_others_run(); }
void Thread::let_others_run() { leave(*this, State::ready); }

void Thread::fault_within(const char* memory, std::uint64_t offset, std::size_t size) {
  const std::string kind = offset % size != 0 ? "misaligned access of " : "access outside of ";
  fault_at((kind + memory).c_str(), offset);
}

unsigned char* Thread::global_of_host(std::uint64_t address, std::size_t size) {
  if (address % size != 0)
    fault_at("misaligned access of global memory", address);
  if (!is_registered_host_memory(address, size))
    fault_at("access outside of every allocation", address);
  return reinterpret_cast<unsigned char*>(address);
}

void Thread::fault_at(const char* what, std::uint64_t address) {
  char text[32];
  std::snprintf(text, sizeof text, " (address %#llx)", static_cast<unsigned long long>(address));
  fault(what + std::string(text));
}

void run(const Kernel& kernel, unsigned blocks, unsigned threads, const std::vector<unsigned char>& parameters) {
  static std::vector<Block>& residents = *new std::vector<Block>(resident_blocks);
  running = &kernel;
  ++kernel.runs;
  counters.blocks += blocks;
  std::vector<unsigned> order(blocks);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random_numbers());
  std::size_t started = 0, active = 0;
  while (started < blocks || active != 0) {
    Block& block = residents[random_numbers()() % resident_blocks];
    if (!block.is_active()) {
      if (started == blocks)
        continue;
      block.start(order[started++], blocks, threads, parameters);
      ++active;
    }
    block.take_turn();
    active -= !block.is_active();
  }
  running = nullptr;
  current = nullptr;
}

} // namespace ptx
} // namespace gfpq
