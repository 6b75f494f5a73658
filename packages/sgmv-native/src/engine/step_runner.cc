#include "step_runner.h"

#include <algorithm>

namespace sgmv {

void StepRunner::start(std::span<const PlannedSlice> slices) {
  tokens_.clear();
  sequences_.clear();
  segments_.clear();
  logit_rows_.clear();
  draws_.clear();
  rows_.clear();
  for (const PlannedSlice& slice : slices) add(slice);

  const size_t wanted = logit_rows_.size() * static_cast<size_t>(model_.config().vocab_size);
  if (logits_.size() < wanted) logits_.resize(wanted);
  drawn_.resize(draws_.size());
  outputs_.reserve(rows_.size());
  model_.start({tokens_, sequences_, segments_, logit_rows_, draws_}, cache_);
}

const std::vector<SliceOutput>& StepRunner::finish() {
  const auto vocab = static_cast<size_t>(model_.config().vocab_size);
  const std::span<const float> logits(logits_.data(), logit_rows_.size() * vocab);
  model_.finish({logits_.data(), logits.size()}, drawn_);
  outputs_.clear();
  for (const Rows& rows : rows_) {
    const auto begin = static_cast<size_t>(rows.begin), prompt = static_cast<size_t>(rows.prompt_count);
    SliceOutput& output = outputs_.emplace_back();
    output.prompt = logits.subspan(begin * vocab, prompt * vocab);
    if (rows.draw >= 0) output.drawn = drawn_[static_cast<size_t>(rows.draw)];
    if (!rows.sampled) continue;
    // The row that chooses the next token is the slice's last one.
    const size_t next = static_cast<size_t>(&rows - rows_.data()) + 1;
    const size_t end = next < rows_.size() ? static_cast<size_t>(rows_[next].begin) : logit_rows_.size();
    output.sampled = logits.subspan((end - 1) * vocab, vocab);
  }
  return outputs_;
}

void StepRunner::add(const PlannedSlice& slice) {
  const Sequence& sequence = *slice.sequence;
  const auto token_begin = static_cast<int32_t>(tokens_.size());
  const int32_t first = sequence.computed;
  const int32_t end = first + slice.token_count;
  tokens_.insert(tokens_.end(), sequence.tokens.begin() + first, sequence.tokens.begin() + end);
  const auto last = static_cast<int32_t>(sequence.tokens.size());
  sequences_.push_back({token_begin, slice.token_count, first, sequence.table.blocks, last});
  add_segment(token_begin, token_begin + slice.token_count, sequence.adapter.adapter());

  const bool chooses = end == last, draws = chooses && may_draw(sequence);
  Rows rows{static_cast<int32_t>(logit_rows_.size()), 0, chooses && !draws, draws ? static_cast<int32_t>(draws_.size()) : -1};
  for (int32_t position = first; position < end; ++position) {
    const bool of_prompt = sequence.wants_prompt_logits() && position < sequence.prompt_count;
    if (of_prompt) rows.prompt_count += 1;
    if (of_prompt || (rows.sampled && position == last - 1)) logit_rows_.push_back(token_begin + position - first);
  }
  if (draws) {
    const SamplingOptions& s = sequence.sampling;
    draws_.push_back({token_begin + slice.token_count - 1, s.temperature, s.top_k, s.top_p, s.min_p, s.seed, sequence.tokens.size()});
  }
  rows_.push_back(rows);
}

void StepRunner::add_segment(int32_t begin, int32_t end, const Adapter* adapter) {
  if (!segments_.empty() && segments_.back().adapter == adapter) {
    segments_.back().token_end = end;
  } else {
    segments_.push_back({begin, end, adapter});
  }
}

// Nobody asks for the logits themselves. Depends on the request and its tokens alone, so that a replay draws alike.
bool StepRunner::may_draw(const Sequence& sequence) const {
  const Request& request = *sequence.request;
  return model_.draws_tokens() && request.logits == LogitsMode::none && !request.logprobs && !request.constrained && !sequence.adjuster.active();
}

}  // namespace sgmv
