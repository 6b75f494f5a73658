// Policy: which sequences run, how many tokens of each this step computes, who gives way when memory is short.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "block_manager.h"
#include "sequence.h"

namespace sgmv {

struct SchedulerLimits {
  int32_t max_batch;        // sequences running together
  int32_t max_step_tokens;  // at least max_batch
  int32_t draft_tokens = 0;  // up to which a step is filled with drafts
};

// `token_count` tokens of `sequence`, from its first uncomputed one, its draft included; or the one that slice `follows` of the
// step under way chooses.
struct PlannedSlice {
  Sequence* sequence;
  int32_t token_count;
  int32_t follows = -1;  // -1: all its tokens are known

  // Of the adapter that acts on its last token; 0: none does. What follows is behind the prompt.
  uint64_t adapter_serial() const {
    const int32_t end = follows < 0 ? sequence->computed + token_count : INT32_MAX;
    return end > sequence->adapted_from ? sequence->adapter.serial() : 0;
  }
};

// First come, first served, with these rules:
// - Every sequence with one token to compute (decode) gets it in every step; prompts share what is left of
//   max_step_tokens, so a long prompt slows decoding by a bounded amount and never stops it.
// - A prompt leaves half of what it finds to the prompts behind it, if there are any.
// - A sequence is admitted when its tokens so far, those found in the prefix cache excepted, fit into free blocks
//   with one block to spare for each running sequence. When decoding runs out of blocks, the newest running sequence
//   gives its blocks back and waits, first in line, to be computed again.
// - A sequence whose logits wait for a token mask keeps its place and its blocks and takes no part in the step.
// - What is then left up to draft_tokens goes to drafts of sequences that decode, in equal shares: the fuller the step is without
//   them, the more of them must be right. Nobody gives a block for one.
// - The choices of a request follow the first of them: when it has computed the prompt, they start with its blocks,
//   and those for whom there is no room wait in line as if they had been preempted. Where the model has states, a slice of
//   the first ends before its prompt's last token: the state there is what they start with.
// Nothing here throws: what fails for want of memory fails the one sequence it was for.
class Scheduler {
 public:
  Scheduler(SchedulerLimits limits, BlockManager& blocks);

  // A sequence with its followers.
  void add(SequenceList one) noexcept;
  // The step's slices: prefill first, then decode, each grouped by adapter. Good until the next call.
  const std::vector<PlannedSlice>& schedule() noexcept;
  // The step that follows on one which is under way: the same sequences, each with the token that is being chosen, except
  // those of which it is the last. Empty: that has to wait for what the step gives, or schedule() would admit someone. Slices
  // under way whose sequence has ended meanwhile have a null. Good until the next call.
  const std::vector<PlannedSlice>& schedule_next(std::span<const PlannedSlice> under_way) noexcept;
  // To be told what a step has computed: full blocks may now be reused, and followers start.
  void computed(Sequence& sequence, int32_t token_count) noexcept;
  // Gives back the blocks of a running sequence, which waits for its turn to be computed again from its first token.
  void recompute(Sequence& sequence) noexcept;

  // Take sequences out, running or waiting, and free their blocks: one with the followers it still has, as they are;
  // all of a request; all; those that failed while scheduling.
  SequenceList take(Sequence& sequence) noexcept;
  SequenceList take(const std::string& request_id) noexcept;
  SequenceList take_all() noexcept;
  SequenceList take_failed() noexcept;

  // Running, waiting or following; null if there is none.
  Sequence* find(const std::string& request_id, int32_t choice) noexcept;
  // One whose logits waited for the mask that it now has; null if there is none.
  Sequence* unblocked() noexcept;

  bool idle() const { return running_.empty() && waiting_.empty(); }
  int32_t running() const { return static_cast<int32_t>(running_.size()); }
  int32_t waiting() const { return static_cast<int32_t>(waiting_.size() + following_); }
  int64_t preemptions() const { return preemptions_; }
  int64_t queried_tokens() const { return queried_tokens_; }
  int64_t hit_tokens() const { return hit_tokens_; }

 private:
  int32_t plan_decodes() noexcept;
  void plan_prefills(int32_t budget) noexcept;
  void plan_drafts() noexcept;
  bool may_draft(const Sequence& sequence) const noexcept;
  void draft(Sequence& sequence, int32_t most, float least) noexcept;
  int32_t uncomputed_at_once(const Sequence& sequence) const noexcept;
  int32_t next_kept(const Sequence& sequence, int32_t positions) const noexcept;
  void admit_waiting() noexcept;
  bool find_room(Sequence& sequence);
  bool preempt_newest() noexcept;
  void suspend(SequenceList::iterator running) noexcept;
  void start_followers(Sequence& leader) noexcept;
  bool fork(const Sequence& leader, Sequence& follower) noexcept;
  void collect_plan() noexcept;
  bool extend(const PlannedSlice& under_way, int32_t index) noexcept;
  void sort_plan() noexcept;
  void fail(SequenceList& list, SequenceList::iterator sequence) noexcept;
  static void place_by_arrival(SequenceList& list, SequenceList& from, SequenceList::iterator one) noexcept;
  void take_from(SequenceList& list, SequenceList::iterator one, SequenceList& to) noexcept;

  const SchedulerLimits limits_;
  BlockManager& blocks_;
  SequenceList running_;  // oldest first
  SequenceList waiting_;  // oldest first
  size_t following_ = 0;  // in the lists of those, and of running ones
  bool full_ = false;     // no room for the first that waits, and nobody has left since, nor a kept state
  SequenceList failed_;
  std::vector<PlannedSlice> plan_;
  std::vector<Sequence*> prompts_;  // scratch
  uint64_t arrivals_ = 0;
  int64_t preemptions_ = 0;
  int64_t queried_tokens_ = 0;
  int64_t hit_tokens_ = 0;
};

}  // namespace sgmv
