#include "block_manager.h"

namespace sgmv {

BlockManager::BlockManager(int32_t block_count, int32_t block_size) : block_size_(block_size), total_(block_count) {
  free_.reserve(block_count);
  for (int32_t block = block_count - 1; block >= 0; --block) free_.push_back(block);
}

int32_t BlockManager::blocks_for(int64_t positions) const {
  return static_cast<int32_t>((positions + block_size_ - 1) / block_size_);
}

bool BlockManager::grow(std::vector<int32_t>& table, int64_t positions) {
  const int32_t wanted = blocks_for(positions) - static_cast<int32_t>(table.size());
  if (wanted <= 0) return true;
  if (wanted > free()) return false;
  table.reserve(table.size() + wanted);  // so that nothing throws once blocks have changed hands
  for (int32_t i = 0; i < wanted; ++i) {
    table.push_back(free_.back());
    free_.pop_back();
  }
  return true;
}

void BlockManager::release(std::vector<int32_t>& table) {
  free_.insert(free_.end(), table.rbegin(), table.rend());  // within the reserve: never allocates
  table.clear();
}

}  // namespace sgmv
