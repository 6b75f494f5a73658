// An adapter in the layout of the CPU kernels. All factors lie in one allocation in the order a step reads them.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "cpu/aligned_buffer.h"
#include "layers/base_rows.h"
#include "ops/activations.h"
#include "sgmv/adapter.h"
#include "sgmv/model_config.h"
#include "sgmv/ops.h"

namespace sgmv {

// latent_k and latent_v are kv_b's two halves, each head's by itself: see LatentUp.
enum class ProjectionGroup : uint8_t { qkv, o, gate_up, down, router, state_in, state_out, per_token_gate, per_token_out, latent_q, latent_k, latent_v, embedding, per_token_in, head };
inline constexpr int kGroupCount = 10;  // of a layer, outside of experts and heads
ProjectionGroup group_of(Projection p);
int32_t output_column(const LoraTarget& target, const ModelConfig& model);  // its first column in its group's fused output

struct LoraPart {
  Projection projection;
  float scale;
  PackedLora a;
  PackedLora b;         // begins with zero columns, so that its panels lie where those of the fused output do
  int32_t panel_begin;  // the fused output's panel that b's first one is added to
  const float* column_factors = nullptr;  // DoRA: of b's columns up to the end of its last panel; null: none
  const float* input_factors = nullptr;   // latent_k: DoRA of what a reads, since it is multiplied transposed; null: none
};

struct LoraGroup {
  std::vector<LoraPart> parts;
  const std::byte* a_data = nullptr;  // the A's of all parts, in one piece
  size_t a_bytes = 0;
};

// Rows of the embedding or the head that are an adapter's own, in place of the model's.
struct OwnRows {
  std::vector<int32_t> tokens;  // ascending
  const float* rows = nullptr;  // [tokens, width]
  int64_t width = 0;

  const float* find(int32_t token) const;  // null: the model's
  void write_logits(const float* x, float* logits) const;  // of these tokens: x · row
};

// LoRA on the embedding, whose input is a token: row [hidden] += scale · A[token] · Bᵀ. A is kept transposed. Or own rows.
struct LoraEmbedding {
  PackedLora a;  // [vocabulary, rank] without padding; rank 0: none
  PackedLora b;
  float scale = 0;
  OwnRows own;

  bool changes() const { return a.rank > 0 || !own.tokens.empty(); }
  void apply(const Kernels& kernels, int32_t token, float* row) const;  // to the model's row
};

class LoraAdapter : public Adapter {
 public:
  size_t bytes() const override { return data_.bytes(); }
  int32_t rank_max() const override { return rank_max_; }
  std::span<const int32_t> invocation() const override { return invocation_; }
  // `expert`: of latent_k and latent_v the head; -1 outside of both.
  const LoraGroup& group(int32_t layer, ProjectionGroup group, int32_t expert = -1) const {
    if (group == ProjectionGroup::latent_k || group == ProjectionGroup::latent_v)
      return heads_[static_cast<size_t>(layer) * heads_per_layer_ + static_cast<size_t>(expert)][group == ProjectionGroup::latent_v];
    if (expert >= 0) return experts_[static_cast<size_t>(layer) * experts_per_layer_ + static_cast<size_t>(expert)][group == ProjectionGroup::down];
    if (group == ProjectionGroup::per_token_in) return per_token_in_;
    return group == ProjectionGroup::head ? head_ : layers_[static_cast<size_t>(layer)][static_cast<size_t>(group)];
  }
  bool adapts_experts() const { return !experts_.empty(); }
  bool adapts_heads() const { return !heads_.empty(); }
  bool adapts_routers() const { return adapts_routers_; }
  const LoraEmbedding& embedding() const { return embedding_; }
  const OwnRows& head_rows() const { return head_rows_; }
  int32_t layers() const { return static_cast<int32_t>(layers_.size()); }
  ActivationForms forms(bool narrow) const { return narrow ? forms_narrow_ : forms_; }  // of the inputs and of v

 private:
  friend class LoraPacker;
  std::vector<std::array<LoraGroup, kGroupCount>> layers_;
  std::vector<std::array<LoraGroup, 2>> experts_;  // [layers · experts]: gate_up and down; empty: none is adapted
  std::vector<std::array<LoraGroup, 2>> heads_;    // [layers · heads]: latent_k and latent_v; empty: kv_b is not adapted
  size_t experts_per_layer_ = 0, heads_per_layer_ = 0;
  bool adapts_routers_ = false;
  LoraGroup head_, per_token_in_;
  LoraEmbedding embedding_;
  OwnRows head_rows_;
  AlignedBuffer<std::byte> data_;
  int32_t rank_max_ = 0;
  std::vector<int32_t> invocation_;
  ActivationForms forms_, forms_narrow_;
};

// Reads, checks and packs, in `type` or, if there is none, in the file's own types; factors of routers always in those, as
// rounded they would choose other experts. Throws Error adapter_refused with
// the first problem, or adapter_not_found.
std::shared_ptr<const LoraAdapter> load_lora_adapter(const std::filesystem::path& folder, const ModelConfig& model,
                                                     std::optional<LoraType> type, const BaseRows& base);

}  // namespace sgmv
