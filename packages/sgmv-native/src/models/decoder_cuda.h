// A Llama-family decoder on CUDA. A step is issued as a sequence of launches whose arguments do not depend on who is in
// it; steps of one new token per sequence are filled up to a few sizes and replayed as graphs. A step may be issued while the
// one before it computes: on the device they follow one another.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>

#include "cuda/context.h"
#include "cuda/cuda_kv_cache.h"
#include "cuda/memory.h"
#include "layers/lora_adapter_cuda.h"
#include "layers/rope_table.h"
#include "models/decoder_weights_cuda.h"
#include "models/step_inputs_cuda.h"
#include "ops/linear_cuda.h"
#include "ops/mixture_cuda.h"
#include "sgmv/model.h"

namespace sgmv::cuda {

class DecoderCuda : public Model {
 public:
  // `blas` null: products whose bits do not depend on the batch. `adapter_host_bytes`: of LoraImages.
  DecoderCuda(ModelConfig config, DecoderWeightsCuda weights, std::shared_ptr<Context> context, std::unique_ptr<CublasLt> blas, LoraFormat adapters,
              size_t adapter_host_bytes);
  ~DecoderCuda() override;

  const ModelConfig& config() const override { return config_; }
  std::string device() const override { return context_->name(); }
  size_t weight_bytes() const override { return weights_.bytes(); }
  NumberTypes number_types() const override;
  bool batch_invariant() const override { return !blas_; }
  std::optional<size_t> device_bytes_free() const override;
  void reserve_steps(int32_t tokens, int32_t rows) override;
  bool draws_tokens() const override { return config_.vocab_size <= kSampleVocabMax; }
  bool runs_ahead() const override { return draws_tokens(); }
  bool has_kv_extents() const override;
  std::unique_ptr<KvCache> make_kv_cache(int32_t block_count, int32_t block_size, KvMemory memory = KvMemory::whole, int32_t state_count = 0) override;
  std::shared_ptr<const Adapter> load_adapter(const std::filesystem::path& folder) override;
  void forward(const Batch& batch, KvCache& cache, std::span<float> logits) override;
  void start(const Batch& batch, KvCache& cache) override;
  void start_next(const Batch& batch, KvCache& cache) override;
  void finish(std::span<float> logits, std::span<int32_t> drawn) override;

 private:
  // All that decides which launches make a step, and with which arguments. Steps of the same shape are the same launches.
  struct Shape {
    int32_t tokens = 0;         // rows of all activations, those that only fill included
    int32_t tiles = 0;          // of attention
    int32_t rows = 0;           // of logits
    int32_t slices = 0;         // of models with states
    int32_t positions_max = 0;
    int32_t rank_max = 0;       // 0: no adapter
    bool embedding_lora = false, router_lora = false, expert_lora = false, kv_b_lora = false, head_lora = false, head_rows = false, draws = false;
    int64_t cache_id = 0;       // 0: not to be recorded
    auto operator<=>(const Shape&) const = default;
  };

  // A rotary table on the device, as far as positions have been seen.
  struct Rope {
    Rope(const RopeConfig& config, int32_t head_dim) : table(config, head_dim) {}
    bool reserve(const Stream& stream, int64_t wanted);  // true: it has moved, once all that `stream` had to do was done
    RopeTable table;
    DeviceArray<float> rows;  // [positions, 2 · half]
    int64_t positions = 0;
  };

  // Working memory of a layer's experts, for rows that are gathered by expert.
  struct Experts {
    DeviceArray<float> inputs;  // of the router, not rounded: [tokens, padded(hidden)]
    DeviceArray<float> scores, weights, shared_weights, weight_of_row;
    DeviceArray<int32_t> chosen, counts, row_of_choice, choice_of_row, expert_of_row, totals;
    DeviceArray<ExpertTile> tiles;
    DeviceArray<std::byte> rows, gated;  // numbers of the model's type: [rows, padded(hidden)], [rows, padded(size)]
    DeviceArray<float> products;         // [rows, 2 · size], then [rows, hidden]
    DeviceArray<const LoraFactor*> factors;  // [rows]
    DeviceArray<LoraTile> lora_tiles;
  };

  // A step that was issued and not finished.
  struct Started {
    int32_t draw_rows = 0, logit_rows = 0;
    PinnedArray<int32_t> drawn;
    std::vector<std::shared_ptr<const LoraAdapterCuda>> adapters;  // the device reads them
    Event done;
  };

  void begin(const Batch& batch, KvCache& cache);
  void launch_step(const Shape& shape, const CudaKvCache& cache);
  void abandon() noexcept;

  // step_plan_cuda.cu: the host's part.
  void check_step(const Batch& batch, const CudaKvCache& cache, int32_t draws_before) const;
  Shape shape_of(const Batch& batch, const CudaKvCache& cache) const;
  void add_adapters(const Batch& batch, Shape& shape) const;
  void reserve(const Shape& shape, int64_t table_entries);
  bool reserve_activations(const Shape& shape);
  bool reserve_adapters(const Shape& shape);
  bool grow_drawn(size_t size);
  // Rows of numbers of the model's type: kernels never write what is behind a row's numbers and read it as zeros.
  template <typename T>
  bool grow_zeroed(DeviceArray<T>& array, size_t size) {
    if (!grow(array, size)) return false;
    check(cudaMemsetAsync(array.data(), 0, array.bytes(), context_->compute), "clearing working memory");
    return true;
  }
  // True: the array has moved, once nothing used it any more.
  template <typename Array>
  bool grow(Array& array, size_t size) {
    if (size <= array.size()) return false;
    context_->compute.synchronize();
    return array.reserve(std::max(size, array.size() + array.size() / 2));
  }
  void fill(const Batch& batch, const CudaKvCache& cache, const Shape& shape);
  void fill_sequence(const SequenceSlice& sequence, const CudaKvCache& cache, int32_t& tile, int32_t& table);
  void fill_states(const Batch& batch, const Shape& shape);
  void fill_rows(const Batch& batch, const Shape& shape);

  // step_issue_cuda.cu: the device's part.
  void issue(const Shape& shape, const CudaKvCache& cache);
  void issue_layer(const Shape& shape, const CudaKvCache& cache, int32_t index);
  const DeviceArray<float>& first_norm(int32_t layer) const;
  float* exact_of(int32_t layer);
  void issue_attention(const Shape& shape, const CudaKvCache& cache, int32_t index);
  AttentionWork attention_work(const Shape& shape, const KvLayer& cache);
  void attend(const Shape& shape, const CudaKvCache& cache, int32_t index);
  void issue_state(const Shape& shape, const CudaKvCache& cache, int32_t index);
  void norm_queries_and_keys(const Shape& shape, const DecoderLayerCuda& layer);
  void issue_logits(const Shape& shape);
  void issue_mlp(const Shape& shape, int32_t index, float* out);
  void issue_per_token_rows(const Shape& shape);
  void issue_per_token(const Shape& shape, int32_t index);
  // `bias_of_row`: as of GatedActivation.
  void activate(const float* gate_up, const float* bias, int32_t rows, int32_t width, void* out, const int32_t* bias_of_row = nullptr, const float* row_scales = nullptr, const Xielu& xielu = {});
  // `before`: what made delta_ and has a bias that is still to be added, or none; null: there is no delta_ yet, and only the norm is
  // wanted. `exact`: where the norm goes as well before it is rounded, or null. `beside`: what made beside_, in the same way, or null. `scale`: of the sum.
  void add_and_normalize(const Shape& shape, const BiasedMatrix* before, const DeviceArray<float>* post_norm, const DeviceArray<float>& norm, float* exact = nullptr,
                         float scale = 1.0f, const BiasedMatrix* beside = nullptr);
  void project(const Shape& shape, const LoraGroup& group, const Matrix& matrix, const void* x, float* y);
  void product(const LoraStep* lora, const LoraGroup& group, const LinearWork& work);
  // The shrink needs only x: it runs beside the base product, which leaves bandwidth when it computes and units when it waits
  // for memory. `multiply` enqueues the product on the stream of computation.
  template <typename Multiply>
  void with_lora(const LoraStep* lora, const LoraGroup& group, const LinearWork& work, Multiply multiply) {
    if (lora == nullptr) return multiply();
    forked_.record(context_->compute);
    forked_.hold_back(context_->side);
    sgmv_shrink(context_->side, *lora, group, work.x, work.x_stride, lora_v_.data());
    joined_.record(context_->side);
    multiply();
    joined_.hold_back(context_->compute);
    sgmv_expand(context_->compute, *lora, group, lora_v_.data(), work.y, work.y_stride);
  }
  LoraGroup lora_group(int32_t layer, std::span<const Projection> projections) const;
  LoraGroup qkv_group(int32_t layer) const;
  LoraGroup state_in_group(int32_t layer) const;
  LoraGroup gate_up_group(int32_t layer) const;
  LoraGroup head_group() const;
  LoraGroup per_token_in_group() const;

  // step_latent_cuda.cu: latent attention.
  bool reserve_latent(const Shape& shape);
  void plan_latent(const Shape& shape);
  void issue_latent(const Shape& shape, const CudaKvCache& cache, int32_t index);
  void heads_product(const Shape& shape, const LoraGroup& group, const Matrix& matrix, const void* x);
  Routing heads_of(const Shape& shape) const;
  LoraGroup key_up_group(int32_t layer) const;
  LoraGroup value_up_group(int32_t layer) const;

  // step_experts_cuda.cu: layers with experts.
  bool reserve_experts(const Shape& shape);
  void issue_experts(const Shape& shape, int32_t index);
  void issue_experts_apart(const Shape& shape, int32_t index);
  void experts_product(const Shape& shape, const Routing& routing, const LoraGroup& group, const Matrix& matrix, const void* x);
  Routing routing_of(const Shape& shape, int32_t layer) const;
  LoraGroup expert_gate_up_group(int32_t layer) const;
  LoraGroup expert_down_group(int32_t layer) const;

  ModelConfig config_;
  std::shared_ptr<Context> context_;
  DecoderWeightsCuda weights_;
  const Number type_;  // of the weights' inputs, of keys and values
  const LoraFormat lora_format_;
  std::unique_ptr<CublasLt> blas_;
  LoraImages images_;

  StepInputs inputs_;
  Rope rope_;
  std::optional<Rope> sliding_rope_, long_rope_;
  Event forked_, joined_;
  DeviceArray<LoraTile> lora_tiles_, head_lora_tiles_;
  DeviceArray<int32_t> lora_tile_counts_;  // of both, of rows of experts and of those of heads
  Experts experts_;
  DeviceArray<float> mixed_, state_gates_, state_read_;  // of layers with a state
  // Of latent attention. Rows of heads: see ops/latent_cuda.h.
  struct Latent {
    DeviceArray<float> first, q, products;                // products with qkv and q_b, and of rows of heads
    DeviceArray<std::byte> q_normed, unrotated, attended;  // numbers of the model's type; the last two in rows of heads
    DeviceArray<int32_t> totals;
    DeviceArray<ExpertTile> tiles;
    DeviceArray<const LoraFactor*> factors;  // of rows of heads
    DeviceArray<LoraTile> lora_tiles;
  };
  Latent latent_;
  DeviceArray<float> mlp_delta_;       // of the MLP beside experts that stand apart
  DeviceArray<float> per_token_rows_;  // [tokens, layers · size]
  const DeviceArray<float> no_norm_;   // as one that is not there
  DeviceArray<float> beside_;                            // of parallel_mlp: what attention gave; of layers with both: what the state gave
  DeviceArray<float> hidden_, qkv_, delta_, gate_up_, lora_v_, attention_scratch_, logits_;
  DeviceArray<std::byte> normed_, q_, attended_, state_out_, gated_, shared_gated_, per_token_gated_, last_;  // numbers of the model's type
  DeviceArray<int32_t> drawn_;
  std::map<Shape, Graph> graphs_;  // an empty one: the shape was issued once and may be recorded
  std::array<Started, 2> steps_;
  size_t older_ = 0, under_way_ = 0;  // of steps_
};

}  // namespace sgmv::cuda
