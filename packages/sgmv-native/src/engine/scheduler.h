// Policy: which requests run, how many tokens of each this step computes, who gives way when memory is short.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "block_manager.h"
#include "sequence.h"

namespace sgmv {

struct SchedulerLimits {
  int32_t max_batch;        // sequences running together
  int32_t max_step_tokens;  // at least max_batch
};

// `token_count` tokens of `sequence`, from its first uncomputed one.
struct PlannedSlice {
  Sequence* sequence;
  int32_t token_count;
};

// First come, first served, with these rules:
// - Every sequence with one token to compute (decode) gets it in every step; prompts share what is left of
//   max_step_tokens, so a long prompt slows decoding by a bounded amount and never stops it.
// - A prompt leaves half of what it finds to the prompts behind it, if there are any.
// - A sequence is admitted when its tokens so far fit into free blocks with one block to spare for each running
//   sequence. When decoding runs out of blocks, the newest running sequence gives its blocks back and waits, first
//   in line, to be computed again.
class Scheduler {
 public:
  Scheduler(SchedulerLimits limits, BlockManager& blocks) : limits_(limits), blocks_(blocks) {}

  void add(std::unique_ptr<Sequence> sequence);
  // The step's slices: prefill first, then decode, each grouped by adapter.
  std::vector<PlannedSlice> schedule();
  // Gives back the blocks of a running sequence, which waits, first in line, to be computed again from its first token.
  void recompute(const Sequence& sequence);
  // Takes a sequence out, running or waiting, and frees its blocks. Null if there is none with this id.
  std::unique_ptr<Sequence> remove(const std::string& id);
  std::vector<std::unique_ptr<Sequence>> remove_all();

  bool idle() const { return running_.empty() && waiting_.empty(); }
  int32_t running() const { return static_cast<int32_t>(running_.size()); }
  int32_t waiting() const { return static_cast<int32_t>(waiting_.size()); }
  int64_t preemptions() const { return preemptions_; }

 private:
  int32_t plan_decodes(std::vector<PlannedSlice>& plan);
  void plan_prefills(std::vector<PlannedSlice>& plan, int32_t budget) const;
  void admit_waiting();
  bool preempt_newest();
  void suspend(std::vector<std::unique_ptr<Sequence>>::iterator running);
  void order_by_adapter(std::vector<PlannedSlice>& plan) const;

  const SchedulerLimits limits_;
  BlockManager& blocks_;
  std::vector<std::unique_ptr<Sequence>> running_;  // oldest first
  std::deque<std::unique_ptr<Sequence>> waiting_;   // oldest first, all newer than the running ones
  uint64_t arrivals_ = 0;
  int64_t preemptions_ = 0;
};

}  // namespace sgmv
