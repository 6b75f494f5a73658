#include "cpu/aligned_buffer.h"

#include <sys/mman.h>

namespace sgmv {

void* allocate_aligned(size_t bytes) {
  constexpr size_t line = 64, huge = size_t{2} << 20;
  const size_t alignment = bytes >= 2 * huge ? huge : line;
  if (bytes > SIZE_MAX - alignment) throw std::bad_alloc();
  const size_t rounded = bytes == 0 ? alignment : (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
  if (alignment == huge) ::madvise(memory, rounded, MADV_HUGEPAGE);  // a hint: failure costs speed only
#endif
  return memory;
}

}  // namespace sgmv
