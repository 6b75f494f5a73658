#include "engine_thread.h"

#include <algorithm>
#include <utility>

#include "engine_options.h"
#include "events.h"

namespace sgmv {
namespace {

constexpr std::chrono::milliseconds kMemoryPause{5};  // before memory is asked for again
constexpr int kLastTries = 400;                 // while closing

double ms_between(std::chrono::steady_clock::time_point begin, std::chrono::steady_clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

}  // namespace

EngineThread::EngineThread(Model& model, KvCache& cache, BlockMemory& memory, const EngineOptions& options, Inbox& inbox,
                           Engine::EventSink sink)
    : inbox_(inbox),
      sink_(std::move(sink)),
      runs_ahead_(model.runs_ahead()),
      blocks_(cache, options.prefix_cache, &memory, PrefixIndex::hash, states_per_table(model.runs_ahead())),
      scheduler_({options.max_batch, options.max_step_tokens, draft_room(options, model)}, blocks_),
      runner_(model, cache) {
  under_way_.reserve(static_cast<size_t>(options.max_batch));
  next_.reserve(static_cast<size_t>(options.max_batch));
  publish_stats();
  thread_ = std::thread([this] { run(); });
}

void EngineThread::join() {
  if (thread_.joinable()) thread_.join();
}

EngineStats EngineThread::stats() const {
  const std::lock_guard lock(stats_mutex_);
  return stats_;
}

void EngineThread::run() noexcept {
  while (take_mail((idle() || blocked_) && delivered_)) {
    blocks_.give_back();
    // What the caller cannot be told yet does not become more.
    if (delivered_) pick_unblocked();
    if (delivered_ && !idle()) step();
    // What a step gave is told while the next one runs, if there is one to come at once.
    if (delivered_ && !idle() && !blocked_) continue;
    if (!deliver()) std::this_thread::sleep_for(kMemoryPause);
  }
  end(scheduler_.take_all(), FinishReason::cancelled);
  finish_for_nobody();
  deliver_at_last();
}

// False once the engine is to close; everything submitted is then in the scheduler or has ended.
bool EngineThread::take_mail(bool wait) noexcept {
  Inbox::Mail mail = inbox_.take(wait);
  blocked_ = false;  // until the next step finds otherwise
  while (!mail.arrived.empty()) {
    SequenceList one;
    one.splice(one.end(), mail.arrived, mail.arrived.begin());
    if (one.front().finish) {
      end(std::move(one), FinishReason::stop);  // its resumed tokens were already the whole
    } else {
      scheduler_.add(std::move(one));
    }
  }
  for (const std::string& id : mail.cancelled) end(scheduler_.take(id), FinishReason::cancelled);
  for (const auto& [id, cause] : mail.failed) fail_request(id, cause);
  accept_masks(std::move(mail.masks));
  return !mail.closed;
}

void EngineThread::accept_masks(std::list<ProvidedMask> masks) noexcept {
  for (auto next = masks.begin(); next != masks.end();) {
    const auto provided = next++;
    Sequence* sequence = scheduler_.find(provided->id, provided->choice);
    if (!sequence || !sequence->request->constrained) continue;
    const int32_t known = sequence->completion_tokens(), assumed = provided->index - static_cast<int32_t>(provided->after.size());
    if (assumed <= known) {
      if (provided->index >= known) sequence->masks.splice(sequence->masks.end(), masks, provided);
      continue;
    }
    try {
      throw Error("bad_argument", "mask index: found " + std::to_string(assumed) + "; expected " + std::to_string(known) +
                                      ", the next token's.");
    } catch (...) {
      fail_request(provided->id, std::current_exception());
    }
  }
}

void EngineThread::fail_request(const std::string& id, const std::exception_ptr& cause) noexcept {
  SequenceList taken = scheduler_.take(id);
  for (Sequence& sequence : taken) sequence.fail(cause);
  end(std::move(taken), FinishReason::error);
}

// The tokens of sequences whose logits were there before their masks.
void EngineThread::pick_unblocked() noexcept {
  while (Sequence* sequence = scheduler_.unblocked()) {
    try {
      const std::vector<float> rows = std::exchange(sequence->held_logits, {});
      std::vector<NextToken> next;
      for (auto row = rows.begin(); row != rows.end(); row += sequence->vocab_size()) next.push_back({{row, sequence->vocab_size()}, {}});
      events_.reserve(events_.size() + next.size());
      draw(*sequence, next);
    } catch (...) {
      sequence->fail(std::current_exception());
    }
    if (sequence->finish) end(scheduler_.take(*sequence), *sequence->finish);
  }
}

void EngineThread::step() noexcept {
  const auto began = Clock::now();
  const bool started = !under_way_.empty();
  if (!started && !schedule_step(began)) return;
  const StepShape shape = StepShape::of(under_way_);
  if (!run_slices(under_way_, started, runs_ahead_)) {
    // Something failed and nobody knows whose fault it was: each sequence again, alone.
    next_.clear();
    for (PlannedSlice slice : under_way_) {
      if (slice.sequence == nullptr) continue;
      slice.token_count -= static_cast<int32_t>(std::exchange(slice.sequence->draft, {}).size());  // nobody asked for it
      if (run_slices({&slice, 1}, false, false)) continue;
      slice.sequence->fail(slice_failure_);
      end(scheduler_.take(*slice.sequence), FinishReason::error);
    }
  }
  under_way_.swap(next_);
  next_.clear();
  const double ms = ms_between(began, Clock::now());
  step_ms_.add(ms);
  shapes_.add(shape, ms / 1000.0);
  steps_ += 1;
}

// False: there is nothing to compute.
bool EngineThread::schedule_step(Clock::time_point now) noexcept {
  const int64_t preempted_before = scheduler_.preemptions();
  const std::vector<PlannedSlice>& plan = scheduler_.schedule();
  under_way_.assign(plan.begin(), plan.end());
  SequenceList failed = scheduler_.take_failed();
  const bool changed = !failed.empty() || scheduler_.preemptions() != preempted_before;
  end(std::move(failed), FinishReason::error);
  blocked_ = plan.empty() && !changed && scheduler_.running() > 0;
  for (const PlannedSlice& slice : plan) {
    if (slice.sequence->started) continue;
    slice.sequence->started = true;
    queue_ms_.add(ms_between(slice.sequence->submitted, now));
  }
  return !plan.empty();
}

// `started`: with the step before. `ahead`: what follows on it may be started too.
bool EngineThread::run_slices(std::span<const PlannedSlice> slices, bool started, bool ahead) noexcept {
  const std::vector<SliceOutput>* outputs = nullptr;
  try {
    // So that no token is taken that cannot be told. What has ended may become events before.
    size_t told = events_.size() + ended_.size() + 3 * slices.size();
    for (const PlannedSlice& slice : slices) told += slice.sequence ? slice.sequence->draft.size() : 0;
    events_.reserve(told);
    for (const PlannedSlice& slice : slices)
      if (slice.sequence && slice.sequence->request->constrained && !slice.sequence->draft.empty()) events_.push_back(draft_event(*slice.sequence));
    if (!started) runner_.start(slices);
    if (ahead) start_next();
    // Masks for the tokens that are told here can be made while the model computes.
    deliver();
    outputs = &runner_.finish();
  } catch (...) {
    slice_failure_ = std::current_exception();
    return false;
  }
  postprocess(slices, *outputs);
  return true;
}

void EngineThread::start_next() {
  const std::vector<PlannedSlice>& plan = scheduler_.schedule_next(under_way_);
  if (plan.empty()) return;
  runner_.start_next(plan);
  next_.assign(plan.begin(), plan.end());
}

// The model is done with blocks and adapters before they go.
void EngineThread::finish_for_nobody() noexcept {
  if (under_way_.empty()) return;
  try {
    runner_.finish();
  } catch (...) {
  }
}

void EngineThread::postprocess(std::span<const PlannedSlice> slices, std::span<const SliceOutput> outputs) noexcept {
  for (size_t i = 0; i < slices.size(); ++i) {
    if (slices[i].sequence == nullptr) continue;
    Sequence& sequence = *slices[i].sequence;
    try {
      postprocess(sequence, slices[i].token_count, outputs[i]);
    } catch (...) {
      sequence.fail(std::current_exception());
    }
    if (sequence.finish) end(scheduler_.take(sequence), *sequence.finish);
  }
}

void EngineThread::postprocess(Sequence& sequence, int32_t computed, const SliceOutput& output) {
  if (!output.prompt.empty()) keep_prompt_rows(sequence, output.prompt);
  scheduler_.computed(sequence, computed - static_cast<int32_t>(sequence.draft.size()));
  if (sequence.wants_prompt() && sequence.prompt_computed()) events_.push_back(prompt_event(sequence));
  if (!output.next.empty()) draw(sequence, output.next);
}

// Every token is drawn from its own logits as it would be without a draft. As long as the draft agrees, those behind it are
// what a step of their own would have given; the rest of it was computed for nobody, and is overwritten.
void EngineThread::draw(Sequence& sequence, std::span<const NextToken> next) {
  const std::vector<int32_t> draft = std::exchange(sequence.draft, {});
  size_t accepted = 0;
  bool chosen = choose(sequence, next[0]);
  while (chosen && accepted < draft.size() && sequence.tokens.back() == draft[accepted]) {
    accepted += 1;
    if (sequence.finish) break;
    scheduler_.computed(sequence, 1);
    chosen = choose(sequence, next[accepted]);
  }
  const size_t judged = chosen ? draft.size() : accepted;
  if (!chosen) {
    for (const NextToken& token : next.subspan(accepted)) sequence.held_logits.insert(sequence.held_logits.end(), token.row.begin(), token.row.end());
    sequence.draft.assign(draft.begin() + static_cast<std::ptrdiff_t>(accepted), draft.end());
  }
  if (judged == 0) return;
  sequence.drafter.judge(static_cast<int32_t>(judged), static_cast<int32_t>(accepted));
  drafted_tokens_ += static_cast<int64_t>(judged);
  accepted_tokens_ += static_cast<int64_t>(accepted);
}

// False: its mask is late.
bool EngineThread::choose(Sequence& sequence, const NextToken& next) {
  if (next.drawn) {
    if (*next.drawn == kNoToken) throw Error("numeric_error", "The model's output has NaN values or no finite maximum; expected finite numbers.");
    take(sequence, *next.drawn, {});
    return true;
  }
  if (sequence.request->constrained && !sequence.mask()) inbox_.take_mask(sequence);
  if (sequence.request->constrained && !sequence.mask()) return false;
  pick(sequence, next.row);
  return true;
}

void EngineThread::pick(Sequence& sequence, std::span<const float> row) {
  const int32_t token = sampler_.pick(adjusted(sequence, row), sequence.sampling, sequence.tokens.size());
  take(sequence, token, row);
}

// `row`: the logits that chose the token; empty: nobody asks for them.
void EngineThread::take(Sequence& sequence, int32_t token, std::span<const float> row) {
  const bool was_long = sequence.long_context();
  const bool first = !sequence.answered;
  events_.push_back(tokens_event(sequence, token, row));
  sequence.answered = true;
  if (first) ttft_ms_.add(ms_between(sequence.submitted, Clock::now()));
  tokens_generated_ += 1;
  if (!sequence.finish && sequence.long_context() != was_long) scheduler_.recompute(sequence);
}

// The row itself stays as the model made it, for log-probabilities.
std::span<const float> EngineThread::adjusted(const Sequence& sequence, std::span<const float> row) {
  const bool active = sequence.adjuster.active();
  const ProvidedMask* mask = sequence.mask();
  if (!active && !mask) return row;
  adjusted_.assign(row.begin(), row.end());
  if (active) sequence.adjuster.apply(adjusted_);
  if (!mask || forbid_tokens(mask->mask, adjusted_)) return adjusted_;
  // Both together leave nothing, as where a complete text meets a minimum length: the constraint is the stronger.
  adjusted_.assign(row.begin(), row.end());
  forbid_tokens(mask->mask, adjusted_);
  return adjusted_;
}

// `reason` is for those that have none of their own. What befalls a choice befalls those that still follow it.
void EngineThread::end(SequenceList taken, FinishReason reason) noexcept {
  while (!taken.empty()) {
    Sequence& sequence = taken.front();
    for (Sequence& follower : sequence.followers) {
      follower.finish = sequence.finish;
      follower.failure = sequence.failure;
    }
    taken.splice(std::next(taken.begin()), sequence.followers);
    if (!sequence.finish) sequence.finish = reason;
    forget(sequence);
    sequence.adapter.reset();  // before the end is seen
    ended_.splice(ended_.end(), taken, taken.begin());
  }
}

// What steps under way still give for it is nobody's.
void EngineThread::forget(const Sequence& sequence) noexcept {
  for (std::vector<PlannedSlice>* slices : {&under_way_, &next_})
    for (PlannedSlice& slice : *slices)
      if (slice.sequence == &sequence) slice.sequence = nullptr;
}

// An id is free again, and the stats are right, before anyone is told of its end. False: there was no memory for it
// all; what is left is kept for the next time.
bool EngineThread::deliver() noexcept {
  delivered_ = false;
  try {
    events_.reserve(events_.size() + ended_.size());  // an end can be made only once
    for (; !ended_.empty(); ended_.pop_front()) {
      events_.push_back(end_event(ended_.front()));
      inbox_.ended(ended_.front().request->id);
    }
    publish_stats();
    if (!events_.empty()) sink_(events_);
  } catch (...) {
    return false;
  }
  events_.clear();
  return delivered_ = true;
}

void EngineThread::deliver_at_last() noexcept {
  for (int tries = 0; tries < kLastTries && !deliver(); ++tries) std::this_thread::sleep_for(kMemoryPause);
}

void EngineThread::publish_stats() noexcept {
  const std::lock_guard lock(stats_mutex_);
  stats_.running = scheduler_.running();
  stats_.waiting = scheduler_.waiting();
  stats_.kv_block_size = blocks_.block_size();
  stats_.kv_blocks_total = blocks_.total();
  stats_.kv_blocks_free = blocks_.free();
  stats_.kv_blocks_cached = blocks_.cached();
  stats_.prefix_queried_tokens = scheduler_.queried_tokens();
  stats_.prefix_hit_tokens = scheduler_.hit_tokens();
  stats_.steps = steps_;
  stats_.tokens_generated = tokens_generated_;
  stats_.drafted_tokens = drafted_tokens_;
  stats_.accepted_tokens = accepted_tokens_;
  stats_.preemptions = scheduler_.preemptions();
  stats_.step_ms = step_ms_.mean();
  stats_.queue_ms = queue_ms_.mean();
  stats_.ttft_ms = ttft_ms_.mean();
  stats_.step_seconds = shapes_.seconds;
  stats_.step_sequences = shapes_.sequences;
  stats_.step_tokens = shapes_.tokens;
  stats_.step_segments = shapes_.segments;
}

}  // namespace sgmv
