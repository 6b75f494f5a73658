#include "block_manager.h"

#include <algorithm>
#include <new>

namespace sgmv {

BlockManager::BlockManager(KvCache& cache, bool reuse_prefixes, PrefixIndex::Hash hash)
    : cache_(cache),
      block_size_(cache.block_size()),
      reuse_prefixes_(reuse_prefixes),
      index_(hash),
      blocks_(static_cast<size_t>(cache.block_count())) {
  for (int32_t block = 0; block < total(); ++block) blocks_[block].place = empty_.insert(empty_.end(), block);
}

int32_t BlockManager::blocks_for(int64_t positions) const {
  return static_cast<int32_t>((positions + block_size_ - 1) / block_size_);
}

int32_t BlockManager::reuse(BlockTable& table, const PrefixScope& scope, std::span<const int32_t> tokens) {
  const size_t most = (tokens.size() - 1) / static_cast<size_t>(block_size_);
  table.blocks.reserve(most);
  while (table.blocks.size() < most) {
    const int32_t block = index_.find(view_at(table, table.blocks.size(), scope, tokens));
    if (block < 0) break;
    acquire(block);
    table.blocks.push_back(block);
  }
  table.published = table.blocks.size();
  return static_cast<int32_t>(table.published) * block_size_;
}

bool BlockManager::prepare(BlockTable& table, int64_t begin, int64_t end) {
  const size_t held = table.blocks.size();
  const auto wanted = std::max(static_cast<size_t>(blocks_for(end)), held);
  const auto first = static_cast<size_t>(begin / block_size_);
  size_t needed = wanted - held;
  for (size_t i = first; i < held; ++i) needed += blocks_[table.blocks[i]].users > 1 ? 1 : 0;
  if (needed > static_cast<size_t>(free())) return false;
  table.blocks.reserve(wanted);  // so that nothing throws once blocks have changed hands
  for (size_t i = first; i < held; ++i) make_own(table, i);
  while (table.blocks.size() < wanted) table.blocks.push_back(take());
  return true;
}

void BlockManager::make_own(BlockTable& table, size_t index) {
  const int32_t shared = table.blocks[index];
  if (blocks_[shared].users > 1) {
    table.blocks[index] = take();
    cache_.copy_block(shared, table.blocks[index]);
    drop(shared);
  } else if (blocks_[shared].identity != 0) {
    forget(blocks_[shared]);
  }
  table.published = std::min(table.published, index);
}

void BlockManager::share(const BlockTable& from, BlockTable& to, int64_t positions) {
  to.blocks.assign(from.blocks.begin(), from.blocks.begin() + blocks_for(positions));
  for (const int32_t block : to.blocks) acquire(block);
  to.published = std::min(from.published, static_cast<size_t>(positions / block_size_));
}

void BlockManager::publish(BlockTable& table, const PrefixScope& scope, std::span<const int32_t> tokens) noexcept {
  if (!reuse_prefixes_) return;
  const size_t full = tokens.size() / static_cast<size_t>(block_size_);
  for (; table.published < full; ++table.published) {
    const PrefixView view = view_at(table, table.published, scope, tokens);
    int32_t& mine = table.blocks[table.published];
    const int32_t known = index_.find(view);
    if (known >= 0) {
      acquire(known);
      drop(mine);
      mine = known;
      continue;
    }
    try {
      blocks_[mine].key = index_.insert(view, mine);
    } catch (const std::bad_alloc&) {
      return;  // not a loss: it will be tried again, or computed again
    }
    blocks_[mine].identity = ++identities_;
  }
}

void BlockManager::release(BlockTable& table) noexcept {
  for (auto block = table.blocks.rbegin(); block != table.blocks.rend(); ++block) drop(*block);
  table.blocks.clear();
  table.published = 0;
}

PrefixView BlockManager::view_at(const BlockTable& table, size_t index, const PrefixScope& scope,
                                 std::span<const int32_t> tokens) const {
  const auto size = static_cast<size_t>(block_size_);
  const uint64_t parent = index == 0 ? 0 : blocks_[table.blocks[index - 1]].identity;
  return {parent, scope, tokens.subspan(index * size, size)};
}

int32_t BlockManager::take() noexcept {
  std::list<int32_t>& from = empty_.empty() ? cached_ : empty_;
  const int32_t number = from.front();
  Block& block = blocks_[number];
  if (block.identity != 0) forget(block);
  used_.splice(used_.end(), from, block.place);
  block.users = 1;
  return number;
}

void BlockManager::acquire(int32_t number) noexcept {
  Block& block = blocks_[number];
  if (block.users++ == 0) used_.splice(used_.end(), cached_, block.place);
}

void BlockManager::drop(int32_t number) noexcept {
  Block& block = blocks_[number];
  if (--block.users > 0) return;
  if (block.identity != 0) {
    cached_.splice(cached_.end(), used_, block.place);
  } else {
    empty_.splice(empty_.begin(), used_, block.place);
  }
}

void BlockManager::forget(Block& block) noexcept {
  index_.erase(*block.key);
  block.key = nullptr;
  block.identity = 0;
}

}  // namespace sgmv
