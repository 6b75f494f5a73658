// Compute: turns a plan into the model's batch and hands back what each slice gave.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "scheduler.h"
#include "sgmv/model.h"

namespace sgmv {

// What chooses a token: its logits [vocab] or, where the model drew it already, the token itself (kNoToken: its logits were
// not numbers).
struct NextToken {
  std::span<const float> row;
  std::optional<int32_t> drawn;
};

// Spans point into the runner and hold until its next start.
struct SliceOutput {
  // Of a slice that reaches its sequence's last token: the next one, then those behind each token of the draft.
  std::span<const NextToken> next;
  std::span<const float> prompt;  // [rows, vocab] of prompt positions from `computed` on; empty unless wanted
};

class StepRunner {
 public:
  StepRunner(Model& model, KvCache& cache) : model_(model), cache_(cache) {}

  // Computes the slices' keys, values and outputs; output i belongs to slice i. Changes no sequence, and computing
  // a slice again writes the same values, so that a step that failed can be repeated in parts. Between start and finish the
  // model may compute while the caller does something else; start gives up what is under way, and nothing is after an
  // exception.
  void start(std::span<const PlannedSlice> slices);
  // A step after the one under way, whose slices' draws it follows; finish gives the older's outputs. Only where the model
  // runs_ahead().
  void start_next(std::span<const PlannedSlice> slices);
  const std::vector<SliceOutput>& finish();

 private:
  // Of one slice: its prompt rows of the logits, and its part of what chooses the step's tokens.
  struct Rows {
    int32_t begin;
    int32_t prompt_count;
    int32_t next_begin;
    int32_t next_count;
  };
  // Which row of the logits or which draw chooses a token; the other is -1.
  struct NextPlace {
    int32_t row;
    int32_t draw;
  };
  struct Step {
    std::vector<int32_t> tokens;
    std::vector<SequenceSlice> sequences;
    std::vector<Segment> segments;
    std::vector<int32_t> logit_rows;
    std::vector<Draw> draws;
    std::vector<Rows> rows;
    std::vector<NextPlace> next_places;
    std::vector<float> logits;
    std::vector<int32_t> drawn;
    std::vector<NextToken> next;
    std::vector<SliceOutput> outputs;
    Batch batch() const { return {tokens, sequences, segments, logit_rows, draws}; }
  };

  void fill(Step& step, std::span<const PlannedSlice> slices, const Step* before);
  void add(Step& step, const PlannedSlice& slice, const Step* before);
  void add_rows(Step& step, const Sequence& sequence, int32_t first, int32_t end, int32_t ahead) const;
  static void add_segment(Step& step, int32_t begin, int32_t end, const Adapter* adapter);

  Model& model_;
  KvCache& cache_;
  std::array<Step, 2> steps_;
  size_t older_ = 0;  // of the steps under way
};

}  // namespace sgmv
