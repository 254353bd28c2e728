// Memory that a library may read, but not write.
#ifndef GFPQ_CONFORMANCE_CASES_READ_ONLY_PAGE_HPP
#define GFPQ_CONFORMANCE_CASES_READ_ONLY_PAGE_HPP

#include <atomic>

#include "cases/system.hpp"
#include "runner/platform.hpp"

namespace conformance {

/// A page that holds parameters and may only be read; a write is noted, and let through.
class ReadOnlyPage {
public:
  ReadOnlyPage() : page_(allocate_pages(page_size())), handler_(let_through) { current_page = page_; }
  ~ReadOnlyPage() { free_pages(page_, page_size()); }
  ReadOnlyPage(const ReadOnlyPage&) = delete;
  ReadOnlyPage& operator=(const ReadOnlyPage&) = delete;

  template <class Param>
  Param* hold(const Param& param) {
    set_accessible(page_, page_size(), true);
    auto* const held = static_cast<Param*>(page_);
    *held = param;
    set_read_only(page_, page_size());
    written = false;
    return held;
  }
  bool is_written() const { return written; }

private:
  static bool let_through(const void* address) {
    const auto* page = static_cast<const char*>(current_page);
    if (address < page || address >= page + page_size())
      return false;
    written = true;
    set_accessible(current_page, page_size(), true);
    return true;
  }

  static inline void* current_page = nullptr;
  static inline std::atomic<bool> written{false};
  void* page_;
  FaultHandler handler_;
};

} // namespace conformance

#endif
