#include "step_runner.h"

#include <algorithm>

namespace sgmv {

const std::vector<SliceLogits>& StepRunner::run(std::span<const PlannedSlice> slices) {
  tokens_.clear();
  sequences_.clear();
  segments_.clear();
  logit_rows_.clear();
  rows_.clear();
  for (const PlannedSlice& slice : slices) add(slice);

  const auto vocab = static_cast<size_t>(model_.config().vocab_size);
  const size_t wanted = logit_rows_.size() * vocab;
  if (logits_.size() < wanted) logits_.resize(wanted);
  const std::span<float> logits(logits_.data(), wanted);
  model_.forward({tokens_, sequences_, segments_, logit_rows_}, cache_, logits);

  results_.clear();
  for (const Rows& rows : rows_) {
    const std::span<const float> prompt = logits.subspan(rows.begin * vocab, rows.prompt_count * vocab);
    results_.push_back({{}, prompt});
    if (!rows.sampled) continue;
    // The row that chooses the next token is the slice's last one.
    const size_t next = static_cast<size_t>(&rows - rows_.data()) + 1;
    const size_t end = next < rows_.size() ? static_cast<size_t>(rows_[next].begin) : logit_rows_.size();
    results_.back().sampled = logits.subspan((end - 1) * vocab, vocab);
  }
  return results_;
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

  Rows rows{static_cast<int32_t>(logit_rows_.size()), 0, end == last};
  for (int32_t position = first; position < end; ++position) {
    const bool of_prompt = sequence.wants_prompt_logits() && position < sequence.prompt_count;
    if (of_prompt) rows.prompt_count += 1;
    if (of_prompt || position == last - 1) logit_rows_.push_back(token_begin + position - first);
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

}  // namespace sgmv
