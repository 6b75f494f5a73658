#include "scheduler.h"

#include <algorithm>
#include <tuple>

namespace sgmv {

Scheduler::Scheduler(SchedulerLimits limits, BlockManager& blocks) : limits_(limits), blocks_(blocks) {
  plan_.reserve(static_cast<size_t>(limits.max_batch));
  prompts_.reserve(static_cast<size_t>(limits.max_batch));
}

void Scheduler::add(SequenceList one) noexcept {
  one.front().arrival = arrivals_++;
  for (Sequence& follower : one.front().followers) follower.arrival = arrivals_++;
  following_ += one.front().followers.size();
  waiting_.splice(waiting_.end(), one);
}

const std::vector<PlannedSlice>& Scheduler::schedule() noexcept {
  for (Sequence& sequence : running_) sequence.planned = 0;
  const int64_t preempted_before = preemptions_;
  const int32_t budget = plan_decodes();
  // Blocks that were just taken from someone are not handed to a newcomer.
  if (preemptions_ == preempted_before) admit_waiting();
  plan_prefills(budget);
  plan_drafts();
  collect_plan();
  return plan_;
}

// Returns the tokens left for prompts. Oldest first, so whoever is preempted has not been planned yet.
int32_t Scheduler::plan_decodes() noexcept {
  int32_t budget = limits_.max_step_tokens;
  for (auto next = running_.begin(); next != running_.end();) {
    const auto one = next;
    if (one->uncomputed() != 1) {
      ++next;
      continue;
    }
    try {
      while (!blocks_.prepare(one->table, one->computed, static_cast<int64_t>(one->tokens.size()))) {
        const bool itself = &*one == &running_.back();
        preempt_newest();
        if (itself) return budget;
      }
    } catch (...) {
      ++next;
      fail(running_, one);
      continue;
    }
    one->planned = 1;
    budget -= 1;
    ++next;
  }
  return budget;
}

// Blocks of a prompt were taken when it was admitted; only tokens are shared out here.
void Scheduler::plan_prefills(int32_t budget) noexcept {
  prompts_.clear();
  for (Sequence& sequence : running_) {
    if (sequence.planned == 0 && sequence.uncomputed() > 0) prompts_.push_back(&sequence);
  }
  for (size_t i = 0; i < prompts_.size() && budget > 0; ++i) {
    const int32_t share = i + 1 < prompts_.size() ? (budget + 1) / 2 : budget;
    prompts_[i]->planned = std::min(uncomputed_at_once(*prompts_[i]), share);
    budget -= prompts_[i]->planned;
  }
  for (Sequence* prompt : prompts_) {
    const int32_t more = std::min(uncomputed_at_once(*prompt) - prompt->planned, budget);
    prompt->planned += more;
    budget -= more;
  }
}

void Scheduler::plan_drafts() noexcept {
  int32_t room = limits_.draft_tokens, drafting = 0;
  for (const Sequence& sequence : running_) {
    room -= sequence.planned;
    drafting += may_draft(sequence) ? 1 : 0;
  }
  const float full = 1.0f - static_cast<float>(room) / static_cast<float>(std::max(limits_.draft_tokens, 1));
  for (Sequence& sequence : running_) {
    if (room <= 0 || !may_draft(sequence)) continue;
    draft(sequence, (room + drafting - 1) / drafting, full);
    sequence.planned += static_cast<int32_t>(sequence.draft.size());
    room -= static_cast<int32_t>(sequence.draft.size());
    drafting -= 1;
  }
}

// States cannot go back to where a draft was right.
bool Scheduler::may_draft(const Sequence& sequence) const noexcept {
  return sequence.planned == 1 && sequence.uncomputed() == 1 && sequence.prompt_computed() && !blocks_.has_states();
}

void Scheduler::draft(Sequence& sequence, int32_t most, float least) noexcept {
  try {
    sequence.drafter.propose(sequence.tokens, std::min(most, sequence.draft_max()), least, sequence.draft);
    if (sequence.draft.empty()) return;
    const auto known = static_cast<int64_t>(sequence.tokens.size());
    if (blocks_.prepare(sequence.table, sequence.computed, known + static_cast<int64_t>(sequence.draft.size()))) return;
    const int64_t reach = static_cast<int64_t>(sequence.table.blocks.size()) * blocks_.block_size();
    sequence.draft.resize(static_cast<size_t>(reach - known));
  } catch (...) {
    sequence.draft.clear();  // it goes without
  }
}

int32_t Scheduler::uncomputed_at_once(const Sequence& sequence) const noexcept {
  const int32_t kept = next_kept(sequence, sequence.computed), before_last = sequence.prompt_count - 1 - sequence.computed;
  if (kept > 0) return kept - sequence.computed;
  return blocks_.has_states() && !sequence.followers.empty() && before_last > 0 ? before_last : sequence.uncomputed();
}

// Where states of its prompt are kept for others: at the end of the last block that a prompt like it finds, and of the last one on which
// its adapter does not act. The first such place past so many positions; 0: there is none.
int32_t Scheduler::next_kept(const Sequence& sequence, int32_t positions) const noexcept {
  if (!blocks_.keeps_states()) return 0;
  const auto whole_blocks = [&](int32_t count) { return count / blocks_.block_size() * blocks_.block_size(); };
  const int32_t last = whole_blocks(sequence.prompt_count - 1), of_base = std::min(last, whole_blocks(sequence.adapted_from));
  return positions < of_base ? of_base : positions < last ? last : 0;
}

void Scheduler::admit_waiting() noexcept {
  while (!waiting_.empty() && running() < limits_.max_batch) {
    const auto next = waiting_.begin();
    try {
      full_ = !find_room(*next);
      if (full_) return;
    } catch (...) {
      fail(waiting_, next);
      continue;
    }
    next->planned = 0;
    next->admitted = true;
    place_by_arrival(running_, waiting_, next);
  }
}

// False: there is none, and the sequence has no blocks.
bool Scheduler::find_room(Sequence& sequence) {
  const auto positions = static_cast<int64_t>(sequence.tokens.size());
  // The logits of reused positions are not known.
  const bool reuses = blocks_.reuses_prefixes() && !sequence.wants_prompt();
  // Those who follow start with a state within the prompt.
  const size_t findable = blocks_.has_states() && !sequence.followers.empty() ? static_cast<size_t>(sequence.prompt_count) : sequence.tokens.size();
  sequence.computed = reuses ? blocks_.reuse(sequence.table, sequence.scope(), std::span(sequence.tokens).first(findable)) : 0;
  const auto needed = blocks_.blocks_for(positions) - static_cast<int32_t>(sequence.table.blocks.size());
  try {
    const bool roomy = running_.empty() || blocks_.has_room(int64_t{needed} + running());
    if (!roomy || !blocks_.prepare(sequence.table, sequence.computed, positions)) {
      blocks_.release(sequence.table);
      sequence.computed = 0;
      return false;
    }
  } catch (...) {
    blocks_.release(sequence.table);
    throw;
  }
  if (reuses && !sequence.admitted) {
    sequence.cached_tokens = std::min(sequence.computed, sequence.prompt_count);
    queried_tokens_ += positions;
    hit_tokens_ += sequence.computed;
  }
  return true;
}

bool Scheduler::preempt_newest() noexcept {
  if (running_.empty()) return false;
  suspend(std::prev(running_.end()));
  preemptions_ += 1;
  return true;
}

void Scheduler::recompute(Sequence& sequence) noexcept {
  suspend(std::find_if(running_.begin(), running_.end(), [&](const Sequence& one) { return &one == &sequence; }));
}

void Scheduler::suspend(SequenceList::iterator running) noexcept {
  blocks_.release(running->table);
  full_ = false;
  running->computed = 0;
  running->planned = 0;
  running->held_logits = {};  // computed again with the rest
  running->draft.clear();
  place_by_arrival(waiting_, running_, running);
}

void Scheduler::computed(Sequence& sequence, int32_t token_count) noexcept {
  sequence.computed += token_count;
  if (blocks_.turn_states(sequence.table)) full_ = false;
  const std::span<const int32_t> known(sequence.tokens.data(), static_cast<size_t>(sequence.computed));
  blocks_.publish(sequence.table, sequence.scope(), known);
  const bool of_completion = sequence.computed > sequence.prompt_count;
  if (blocks_.keeps_states() && sequence.computed % blocks_.block_size() == 0 && (of_completion || next_kept(sequence, sequence.computed - 1) == sequence.computed))
    blocks_.keep_state(sequence.table, sequence.computed, of_completion);
  if (sequence.prompt_computed()) start_followers(sequence);
}

void Scheduler::start_followers(Sequence& leader) noexcept {
  while (!leader.followers.empty()) {
    const auto follower = leader.followers.begin();
    follower->cached_tokens = leader.cached_tokens;
    follower->admitted = true;
    following_ -= 1;
    place_by_arrival(fork(leader, *follower) ? running_ : waiting_, leader.followers, follower);
  }
}

// The follower computes the prompt's last token again, for logits of its own, and shares all blocks before.
bool Scheduler::fork(const Sequence& leader, Sequence& follower) noexcept {
  if (running() >= limits_.max_batch || follower.long_context() != leader.long_context()) return false;
  const auto positions = static_cast<int64_t>(follower.tokens.size());
  const int64_t shared = blocks_.has_states() ? follower.prompt_count - 1 : std::min<int64_t>(follower.prompt_count, positions - 1);
  try {
    blocks_.share(leader.table, follower.table, shared);
    const bool roomy = blocks_.has_room(int64_t{blocks_.blocks_for(positions - shared)} + running());
    if (roomy && blocks_.prepare(follower.table, shared, positions)) {
      if (blocks_.has_states() && shared > 0) blocks_.copy_state_before(leader.table, follower.table);
      follower.computed = static_cast<int32_t>(shared);
      follower.planned = 0;
      return true;
    }
  } catch (...) {  // then it waits for better times
  }
  blocks_.release(follower.table);
  return false;
}

void Scheduler::collect_plan() noexcept {
  plan_.clear();
  for (Sequence& sequence : running_) {
    if (sequence.planned > 0) plan_.push_back({&sequence, sequence.planned});
  }
  sort_plan();
}

const std::vector<PlannedSlice>& Scheduler::schedule_next(std::span<const PlannedSlice> under_way) noexcept {
  plan_.clear();
  const auto alive = std::count_if(under_way.begin(), under_way.end(), [](const PlannedSlice& slice) { return slice.sequence != nullptr; });
  if (alive != running() || !(waiting_.empty() || full_ || running() >= limits_.max_batch)) return plan_;
  if (alive < limits_.draft_tokens && !blocks_.has_states()) return plan_;  // what follows on a token may then be drafted
  for (size_t i = 0; i < under_way.size(); ++i) {
    if (under_way[i].sequence == nullptr || extend(under_way[i], static_cast<int32_t>(i))) continue;
    plan_.clear();
    return plan_;
  }
  sort_plan();
  return plan_;
}

// False: it is not known yet how its sequence goes on, or there is no room for it.
bool Scheduler::extend(const PlannedSlice& under_way, int32_t index) noexcept {
  Sequence& sequence = *under_way.sequence;
  const auto known = static_cast<int32_t>(sequence.tokens.size());
  const bool chooses = sequence.computed + under_way.token_count == known;
  if (!chooses || sequence.needs_logits() || sequence.wants_prompt()) return false;
  if (blocks_.has_states() && !sequence.followers.empty()) return false;  // they read a state that the next step overwrites
  if (sequence.tokens_left() <= 1) return true;
  if (sequence.long_context(1) != sequence.long_context()) return false;
  try {
    if (!blocks_.prepare(sequence.table, known, known + 1)) return false;
  } catch (...) {
    return false;
  }
  plan_.push_back({&sequence, 1, index});
  return true;
}

void Scheduler::sort_plan() noexcept {
  const auto key = [](const PlannedSlice& slice) {
    return std::tuple(slice.token_count == 1, slice.adapter_serial(), slice.sequence->arrival);
  };
  std::sort(plan_.begin(), plan_.end(),
            [&](const PlannedSlice& a, const PlannedSlice& b) { return key(a) < key(b); });
}

void Scheduler::place_by_arrival(SequenceList& list, SequenceList& from, SequenceList::iterator one) noexcept {
  const auto later = [one](const Sequence& other) { return other.arrival > one->arrival; };
  list.splice(std::find_if(list.begin(), list.end(), later), from, one);
}

void Scheduler::fail(SequenceList& list, SequenceList::iterator sequence) noexcept {
  sequence->fail(std::current_exception());
  take_from(list, sequence, failed_);
}

void Scheduler::take_from(SequenceList& list, SequenceList::iterator one, SequenceList& to) noexcept {
  blocks_.release(one->table);
  full_ = false;
  following_ -= one->followers.size();
  to.splice(to.end(), list, one);
}

SequenceList Scheduler::take(Sequence& sequence) noexcept {
  SequenceList taken;
  for (SequenceList* list : {&running_, &waiting_}) {
    const auto found = std::find_if(list->begin(), list->end(), [&](const Sequence& s) { return &s == &sequence; });
    if (found == list->end()) continue;
    take_from(*list, found, taken);
    break;
  }
  return taken;
}

SequenceList Scheduler::take(const std::string& request_id) noexcept {
  SequenceList taken;
  for (SequenceList* list : {&running_, &waiting_}) {
    for (auto next = list->begin(); next != list->end();) {
      const auto one = next++;
      if (one->request->id == request_id) take_from(*list, one, taken);
    }
  }
  return taken;
}

SequenceList Scheduler::take_all() noexcept {
  SequenceList taken;
  for (SequenceList* list : {&running_, &waiting_}) {
    while (!list->empty()) take_from(*list, list->begin(), taken);
  }
  return taken;
}

Sequence* Scheduler::find(const std::string& request_id, int32_t choice) noexcept {
  for (SequenceList* list : {&running_, &waiting_}) {
    for (Sequence& sequence : *list) {
      if (sequence.request->id != request_id) continue;
      if (sequence.choice == choice) return &sequence;
      for (Sequence& follower : sequence.followers) {
        if (follower.choice == choice) return &follower;
      }
    }
  }
  return nullptr;
}

Sequence* Scheduler::unblocked() noexcept {
  const auto ready = [](const Sequence& sequence) { return sequence.mask() && !sequence.held_logits.empty(); };
  const auto found = std::find_if(running_.begin(), running_.end(), ready);
  return found == running_.end() ? nullptr : &*found;
}

SequenceList Scheduler::take_failed() noexcept {
  SequenceList taken;
  taken.splice(taken.end(), failed_);
  return taken;
}

}  // namespace sgmv
