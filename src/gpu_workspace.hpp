// Which of the kernels' workspaces a call may use.
#ifndef GFPQ_SRC_GPU_WORKSPACE_HPP
#define GFPQ_SRC_GPU_WORKSPACE_HPP

namespace gfpq {

/// Reserves a workspace while it lives, by its number below cuda::workspaces, which holds for whatever device the call
/// is made on. Waits while all are reserved.
class GpuWorkspace {
public:
  GpuWorkspace();
  ~GpuWorkspace();
  GpuWorkspace(const GpuWorkspace&) = delete;
  GpuWorkspace& operator=(const GpuWorkspace&) = delete;

  unsigned number() const { return number_; }

private:
  unsigned number_;
};

} // namespace gfpq

#endif
