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
  step.outputs.clear();
  for (const Rows& rows : step.rows) {
    const auto begin = static_cast<size_t>(rows.begin), prompt = static_cast<size_t>(rows.prompt_count);
    SliceOutput& output = step.outputs.emplace_back();
    output.prompt = logits.subspan(begin * vocab, prompt * vocab);
    if (rows.draw >= 0) output.drawn = step.drawn[static_cast<size_t>(rows.draw)];
    if (!rows.sampled) continue;
    // The row that chooses the next token is the slice's last one.
    const size_t next = static_cast<size_t>(&rows - step.rows.data()) + 1;
    const size_t end = next < step.rows.size() ? static_cast<size_t>(step.rows[next].begin) : step.logit_rows.size();
    output.sampled = logits.subspan((end - 1) * vocab, vocab);
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
  for (const PlannedSlice& slice : slices) add(step, slice, before);
  const size_t wanted = step.logit_rows.size() * static_cast<size_t>(model_.config().vocab_size);
  if (step.logits.size() < wanted) step.logits.resize(wanted);
  step.drawn.resize(step.draws.size());
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
    step.tokens.push_back(token_of_draw(before->rows[static_cast<size_t>(slice.follows)].draw));
  } else {
    step.tokens.insert(step.tokens.end(), sequence.tokens.begin() + first, sequence.tokens.begin() + end);
  }
  const int32_t* states = sequence.table.states.data() + (follows ? 1 : 0);
  step.sequences.push_back({token_begin, slice.token_count, first, sequence.table.blocks, last, first == 0 ? -1 : states[0], states[1]});
  add_segment(step, token_begin, token_begin + slice.token_count, sequence.adapter.adapter());

  const bool chooses = end == last, draws = chooses && model_.draws_tokens() && !sequence.needs_logits(follows ? 1 : 0);
  Rows rows{static_cast<int32_t>(step.logit_rows.size()), 0, chooses && !draws, draws ? static_cast<int32_t>(step.draws.size()) : -1};
  for (int32_t position = first; position < end; ++position) {
    const bool of_prompt = position < sequence.prompt_rows();
    if (of_prompt) rows.prompt_count += 1;
    if (of_prompt || (rows.sampled && position == last - 1)) step.logit_rows.push_back(token_begin + position - first);
  }
  if (draws) {
    const SamplingOptions& s = sequence.sampling;
    step.draws.push_back({token_begin + slice.token_count - 1, s.temperature, s.top_k, s.top_p, s.min_p, s.seed, static_cast<uint64_t>(last)});
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
