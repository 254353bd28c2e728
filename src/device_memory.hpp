// Tells memory of a GPU. Each library defines this once: for the CPU library (gpu_unsupported.cpp), there is none.
#ifndef GFPQ_SRC_DEVICE_MEMORY_HPP
#define GFPQ_SRC_DEVICE_MEMORY_HPP

namespace gfpq {

/// Whether an address is in memory that only a GPU can work on, as far as the driver can tell.
bool is_device_memory(const void* data);

} // namespace gfpq

#endif
