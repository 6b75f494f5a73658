// An adapter for CUDA: an image of all its factors in the layout of the kernels, made on the host, kept there as long as
// there is room (LoraImages), and copied to the device in one piece.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "cuda/memory.h"
#include "cuda/number.h"
#include "cuda/stream_array.h"
#include "layers/base_rows.h"
#include "layers/bytes_cache.h"
#include "ops/latent_cuda.h"
#include "ops/layers_cuda.h"
#include "ops/mixture_cuda.h"
#include "ops/sgmv_cuda.h"
#include "sgmv/adapter.h"
#include "sgmv/model_config.h"

namespace sgmv::cuda {

// Where an adapter's factors lie: [layers · kFactorsPerLayer], lm_head's, that of per_token_in, if it adapts routers [layers · kFactorsPerRouter], if it adapts
// experts, [layers · experts · kFactorsPerExpert], and, if it adapts kv_b, [layers · heads · kFactorsPerHead].
size_t factor_count(const ModelConfig& model, bool routers, bool experts, bool heads);
int32_t factor_of(Projection p);            // its index among a layer's factors
int32_t factor_of_expert(Projection p);     // among an expert's
constexpr int32_t head_factor(int32_t layers) { return layers * kFactorsPerLayer; }
constexpr int32_t per_token_in_factor(int32_t layers) { return head_factor(layers) + 1; }

// Offsets into `data`, so that it may lie anywhere.
struct LoraImage {
  struct Factor {
    int32_t rank = 0;  // 0: none
    float scale = 0;
    size_t a = 0, b = 0, dora = 0;
    bool has_dora = false, dora_of_inputs = false;
  };
  PinnedArray<std::byte> data;
  std::vector<Factor> factors;
  int32_t head = 0;                             // which is lm_head's
  int32_t routers = 0, experts = 0, heads = 0;  // which is the first of those; 0: there are none
  Factor embedding;
  struct Rows {
    size_t tokens = 0, rows = 0;
    int32_t count = 0;
  } own_rows, head_rows;  // of the embedding and of the head
  int32_t rank_max = 0;
  std::vector<int32_t> invocation;

  size_t bytes() const { return data.bytes(); }
};

// Reads, checks and packs. `type`: of the model's inputs, and of an embedding's factors in either format: a step reads one
// row of its A per token. Factors of routers are float32 in either: rounded, they would choose other experts. Throws Error
// adapter_refused with the first problem, or adapter_not_found.
std::shared_ptr<const LoraImage> make_lora_image(const std::filesystem::path& folder, const ModelConfig& model, Number type, LoraFormat format,
                                                 const BaseRows& base);

using LoraImages = BytesCache<LoraImage>;

class LoraAdapterCuda : public Adapter, public std::enable_shared_from_this<LoraAdapterCuda> {
 public:
  // Returns when the copy is done; steps go on meanwhile. Throws Error out_of_memory.
  LoraAdapterCuda(std::shared_ptr<Context> context, std::shared_ptr<const LoraImage> image);

  size_t bytes() const override { return data_.bytes() + factors_.bytes() + embedding_.bytes(); }
  int32_t rank_max() const override { return rank_max_; }
  std::span<const int32_t> invocation() const override { return invocation_; }
  const LoraFactor* factors() const { return factors_.data(); }                   // on the device
  const LoraEmbeddingFactors* embedding() const { return embedding_.data(); }     // on the device; null: none, nor own rows
  bool has_head_rows() const { return has_head_rows_; }
  bool has_head() const { return has_head_; }
  const LoraFactor* router_factors() const { return at_first(routers_); }   // on the device, the first layer's; null: of none
  const LoraFactor* expert_factors() const { return at_first(experts_); }   // likewise
  const LoraFactor* kv_b_factors() const { return at_first(heads_); }       // likewise
  bool fits(const Context& context, const ModelConfig& config) const;

 private:
  const LoraFactor* at_first(int32_t index) const { return index == 0 ? nullptr : factors_.data() + index; }

  std::shared_ptr<Context> context_;
  StreamArray<std::byte> data_;
  StreamArray<LoraFactor> factors_;
  StreamArray<LoraEmbeddingFactors> embedding_;
  int32_t rank_max_;
  std::vector<int32_t> invocation_;
  bool has_head_, has_head_rows_;
  int32_t routers_, experts_, heads_;  // of LoraImage
};

}  // namespace sgmv::cuda
