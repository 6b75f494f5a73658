#include "block_manager.h"

#include <algorithm>
#include <new>
#include <utility>

namespace sgmv {

BlockManager::BlockManager(KvCache& cache, bool reuse_prefixes, BlockMemory* memory, PrefixIndex::Hash hash, int32_t states_each)
    : cache_(cache),
      memory_(memory),
      block_size_(cache.block_size()),
      reuse_prefixes_(reuse_prefixes),
      states_each_(states_each),
      index_(hash),
      blocks_(static_cast<size_t>(cache.block_count())) {
  const int32_t count = cache.block_count();
  extents_.resize(static_cast<size_t>((count + cache.extent_blocks() - 1) / cache.extent_blocks()));
  for (int32_t block = 0; block < count; ++block) blocks_[block].place = absent_.insert(absent_.end(), block);
  kept_states_.resize(static_cast<size_t>(cache.state_count()));
  for (int32_t state = cache.state_count(); state > 0; --state) free_states_.push_back(state - 1);  // there will be room for all of them
  const int32_t from_the_start = memory_ ? 1 : static_cast<int32_t>(extents_.size());
  if (memory_ && !memory_->take(cache_.extent_bytes(), TimePoint::max())) throw std::bad_alloc();
  for (int32_t extent = 0; extent < from_the_start; ++extent) commit(extent);
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
  if (has_states()) reuse_state(table);
  table.published = table.blocks.size();
  return static_cast<int32_t>(table.published) * block_size_;
}

bool BlockManager::has_room(int64_t count) noexcept {
  while (static_cast<int64_t>(empty_.size()) < count) {
    // Cached blocks are overwritten before anything goes that was used since.
    const bool enough = free() >= count;
    if (!grow(enough ? blocks_[cached_.front()].idle_since : TimePoint::max())) break;
  }
  return free() >= count;
}

bool BlockManager::prepare(BlockTable& table, int64_t begin, int64_t end) {
  const size_t held = table.blocks.size();
  const auto wanted = std::max(static_cast<size_t>(blocks_for(end)), held);
  const auto first = static_cast<size_t>(begin / block_size_);
  size_t needed = wanted - held;
  for (size_t i = first; i < held; ++i) needed += blocks_[table.blocks[i]].users > 1 ? 1 : 0;
  if (!has_room(static_cast<int64_t>(needed))) return false;
  table.blocks.reserve(wanted);  // so that nothing throws once blocks have changed hands
  if (has_states() && table.states[1] < 0 && !take_states(table)) return false;
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
  if (std::exchange(table.reads_kept, false)) leave_state(std::exchange(table.states[0], -1));
  for (int32_t& state : table.states) drop_state(state);
  drop_state(table.spare);
  table.kept_block = -1;
}

// Cuts what was found to where a state is kept.
void BlockManager::reuse_state(BlockTable& table) noexcept {
  while (!table.blocks.empty() && blocks_[table.blocks.back()].state < 0) {
    drop(table.blocks.back());
    table.blocks.pop_back();
  }
  if (table.blocks.empty()) return;
  table.states[0] = blocks_[table.blocks.back()].state;
  table.reads_kept = true;
  KeptState& kept = kept_states_[static_cast<size_t>(table.states[0])];
  kept.readers += 1;
  kept.last_used = ++state_uses_;
}

// All that a table needs or, returning false, none.
bool BlockManager::take_states(BlockTable& table) noexcept {
  std::array<int32_t, kStatesPerTableMax> taken{-1, -1, -1};
  int32_t count = 0;
  while (count < states_each_ && (taken[static_cast<size_t>(count)] = take_state()) >= 0) ++count;
  if (count + 1 == states_each_ && table.reads_kept) {
    // What it reads becomes its own, unless somebody else reads it too.
    KeptState& kept = kept_states_[static_cast<size_t>(table.states[0])];
    if (kept.readers == 1) {
      if (kept.block >= 0) blocks_[kept.block].state = -1;
      kept = {};
      table.reads_kept = false;
      std::copy_n(taken.begin(), count, table.states.begin() + 1);
      return true;
    }
  }
  if (count < states_each_) {
    for (int32_t& state : taken) drop_state(state);
    return false;
  }
  std::copy_n(taken.begin(), count - 1, table.states.begin() + 1);
  (table.reads_kept ? table.spare : table.states[0]) = taken[static_cast<size_t>(count - 1)];
  return true;
}

// -1: all are tables' own, or read by some, or kept.
int32_t BlockManager::take_state(bool of_kept) noexcept {
  if (!free_states_.empty()) {
    const int32_t state = free_states_.back();
    free_states_.pop_back();
    return state;
  }
  int32_t oldest = -1;
  for (int32_t i = 0; of_kept && i < cache_.state_count(); ++i) {
    const KeptState& kept = kept_states_[static_cast<size_t>(i)];
    if (kept.block >= 0 && kept.readers == 0 && (oldest < 0 || kept.last_used < kept_states_[static_cast<size_t>(oldest)].last_used)) oldest = i;
  }
  if (oldest < 0) return -1;
  blocks_[std::exchange(kept_states_[static_cast<size_t>(oldest)].block, -1)].state = -1;
  return oldest;
}

void BlockManager::drop_state(int32_t& state) noexcept {
  if (state >= 0) free_states_.push_back(std::exchange(state, -1));
}

// By a table that read it.
void BlockManager::leave_state(int32_t state) noexcept {
  KeptState& kept = kept_states_[static_cast<size_t>(state)];
  if (--kept.readers == 0 && kept.block < 0) free_states_.push_back(state);
}

bool BlockManager::turn_states(BlockTable& table) noexcept {
  if (!has_states()) return false;
  table.state_before = table.states[0];
  std::rotate(table.states.begin(), table.states.begin() + 1, table.states.begin() + states_each_);
  if (!std::exchange(table.reads_kept, false)) return false;
  leave_state(table.state_before);
  table.states[static_cast<size_t>(states_each_ - 1)] = std::exchange(table.spare, -1);
  return true;
}

void BlockManager::keep_state(BlockTable& table, int64_t positions, bool of_completion) noexcept {
  const auto count = static_cast<size_t>(positions / block_size_);
  if (count == 0 || table.published < count || table.reads_kept) return;
  const int32_t number = table.blocks[count - 1];
  Block& block = blocks_[number];
  if (block.identity == 0) return;
  if (of_completion) replace_kept(table, number);
  if (block.state < 0) {
    const int32_t spare = take_state(!of_completion);
    if (spare < 0) return;
    table.spare = spare;
    table.reads_kept = true;
    block.state = table.states[0];
    kept_states_[static_cast<size_t>(block.state)] = {number, 1, 0};
  }
  kept_states_[static_cast<size_t>(block.state)].last_used = ++state_uses_;
}

void BlockManager::replace_kept(BlockTable& table, int32_t number) noexcept {
  Block* const last = table.kept_block < 0 ? nullptr : &blocks_[table.kept_block];
  if (last != nullptr && last->identity == table.kept_identity && last->state >= 0 && kept_states_[static_cast<size_t>(last->state)].readers == 0) {
    kept_states_[static_cast<size_t>(last->state)] = {};
    drop_state(last->state);
  }
  table.kept_block = number;
  table.kept_identity = blocks_[number].identity;
}

// Nothing has been written since, though what was kept may have changed hands.
void BlockManager::copy_state_before(const BlockTable& from, BlockTable& to) {
  if (from.state_before != to.states[0]) cache_.copy_state(from.state_before, to.states[0]);
}

PrefixView BlockManager::view_at(const BlockTable& table, size_t index, const PrefixScope& scope,
                                 std::span<const int32_t> tokens) const {
  const auto size = static_cast<size_t>(block_size_);
  const uint64_t parent = index == 0 ? 0 : blocks_[table.blocks[index - 1]].identity;
  PrefixScope here = scope;
  here.adapted_from = static_cast<int32_t>(std::max<int64_t>(int64_t{scope.adapted_from} - static_cast<int64_t>(index * size), 0));
  if (here.adapted_from >= block_size_) here.adapter = 0, here.adapted_from = 0;
  return {parent, here, tokens.subspan(index * size, size)};
}

int32_t BlockManager::take() noexcept {
  std::list<int32_t>& from = empty_.empty() ? cached_ : empty_;
  const int32_t number = from.front();
  Block& block = blocks_[number];
  if (block.identity != 0) forget(block);
  used_.splice(used_.end(), from, block.place);
  block.users = 1;
  count_use(number, 1);
  return number;
}

void BlockManager::acquire(int32_t number) noexcept {
  Block& block = blocks_[number];
  if (block.users++ > 0) return;
  used_.splice(used_.end(), cached_, block.place);
  count_use(number, 1);
}

void BlockManager::drop(int32_t number) noexcept {
  Block& block = blocks_[number];
  if (--block.users > 0) return;
  count_use(number, -1);
  if (memory_) extent_of(number).idle_since = block.idle_since = std::chrono::steady_clock::now();
  if (block.identity != 0) {
    cached_.splice(cached_.end(), used_, block.place);
  } else {
    empty_.splice(empty_.begin(), used_, block.place);
  }
}

void BlockManager::count_use(int32_t number, int32_t change) noexcept {
  const bool was_idle = extent_of(number).used == 0;
  extent_of(number).used += change;
  idle_changed_ |= was_idle != (extent_of(number).used == 0);
}

void BlockManager::forget(Block& block) noexcept {
  if (block.state >= 0) {
    KeptState& kept = kept_states_[static_cast<size_t>(block.state)];
    kept.block = -1;
    if (kept.readers == 0) free_states_.push_back(block.state);
    block.state = -1;
  }
  index_.erase(*block.key);
  block.key = nullptr;
  block.identity = 0;
}

// False: there are no more, or no memory for them, or nothing that idles since before then.
bool BlockManager::grow(TimePoint idle_since) noexcept {
  if (absent_.empty() || !memory_->take(cache_.extent_bytes(), idle_since)) return false;
  try {
    commit(absent_.front() / cache_.extent_blocks());
    return true;
  } catch (...) {  // there was less than had been counted on
    memory_->give(cache_.extent_bytes());
    return false;
  }
}

void BlockManager::commit(int32_t number) {
  cache_.commit(number);
  extents_[static_cast<size_t>(number)].committed = true;
  idle_changed_ = true;
  move_extent(number, empty_);
}

void BlockManager::decommit(int32_t number) noexcept {
  move_extent(number, absent_);
  extents_[static_cast<size_t>(number)].committed = false;
  cache_.decommit(number);
  memory_->give(cache_.extent_bytes());
}

// All blocks of an extent, none of which is in use.
void BlockManager::move_extent(int32_t number, std::list<int32_t>& to) noexcept {
  const int32_t first = number * cache_.extent_blocks();
  const int32_t last = std::min(first + cache_.extent_blocks(), cache_.block_count());
  for (int32_t i = last - 1; i >= first; --i) {  // the first of them lies in front in the end
    Block& block = blocks_[i];
    std::list<int32_t>& from = &to == &empty_ ? absent_ : block.identity != 0 ? cached_ : empty_;
    if (block.identity != 0) forget(block);
    to.splice(to.begin(), from, block.place);
  }
}

void BlockManager::give_back() noexcept {
  // Called in every step, of which few leave other extents idle.
  if (!memory_ || (memory_->wanted() == 0 && !idle_changed_)) return;
  while (memory_->wanted() > 0) {
    const int32_t extent = longest_idle();
    if (extent < 0) break;
    decommit(extent);
  }
  memory_->tell_idle(idle_since());
  idle_changed_ = false;
}

// -1: every one is in use, but the first, which stays.
int32_t BlockManager::longest_idle() const noexcept {
  int32_t longest = -1;
  for (size_t i = 1; i < extents_.size(); ++i) {
    const Extent& extent = extents_[i];
    if (!extent.committed || extent.used > 0) continue;
    if (longest < 0 || extent.idle_since < extents_[static_cast<size_t>(longest)].idle_since) longest = static_cast<int32_t>(i);
  }
  return longest;
}

BlockMemory::TimePoint BlockManager::idle_since() const noexcept {
  const int32_t extent = longest_idle();
  return extent < 0 ? TimePoint::max() : extents_[static_cast<size_t>(extent)].idle_since;
}

}  // namespace sgmv
