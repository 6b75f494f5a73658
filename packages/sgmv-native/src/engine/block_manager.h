// Owns the blocks of the KV cache: who uses which, which still hold what a later request may reuse, and which have
// memory at all. Knows nothing of policy.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <list>
#include <span>
#include <vector>

#include "block_memory.h"
#include "prefix_index.h"
#include "sgmv/model.h"

namespace sgmv {

// Slots of states that a sequence has while it runs. A slice reads one and writes another, so that it can be computed again, also when
// the one that follows on it has written a third.
constexpr int32_t states_per_table(bool runs_ahead) { return runs_ahead ? 3 : 2; }
inline constexpr size_t kStatesPerTableMax = 3;

// A sequence's blocks. Changed by the block manager only.
struct BlockTable {
  std::vector<int32_t> blocks;  // block i holds positions [i * block_size, (i + 1) * block_size)
  size_t published = 0;         // leading blocks that are in the prefix index
  // Slots of its states, where the model has such: what the next slice reads, unless it is the first; what it writes; and, where the
  // model runs ahead, what the slice after it writes. -1: none.
  std::array<int32_t, kStatesPerTableMax> states{-1, -1, -1};
  bool reads_kept = false;      // states[0] is one that is kept for others; once it has been read, `spare` takes its place
  int32_t spare = -1;
  int32_t state_before = -1;    // what its last slice read, until the next step
  int32_t kept_block = -1;      // behind whose tokens, of its completion, a state was kept last, and what the block was then
  uint64_t kept_identity = 0;
};

// A block is absent (its extent has no memory), empty, used by one or more tables, or cached: used by none, but in the
// prefix index. Full blocks are shared as they are; a block is written by a table only while no other uses it and it is
// not in the index. When no empty block is left, an extent gets memory, or cached blocks are overwritten, least recently
// used first: whichever costs what has been idle for longer. Where the model has states, a block is of use only with the state at its end,
// or behind it at that of a later one: slots that no table needs keep states of blocks in the index, least recently used ones until
// a table does. A table lets its last blocks go first, so that a block is
// never overwritten before those that continue it.
class BlockManager {
 public:
  // Without `memory` every block is there from the start; else the first extent is, and stays. Throws what commit() does.
  BlockManager(KvCache& cache, bool reuse_prefixes, BlockMemory* memory = nullptr, PrefixIndex::Hash hash = PrefixIndex::hash, int32_t states_each = states_per_table(false));

  bool reuses_prefixes() const { return reuse_prefixes_; }
  int32_t block_size() const { return block_size_; }
  int32_t free() const { return static_cast<int32_t>(empty_.size() + cached_.size()); }
  int32_t cached() const { return static_cast<int32_t>(cached_.size()); }
  int32_t total() const { return static_cast<int32_t>(used_.size()) + free(); }  // that have memory
  int32_t blocks_for(int64_t positions) const;

  // Gives an empty table the cached blocks of the longest known beginning of `tokens`, the last token excepted: it
  // has to be computed for its logits. Returns the positions covered. Throws bad_alloc; the table is then empty.
  int32_t reuse(BlockTable& table, const PrefixScope& scope, std::span<const int32_t> tokens);
  // Whether so many blocks are free, once memory has been found for them.
  bool has_room(int64_t count) noexcept;
  // Grows the table until it covers positions [0, end), and makes [begin, end) its own to write, copying blocks that
  // others use. Takes all the blocks it needs or, returning false, none. Throws bad_alloc; nothing has changed then.
  // Where the model has states, the table gets its slots too.
  bool prepare(BlockTable& table, int64_t begin, int64_t end);
  // Gives an empty table the blocks of positions [0, positions) of another. Throws bad_alloc likewise.
  void share(const BlockTable& from, BlockTable& to, int64_t positions);
  // Lets later requests find the table's full blocks. `tokens` [computed] are those whose keys and values it holds.
  // Where another table has published the same, its block takes the place of this table's.
  void publish(BlockTable& table, const PrefixScope& scope, std::span<const int32_t> tokens) noexcept;
  void release(BlockTable& table) noexcept;

  bool has_states() const { return cache_.state_count() > 0; }
  bool keeps_states() const { return has_states() && reuse_prefixes_; }
  // A slice has been computed: what was written is read next. Whether that leaves a state to others that was kept.
  bool turn_states(BlockTable& table) noexcept;
  // Keeps the state at the end of the table's published blocks of positions [0, positions), all that has been computed. Of a
  // completion the last one that was kept so makes room, and no other does.
  void keep_state(BlockTable& table, int64_t positions, bool of_completion) noexcept;
  // Gives a prepared table the state that another had before its last slice, before the next step.
  void copy_state_before(const BlockTable& from, BlockTable& to);

  // Gives back what is wanted, as far as extents have no block in use, those that have been idle longest first.
  void give_back() noexcept;

 private:
  using TimePoint = BlockMemory::TimePoint;

  struct Block {
    int32_t users = 0;
    uint64_t identity = 0;                  // 0: not in the index
    int32_t state = -1;                     // the slot of the one at its end, if that is kept
    const PrefixIndex::Key* key = nullptr;  // where it is in the index
    TimePoint idle_since{};                 // if it is cached
    std::list<int32_t>::iterator place;     // in one of the lists
  };
  struct Extent {
    bool committed = false;
    int32_t used = 0;        // of its blocks
    TimePoint idle_since{};  // if none of them is used
  };

  // A slot whose state is kept.
  struct KeptState {
    int32_t block = -1;      // -1: of none any more
    int32_t readers = 0;     // tables
    uint64_t last_used = 0;  // of state_uses_
  };

  void reuse_state(BlockTable& table) noexcept;
  void replace_kept(BlockTable& table, int32_t number) noexcept;
  bool take_states(BlockTable& table) noexcept;
  int32_t take_state(bool of_kept = true) noexcept;
  void drop_state(int32_t& state) noexcept;
  void leave_state(int32_t state) noexcept;

  PrefixView view_at(const BlockTable& table, size_t index, const PrefixScope& scope,
                     std::span<const int32_t> tokens) const;
  int32_t take() noexcept;
  void acquire(int32_t block) noexcept;
  void drop(int32_t block) noexcept;
  void count_use(int32_t block, int32_t change) noexcept;
  void forget(Block& block) noexcept;
  void make_own(BlockTable& table, size_t index);
  bool grow(TimePoint idle_since) noexcept;
  void commit(int32_t extent);
  void decommit(int32_t extent) noexcept;
  int32_t longest_idle() const noexcept;
  TimePoint idle_since() const noexcept;
  void move_extent(int32_t extent, std::list<int32_t>& to) noexcept;
  Extent& extent_of(int32_t block) { return extents_[static_cast<size_t>(block / cache_.extent_blocks())]; }

  KvCache& cache_;
  BlockMemory* const memory_;
  const int32_t block_size_;
  const bool reuse_prefixes_;
  const int32_t states_each_;
  PrefixIndex index_;
  uint64_t identities_ = 0;
  std::vector<Block> blocks_;
  std::vector<Extent> extents_;
  bool idle_changed_ = true;  // which extents have no block in use, since the memory was told
  // Every block's number is in one of these; blocks change hands by splicing, which allocates nothing.
  std::list<int32_t> absent_;
  std::list<int32_t> empty_;   // a stack: the block freed last is used first, while it is in the processor's cache
  std::list<int32_t> cached_;  // least recently used first
  std::list<int32_t> used_;
  std::vector<int32_t> free_states_;
  std::vector<KeptState> kept_states_;  // of each slot
  uint64_t state_uses_ = 0;
};

}  // namespace sgmv
