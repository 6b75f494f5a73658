#include "failing_buffers.h"

#include <atomic>
#include <cstddef>

namespace sgmv::test {
namespace {
constexpr int64_t kOff = -1;
std::atomic<int64_t> passing{kOff};
std::atomic<bool> failed{false};
}  // namespace

void fail_buffer_after(int64_t pass) {
  failed = false;
  passing = pass;
}

bool buffer_failed() {
  passing = kOff;
  return failed;
}

}  // namespace sgmv::test

// The linker sends the engine's calls here (--wrap).
extern "C" void* __real_aligned_alloc(size_t alignment, size_t bytes);
extern "C" void* __wrap_aligned_alloc(size_t alignment, size_t bytes) {
  using namespace sgmv::test;
  if (passing.load() >= 0 && passing.fetch_sub(1) == 0) {
    failed = true;
    return nullptr;
  }
  return __real_aligned_alloc(alignment, bytes);
}
