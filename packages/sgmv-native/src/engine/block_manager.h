// Owns the blocks of the KV cache: who has which. Knows nothing of requests or policy.
#pragma once

#include <cstdint>
#include <vector>

namespace sgmv {

class BlockManager {
 public:
  BlockManager(int32_t block_count, int32_t block_size);

  int32_t block_size() const { return block_size_; }
  int32_t total() const { return total_; }
  int32_t free() const { return static_cast<int32_t>(free_.size()); }
  int32_t blocks_for(int64_t positions) const;

  // Grows `table` until it covers `positions`. Takes all the blocks it needs or, returning false, none.
  bool grow(std::vector<int32_t>& table, int64_t positions);
  void release(std::vector<int32_t>& table);

 private:
  int32_t block_size_;
  int32_t total_;
  std::vector<int32_t> free_;  // a stack: the block freed last is still in the cache and is used first
};

}  // namespace sgmv
