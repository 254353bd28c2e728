// Tells memory of a GPU, for the CPU functions of the GPU library.
#ifndef GFPQ_SRC_DEVICE_MEMORY_HPP
#define GFPQ_SRC_DEVICE_MEMORY_HPP

namespace gfpq {

/// Whether an address lies in memory that only a GPU can work on, as far as the driver can tell.
bool is_device_memory(const void* data);

} // namespace gfpq

#endif
