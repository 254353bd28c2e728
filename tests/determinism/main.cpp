// Prints the digests of one library, and what is done with denormal numbers here: see determinism_test.py.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "oracle/digest.hpp"
#include "runner/library.hpp"

namespace conformance {
namespace {

template <class Float>
void print(const Library& library, int bits) {
  const std::string digest =
      workload_digest<Float>([&](std::vector<Float>& data, GFPQ_PARAM_ST* param, std::size_t offset) {
        constexpr std::size_t border = 64;
        const std::size_t bytes = (data.size() + offset) * sizeof(Float) / border * border + border;
        const std::unique_ptr<Float, void (*)(void*)> memory(static_cast<Float*>(std::aligned_alloc(border, bytes)),
                                                             std::free);
        Float* const first = memory.get() + offset;
        std::copy_n(data.begin(), data.size(), first);
        const int status = library.quantize(Device::cpu, first, static_cast<unsigned>(data.size()),
                                            static_cast<unsigned>(bits), param);
        if (status != GFPQ_SUCCESS)
          throw std::runtime_error("the library returned " + std::to_string(status));
        std::copy_n(first, data.size(), data.begin());
      });
  std::cout << bits << "," << (sizeof(Float) == 4 ? "f32" : "f64") << "," << digest << "\n";
}

void run(const char* path) {
  volatile float smallest = 0x1p-126f;
  std::cout << "denormal numbers: " << (smallest * 0.5f == 0 ? "flushed" : "kept") << "\n";
  const Library library(path);
  for (const int bits : {8, 16}) {
    print<float>(library, bits);
    print<double>(library, bits);
  }
}

} // namespace
} // namespace conformance

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " LIBRARY\n";
    return 2;
  }
  try {
    conformance::run(argv[1]);
  } catch (const std::exception& error) {
    std::cerr << "gfpq_digest: " << error.what() << "\n";
    return 2;
  }
}
