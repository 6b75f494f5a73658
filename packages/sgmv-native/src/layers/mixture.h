// A mixture of experts (Shazeer et al., 2017) for a mixed batch: a token passes those few of the layer's MLPs that its
// router rates highest, and gets the sum of what they give, weighted by the softmax of the ratings. Rows are gathered by
// expert, so that a step reads the weights of an expert once, and those of one that no token chose not at all. A token's
// terms are added in the order of its experts' numbers, and none is dropped: who else is in the batch changes nothing.
// Ratings are float32 with an adapter too: rounded, they would choose other experts.
#pragma once

#include <vector>

#include "layers/fused_linear.h"
#include "layers/gate.h"

namespace sgmv {

struct ExpertWeights {
  Linear router;                      // [experts, hidden], and one row more for the gate of a shared expert; empty: no experts
  std::vector<Linear> gate_up, down;  // each expert's
  std::vector<float> choice_bias;     // [experts]; empty: none
  std::vector<float> weight_scales;   // [experts]: what their weights are multiplied by; empty: 1
  std::vector<float> norm, router_norm, post_dense_norm, post_norm;  // [hidden], where they stand apart (ExpertsConfig)
  size_t bytes() const;
};

class Mixture {
 public:
  // `narrow`: as of FusedLinear.
  Mixture(const ModelConfig& config, bool narrow);

  // Which tokens of the batch have which adapter.
  void plan(std::span<const Segment> segments);
  void reserve(int64_t tokens, ActivationForms forms);
  // Of layer `layer`, rated by `rated`: y [tokens, hidden] := what the experts give, or, beside a shared expert, whose output y is, y := gate · y + that; without a gate 1 stands for it.
  void run(CpuDevice& device, int32_t layer, const ExpertWeights& weights, const Activations& x, const Activations& rated, int64_t tokens, Activations& y);
  // What the next run() shall ask for.
  PrefetchList& also() { return fused_.also(); }

 private:
  // A token's expert, in which row it is computed and what it counts.
  struct Choice {
    int32_t expert;
    int32_t row;
    float weight;
  };

  void rate(CpuDevice& device, int32_t layer, const Linear& router, const Activations& x, int64_t tokens);
  void route(const Kernels& kernels, const ExpertWeights& weights, int64_t token);
  void weigh(const Kernels& kernels, const std::vector<float>& choice_bias, float* scores, float* preferences) const;
  void exclude_groups(float* preferences) const;
  void sort_rows(int64_t tokens);
  void plan_runs();
  void multiply(CpuDevice& device, const std::vector<Linear>& experts, const Activations& x, Activations& y);
  void combine(const Kernels& kernels, int64_t token, float* y);

  const ExpertsConfig config_;
  const int64_t hidden_;
  const Gate gate_;
  FusedLinear fused_, router_;
  std::vector<const LoraAdapter*> adapters_;  // of each token where its experts are adapted; empty: of none
  std::vector<FusedLinear::Run> runs_;
  bool adapts_routers_ = false;
  GemmList gemms_;
  std::vector<Choice> choices_;        // [tokens, per_token], a token's by expert
  std::vector<float> shared_weights_;  // [tokens]
  std::vector<int32_t> begins_;        // [experts + 1]: where an expert's rows begin
  std::vector<int32_t> next_row_;      // [experts]
  std::vector<int32_t> tokens_;        // of each row
  std::vector<float> weights_;         // of each row
  Activations preferences_;            // [tokens, experts], where experts are not chosen by the ratings themselves
  Activations scores_, rows_, gate_up_, gated_;  // `rows_`: the inputs and, when they are not needed any more, the outputs
};

}  // namespace sgmv
