#include "step_runner.h"

#include <algorithm>

namespace sgmv {

void StepRunner::start(std::span<const PlannedSlice> slices) {
  Step& step = steps_[older_];
  fill(step, slices, nullptr);
  model_.start(step.batch(), cache_);
}

void StepRunner::start_next(std::span<const PlannedSlice> slices) {
  Step& step = steps_[1 - older_];
  fill(step, slices, &steps_[older_]);
  model_.start_next(step.batch(), cache_);
}

const std::vector<SliceOutput>& StepRunner::finish() {
  Step& step = steps_[older_];
  older_ = 1 - older_;
  const auto vocab = static_cast<size_t>(model_.config().vocab_size);
  const std::span<float> logits(step.logits.data(), step.logit_rows.size() * vocab);
  model_.finish(logits, step.drawn);
  step.next.clear();
  for (const auto& [row, draw] : step.next_places) {
    NextToken& next = step.next.emplace_back();
    if (row >= 0) next.row = logits.subspan(static_cast<size_t>(row) * vocab, vocab);
    else next.drawn = step.drawn[static_cast<size_t>(draw)];
  }
  step.outputs.clear();
  for (const Rows& rows : step.rows) {
    step.outputs.push_back({std::span(step.next).subspan(static_cast<size_t>(rows.next_begin), static_cast<size_t>(rows.next_count)),
                            logits.subspan(static_cast<size_t>(rows.begin) * vocab, static_cast<size_t>(rows.prompt_count) * vocab)});
  }
  return step.outputs;
}

void StepRunner::fill(Step& step, std::span<const PlannedSlice> slices, const Step* before) {
  step.tokens.clear();
  step.sequences.clear();
  step.segments.clear();
  step.logit_rows.clear();
  step.draws.clear();
  step.rows.clear();
  step.next_places.clear();
  for (const PlannedSlice& slice : slices) add(step, slice, before);
  const size_t wanted = step.logit_rows.size() * static_cast<size_t>(model_.config().vocab_size);
  if (step.logits.size() < wanted) step.logits.resize(wanted);
  step.drawn.resize(step.draws.size());
  step.next.reserve(step.next_places.size());
  step.outputs.reserve(step.rows.size());
}

void StepRunner::add(Step& step, const PlannedSlice& slice, const Step* before) {
  const Sequence& sequence = *slice.sequence;
  const bool follows = before != nullptr;
  const auto token_begin = static_cast<int32_t>(step.tokens.size());
  const auto last = static_cast<int32_t>(sequence.tokens.size()) + (follows ? 1 : 0);
  const int32_t first = follows ? last - 1 : sequence.computed;
  const int32_t end = first + slice.token_count;
  if (follows) {
    const Rows& followed = before->rows[static_cast<size_t>(slice.follows)];
    step.tokens.push_back(token_of_draw(before->next_places[static_cast<size_t>(followed.next_begin)].draw));
  } else {
    step.tokens.insert(step.tokens.end(), sequence.tokens.begin() + first, sequence.tokens.begin() + std::min(end, last));
    step.tokens.insert(step.tokens.end(), sequence.draft.begin(), sequence.draft.end());
  }
  const int32_t* states = sequence.table.states.data() + (follows ? 1 : 0);
  step.sequences.push_back({token_begin, slice.token_count, first, sequence.table.blocks, last, first == 0 ? -1 : states[0], states[1]});
  const int32_t of_base = std::clamp(sequence.adapted_from - first, 0, slice.token_count);
  if (of_base > 0) add_segment(step, token_begin, token_begin + of_base, nullptr);
  if (of_base < slice.token_count) add_segment(step, token_begin + of_base, token_begin + slice.token_count, sequence.adapter.adapter());

  add_rows(step, sequence, first, end, follows ? 1 : 0);
}

// Of positions [first, end). The last `ahead` of the sequence's tokens are not known yet.
void StepRunner::add_rows(Step& step, const Sequence& sequence, int32_t first, int32_t end, int32_t ahead) const {
  const auto token_begin = static_cast<int32_t>(step.tokens.size()) - (end - first);
  const auto known = static_cast<int32_t>(sequence.tokens.size());
  Rows rows{static_cast<int32_t>(step.logit_rows.size()), 0, static_cast<int32_t>(step.next_places.size()), 0};
  for (int32_t position = first; position < end; ++position) {
    const int32_t token = token_begin + position - first;
    const int32_t more = position + 1 - known;  // tokens before the one that is chosen here, beyond those known
    const bool of_prompt = position < sequence.prompt_rows(), chooses = more >= ahead;
    const bool draws = chooses && model_.draws_tokens() && !sequence.needs_logits(more);
    if (of_prompt) rows.prompt_count += 1;
    if (of_prompt || (chooses && !draws)) step.logit_rows.push_back(token);
    if (!chooses) continue;
    step.next_places.push_back(draws ? NextPlace{-1, static_cast<int32_t>(step.draws.size())} : NextPlace{static_cast<int32_t>(step.logit_rows.size()) - 1, -1});
    rows.next_count += 1;
    if (!draws) continue;
    const SamplingOptions& s = sequence.sampling;
    step.draws.push_back({token, s.temperature, s.top_k, s.top_p, s.min_p, s.seed, static_cast<uint64_t>(position) + 1});
  }
  step.rows.push_back(rows);
}

void StepRunner::add_segment(Step& step, int32_t begin, int32_t end, const Adapter* adapter) {
  if (!step.segments.empty() && step.segments.back().adapter == adapter) {
    step.segments.back().token_end = end;
  } else {
    step.segments.push_back({begin, end, adapter});
  }
}

}  // namespace sgmv
