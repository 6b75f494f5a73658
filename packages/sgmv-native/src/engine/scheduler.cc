#include "scheduler.h"

#include <algorithm>
#include <tuple>

namespace sgmv {

void Scheduler::add(std::unique_ptr<Sequence> sequence) {
  sequence->arrival = arrivals_++;
  waiting_.push_back(std::move(sequence));
}

std::vector<PlannedSlice> Scheduler::schedule() {
  std::vector<PlannedSlice> plan;
  const int64_t preempted_before = preemptions_;
  const int32_t budget = plan_decodes(plan);
  // Blocks that were just taken from someone are not handed to a newcomer.
  if (preemptions_ == preempted_before) admit_waiting();
  plan_prefills(plan, budget);
  order_by_adapter(plan);
  return plan;
}

// Returns the tokens left for prompts. Oldest first, so whoever is preempted has not been planned yet.
int32_t Scheduler::plan_decodes(std::vector<PlannedSlice>& plan) {
  int32_t budget = limits_.max_step_tokens;
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = *running_[i];
    if (sequence.uncomputed() != 1) continue;
    bool grown = blocks_.grow(sequence.blocks, static_cast<int64_t>(sequence.tokens.size()));
    while (!grown && preempt_newest() && i < running_.size()) {
      grown = blocks_.grow(sequence.blocks, static_cast<int64_t>(sequence.tokens.size()));
    }
    if (!grown) break;  // it was itself the newest
    plan.push_back({&sequence, 1});
    budget -= 1;
  }
  return budget;
}

// Blocks of a prompt were taken when it was admitted; only tokens are shared out here.
void Scheduler::plan_prefills(std::vector<PlannedSlice>& plan, int32_t budget) const {
  std::vector<PlannedSlice> prompts;
  for (const auto& sequence : running_) {
    const bool planned = sequence->uncomputed() == 1 &&
                         std::any_of(plan.begin(), plan.end(),
                                     [&](const PlannedSlice& slice) { return slice.sequence == sequence.get(); });
    if (!planned) prompts.push_back({sequence.get(), 0});
  }
  for (size_t i = 0; i < prompts.size() && budget > 0; ++i) {
    const int32_t share = i + 1 < prompts.size() ? (budget + 1) / 2 : budget;
    prompts[i].token_count = std::min(prompts[i].sequence->uncomputed(), share);
    budget -= prompts[i].token_count;
  }
  for (PlannedSlice& slice : prompts) {
    const int32_t more = std::min(slice.sequence->uncomputed() - slice.token_count, budget);
    slice.token_count += more;
    budget -= more;
    if (slice.token_count > 0) plan.push_back(slice);
  }
}

void Scheduler::admit_waiting() {
  while (!waiting_.empty() && running() < limits_.max_batch) {
    Sequence& next = *waiting_.front();
    const auto positions = static_cast<int64_t>(next.tokens.size());
    const bool roomy = running_.empty() || blocks_.free() - blocks_.blocks_for(positions) >= running();
    if (!roomy || !blocks_.grow(next.blocks, positions)) return;
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

bool Scheduler::preempt_newest() {
  if (running_.empty()) return false;
  suspend(running_.end() - 1);
  preemptions_ += 1;
  return true;
}

void Scheduler::recompute(const Sequence& sequence) {
  suspend(std::find_if(running_.begin(), running_.end(), [&](const auto& one) { return one.get() == &sequence; }));
}

void Scheduler::suspend(std::vector<std::unique_ptr<Sequence>>::iterator running) {
  std::unique_ptr<Sequence> sequence = std::move(*running);
  running_.erase(running);
  blocks_.release(sequence->blocks);
  sequence->computed = 0;
  waiting_.push_front(std::move(sequence));
}

void Scheduler::order_by_adapter(std::vector<PlannedSlice>& plan) const {
  const auto key = [](const PlannedSlice& slice) {
    return std::tuple(slice.token_count == 1, slice.sequence->adapter.serial(), slice.sequence->arrival);
  };
  std::sort(plan.begin(), plan.end(),
            [&](const PlannedSlice& a, const PlannedSlice& b) { return key(a) < key(b); });
}

std::unique_ptr<Sequence> Scheduler::remove(const std::string& id) {
  const auto take = [&](auto& list) -> std::unique_ptr<Sequence> {
    const auto found = std::find_if(list.begin(), list.end(), [&](const auto& s) { return s->request.id == id; });
    if (found == list.end()) return nullptr;
    std::unique_ptr<Sequence> sequence = std::move(*found);
    list.erase(found);
    blocks_.release(sequence->blocks);
    return sequence;
  };
  std::unique_ptr<Sequence> sequence = take(running_);
  return sequence ? std::move(sequence) : take(waiting_);
}

std::vector<std::unique_ptr<Sequence>> Scheduler::remove_all() {
  std::vector<std::unique_ptr<Sequence>> all;
  for (auto& sequence : running_) all.push_back(std::move(sequence));
  for (auto& sequence : waiting_) all.push_back(std::move(sequence));
  running_.clear();
  waiting_.clear();
  for (const auto& sequence : all) blocks_.release(sequence->blocks);
  return all;
}

}  // namespace sgmv
