#include "models/batch_check.h"

#include <string>

#include "sgmv/error.h"

namespace sgmv {
namespace {

[[noreturn]] void refuse(const std::string& field, int64_t found, const std::string& expected) {
  throw Error("bad_argument", field + ": found " + std::to_string(found) + ", expected " + expected);
}

void check_sequence(const SequenceSlice& s, size_t index, int64_t token, const ModelConfig& config, const KvCache& cache) {
  const std::string name = "sequences[" + std::to_string(index) + "]";
  if (s.token_begin != token) refuse(name + ".token_begin", s.token_begin, std::to_string(token));
  if (s.token_count < 1) refuse(name + ".token_count", s.token_count, "at least 1");
  if (s.position_begin < 0) refuse(name + ".position_begin", s.position_begin, "at least 0");
  const int64_t end = int64_t{s.position_begin} + s.token_count;
  if (end > config.max_positions) refuse(name + ": last position", end - 1, "less than " + std::to_string(config.max_positions));
  const int64_t blocks = (end + cache.block_size() - 1) / cache.block_size();
  if (static_cast<int64_t>(s.block_table.size()) < blocks)
    refuse(name + ".block_table", static_cast<int64_t>(s.block_table.size()), "at least " + std::to_string(blocks) + " blocks");
  for (int64_t b = 0; b < blocks; ++b)
    if (const int32_t block = s.block_table[static_cast<size_t>(b)]; block < 0 || block >= cache.block_count())
      refuse(name + ".block_table[" + std::to_string(b) + "]", block, "a block below " + std::to_string(cache.block_count()));
}

// A slot that another slice writes would be read before or after.
void check_states(const Batch& batch, const KvCache& cache) {
  std::vector<bool> written(static_cast<size_t>(cache.state_count()));
  for (size_t i = 0; i < batch.sequences.size(); ++i) {
    const SequenceSlice& s = batch.sequences[i];
    const std::string name = "sequences[" + std::to_string(i) + "]";
    const std::string slots = "a slot below " + std::to_string(cache.state_count());
    if (s.state_to < 0 || s.state_to >= cache.state_count() || written[static_cast<size_t>(s.state_to)]) refuse(name + ".state_to", s.state_to, slots + " of its own");
    if (s.position_begin == 0 ? s.state_from != -1 : s.state_from < 0 || s.state_from >= cache.state_count() || s.state_from == s.state_to)
      refuse(name + ".state_from", s.state_from, s.position_begin == 0 ? "-1" : slots + ", not state_to");
    written[static_cast<size_t>(s.state_to)] = true;
  }
  for (size_t i = 0; i < batch.sequences.size(); ++i)
    if (const int32_t from = batch.sequences[i].state_from; from >= 0 && written[static_cast<size_t>(from)])
      refuse("sequences[" + std::to_string(i) + "].state_from", from, "a slot that no slice writes");
}

void check_segments(const Batch& batch, int64_t tokens, const std::function<bool(const Adapter&)>& is_own) {
  int64_t at = 0;
  for (size_t i = 0; i < batch.segments.size(); ++i) {
    const Segment& s = batch.segments[i];
    const std::string name = "segments[" + std::to_string(i) + "]";
    if (s.token_begin != at) refuse(name + ".token_begin", s.token_begin, std::to_string(at));
    if (s.token_end < s.token_begin) refuse(name + ".token_end", s.token_end, "at least token_begin");
    at = s.token_end;
    if (s.adapter != nullptr && !is_own(*s.adapter)) throw Error("bad_argument", name + ".adapter: found one of another model");
  }
  if (at != tokens) refuse("segments: tokens covered", at, std::to_string(tokens));
}

}  // namespace

void check_batch(const Batch& batch, const ModelConfig& config, const KvCache& cache, const std::function<bool(const Adapter&)>& is_own, int32_t draws_before) {
  const auto tokens = static_cast<int64_t>(batch.tokens.size());
  for (size_t i = 0; i < batch.tokens.size(); ++i)
    if (batch.tokens[i] < token_of_draw(draws_before - 1) || batch.tokens[i] >= config.vocab_size)
      refuse("tokens[" + std::to_string(i) + "]", batch.tokens[i], "0 to " + std::to_string(config.vocab_size - 1));
  int64_t covered = 0;
  for (size_t i = 0; i < batch.sequences.size(); ++i) {
    check_sequence(batch.sequences[i], i, covered, config, cache);
    covered += batch.sequences[i].token_count;
  }
  if (covered != tokens) refuse("sequences: tokens covered", covered, std::to_string(tokens));
  if (config.state_layers() > 0) check_states(batch, cache);
  check_segments(batch, tokens, is_own);
  int64_t last = -1;
  for (const int32_t row : batch.logit_rows) {
    if (row <= last || row >= tokens) refuse("logit_rows", row, "ascending indices below " + std::to_string(tokens));
    last = row;
  }
  last = -1;
  for (const Draw& draw : batch.draws) {
    if (draw.row <= last || draw.row >= tokens) refuse("draws: row", draw.row, "ascending indices below " + std::to_string(tokens));
    last = draw.row;
  }
}

void check_results(size_t logit_rows, size_t draws, const ModelConfig& config, size_t logits, size_t drawn) {
  const size_t wanted = logit_rows * static_cast<size_t>(config.vocab_size);
  if (logits != wanted) refuse("logits: size", static_cast<int64_t>(logits), std::to_string(wanted));
  if (drawn != draws) refuse("drawn: size", static_cast<int64_t>(drawn), std::to_string(draws));
}

}  // namespace sgmv
