// Shape and constants of a decoder, read from a Hugging Face config.json or from GGUF metadata.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sgmv {

// The modules an adapter can target: those of a layer in the order they run, then those outside the layers. A model
// has q, k, v, gate, up or, in one matrix each, qkv and gate_up, or has no gate. A layer with a state has some of in_qkv to out, mostly in
// place of q to o. `router` rates experts, `shared_gate` weighs the shared one. per_token_gate, per_token_out and, outside the layers, per_token_in
// are those of PerTokenConfig. With latent attention a layer has q or q_a and q_b, kv_a and kv_b in place of q, k and v.
enum class Projection : uint8_t {
  q, q_a, k, v, qkv, kv_a, q_b, kv_b, o, in_qkv, in_z, in_b, in_a, in_qkvz, in_ba, in, out, gate, up, gate_up, down, per_token_gate, per_token_out, router, shared_gate, embed_tokens, per_token_in, lm_head
};
inline bool is_in_layer(Projection p) { return p <= Projection::shared_gate; }
inline bool is_of_state(Projection p) { return p >= Projection::in_qkv && p <= Projection::out; }
inline bool is_of_router(Projection p) { return p == Projection::router || p == Projection::shared_gate; }
const char* projection_name(Projection p);  // "q_proj" …

// Of a gate, times up. clamped_silu: g · sigmoid(gate_sharpness · g) · (u + 1) of a gate g of at most gate_limit and u, up, within ±gate_limit.
// relu2: the square of what is above 0. xielu (Huang, 2024): of x above 0 positive · x² + beta · x, otherwise negative · (eˣ - 1 - x) + beta · x.
enum class Activation : uint8_t { silu, gelu_tanh, relu2, clamped_silu, xielu };
struct Xielu { float positive = 0.0f, negative = 0.0f, beta = 0.0f; };  // of a layer

struct RopeConfig {
  enum class Kind : uint8_t { none, linear, llama3, yarn, longrope, proportional };
  Kind kind = Kind::none;
  double theta = 10000.0;
  double factor = 1.0;
  double low_freq_factor = 1.0;    // llama3
  double high_freq_factor = 4.0;   // llama3
  int32_t original_max_positions = 0;  // llama3, yarn, longrope
  int32_t rotary_dim = 0;          // of a head, from its first component on; 0: all of it
  double share = 1.0;              // proportional: of a head's pairs, the first ones; the others have the frequency 0
  bool interleaved = false;        // components 2i and 2i + 1 are rotated together (GLM, ERNIE, Cohere), not i and i + half
  double attention_factor = 0.0;   // yarn, longrope: what the embedding is multiplied by; 0: derived from factor
  // yarn
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  double mscale = 0.0;
  double mscale_all_dim = 0.0;
  bool truncate = true;
  std::vector<float> factors;  // the divisor of each frequency (longrope, GGUF rope_freqs); empty: none
  std::vector<float> long_factors;  // longrope: the divisors in sequences longer than original_max_positions
};

// How the safetensors of a quantized model hold its matrices. Which of them are quantized, the tensors say.
struct Quantization {
  enum class Method : uint8_t { none, compressed_tensors, awq, gptq, bitsandbytes, mxfp4 };
  struct Scheme {
    int32_t bits;
    bool packed = true;       // compressed-tensors: in words; otherwise in I8, whatever the bits
    int32_t group_size = 0;   // compressed-tensors: inputs that share a scale; 0: all of a row
    bool has_zeros = false;   // compressed-tensors: asymmetric
    bool has_order = false;   // compressed-tensors, gptq: a tensor says which group each input belongs to
  };
  Method method = Method::none;
  std::vector<Scheme> schemes;    // those that the configuration names; a matrix has the one that its shapes fit
  int32_t group_size = 0;         // awq, gptq: the same; 0: not the same everywhere, or all of a row
  bool zeros_less_one = false;    // gptq: stored zeros are one less than they are
};

inline constexpr int32_t kExpertGroupsMax = 32;
inline constexpr int32_t kConvTapsMax = 16;

// Layers whose MLP is a mixture of experts.
struct ExpertsConfig {
  int32_t count = 0;        // of a layer that has them; 0: no layer has
  int32_t per_token = 0;    // those that a token passes
  int32_t size = 0;         // the intermediate size of each
  bool normalized = false;  // the weights of the chosen ones are made to add up to 1
  bool shared = false;      // beside them stands an MLP that every token passes
  std::vector<bool> layer_has_none;  // per layer; empty: all have
  bool shared_gate = false;  // which has a gate of its own (Qwen2-MoE); otherwise it counts whole
  int32_t shared_size = 0;   // its intermediate size
  bool sigmoid = false;      // a rating is worth its sigmoid, otherwise its part of the softmax of all
  bool choice_bias = false;  // each expert has a number that is added to what its ratings are worth, for the choice alone
  // Experts are in so many groups of neighbours, and a token chooses of those of its best ones: whose two best experts are worth most.
  int32_t groups = 1, groups_per_token = 1;
  float scale = 1.0f;        // of the weights
  bool groups_by_best = false;  // a group is worth what its best expert is
  float sum_min = 0.0f, sum_added = 0.0f;  // what normalized weights are divided by is no less than the first and their sum plus the second
  bool biased = false;       // the router and the experts' projections have biases
  // Gemma 4: beside them stands an MLP as of layers without experts; it, they and their router read norms of their own, what it and they give
  // is normed before it is added up, and each has a number that its weight is multiplied by.
  bool apart = false;
  bool sigmoid_weights = false;  // Llama 4: chosen by their ratings, they count the sigmoid of that
  bool weighs_inputs = false;    // Llama 4: weights multiply what the experts read and not what they give
  bool chosen_by_worth() const { return sigmoid || choice_bias || groups > 1; }  // otherwise by the ratings themselves
};

// What layers with a state do behind their convolution. gated_delta: the gated delta rule (Yang et al., 2024). mamba2: the same without what
// it takes off a value (Dao and Gu, 2024), where values, keys and queries are called x, B and C. short_conv: nothing more (LFM2).
enum class StateRule : uint8_t { gated_delta, mamba2, short_conv };

// What a state gives is normed, then multiplied by silu(z); the other way round; or not normed.
enum class StateGate : uint8_t { after_norm, before_norm, alone };

// Layers with a state: in place of keys and values of all positions a sequence has a matrix for each value head, or none, and the last
// inputs of a convolution. What comes before that is the product of the layer's input with all its in_… matrices, whose columns are found
// here: of gated_delta q, k, v, z, b, a; of mamba2 z, x, B, C, dt; of short_conv B, C, x, where B · x is what the convolution sees, of one
// value head without keys, and C what its output is multiplied by.
struct LinearAttentionShape {
  int32_t key_heads = 0, value_heads = 0;  // each of the former serves value_heads / key_heads neighbours of the latter
  int32_t key_dim = 0, value_dim = 0;      // of a head
  int32_t taps = 0;                        // inputs that the convolution sees, the token's own included
  bool grouped = false;                    // Qwen3-Next: columns of q, k, v and z, and of b and a, lie by key head
  StateRule rule = StateRule::gated_delta;
  StateGate gate = StateGate::after_norm;
  float step_min = 0.0f, step_max = __builtin_inff();  // of mamba2's dt
  float gate_scale = 1.0f, step_scale = 1.0f;          // of mamba2's z and dt, as the product has them
  float out_scale = 1.0f;                              // of what out reads
  float value_scale = 1.0f, key_scale = 1.0f, query_scale = 1.0f;  // of the convolution's inputs, as the product has them; its weights are multiplied

  constexpr int32_t keys() const { return key_heads * key_dim; }
  constexpr int32_t values() const { return value_heads * value_dim; }
  constexpr int32_t conv_width() const { return 2 * keys() + values(); }  // channels: q, k, v
  constexpr int32_t width() const { return is_conv() ? 3 * values() : conv_width() + values() + (is_mamba() ? 1 : 2) * value_heads; }
  constexpr bool is_mamba() const { return rule == StateRule::mamba2; }
  constexpr bool is_conv() const { return rule == StateRule::short_conv; }
  constexpr bool has_matrices() const { return !is_conv(); }
  constexpr int32_t norm_width() const { return is_mamba() ? values() / key_heads : value_dim; }  // of what is normed together
  constexpr int32_t per_key_head() const { return value_heads / key_heads; }
  constexpr int32_t group_width() const { return 2 * (key_dim + per_key_head() * value_dim); }
  constexpr int32_t q_column(int32_t key_head) const { return is_mamba() ? values() + q_channel(key_head) : grouped ? key_head * group_width() : key_head * key_dim; }
  constexpr int32_t k_column(int32_t key_head) const { return is_mamba() ? values() + k_channel(key_head) : grouped ? q_column(key_head) + key_dim : keys() + key_head * key_dim; }
  constexpr int32_t v_column(int32_t head) const { return is_conv() ? 2 * values() : is_mamba() ? values() + v_channel(head) : grouped ? q_column(head / per_key_head()) + 2 * key_dim + head % per_key_head() * value_dim : 2 * keys() + head * value_dim; }
  constexpr int32_t z_column(int32_t head) const { return is_conv() ? values() : is_mamba() ? v_channel(head) : grouped ? v_column(head) + per_key_head() * value_dim : conv_width() + head * value_dim; }
  constexpr int32_t b_column(int32_t head) const { return conv_width() + values() + (grouped ? head / per_key_head() * 2 * per_key_head() + head % per_key_head() : head); }
  constexpr int32_t a_column(int32_t head) const { return is_mamba() ? values() + conv_width() + head : b_column(head) + (grouped ? per_key_head() : value_heads); }
  // Channels of the convolution.
  constexpr int32_t q_channel(int32_t key_head) const { return (is_mamba() ? values() + keys() : 0) + key_head * key_dim; }
  constexpr int32_t k_channel(int32_t key_head) const { return (is_mamba() ? values() : keys()) + key_head * key_dim; }
  constexpr int32_t v_channel(int32_t head) const { return (is_mamba() ? 0 : 2 * keys()) + head * value_dim; }

  // A sequence's state of a layer, in float32: for each value head and each kStateTile of its columns [key_dim, kStateTile], then the last
  // inputs of the convolution, [taps - 1, conv_width].
  static constexpr int32_t kStateTile = 32;
  constexpr int64_t tiles() const { return (value_dim + kStateTile - 1) / kStateTile; }  // of a head
  constexpr int64_t tile_floats() const { return int64_t{key_dim} * kStateTile; }
  constexpr int64_t conv_at() const { return has_matrices() ? value_heads * tiles() * tile_floats() : 0; }
  constexpr int64_t state_floats() const { return conv_at() + int64_t{taps - 1} * conv_width(); }
};

struct LinearAttentionConfig : LinearAttentionShape {
  std::vector<bool> layer_has_state;  // per layer; empty: none has
  bool conv_bias = false;             // the convolution adds one
  bool in_bias = false, out_bias = false;  // in_… and out have biases
  float norm_eps = 1e-6f;             // of the norm of what states give
};

// Keys and values of a layer. Those of latent attention are one row: values are the first `values_in_keys` components of keys and lie
// nowhere else; 0: they are apart, and as wide as keys.
struct KvShape {
  int32_t heads = 0, dim = 0;
  int32_t values_in_keys = 0;
  constexpr int32_t value_dim() const { return values_in_keys > 0 ? values_in_keys : dim; }
  constexpr int64_t numbers() const { return int64_t{heads} * (values_in_keys > 0 ? dim : 2 * dim); }  // that a position takes
  bool operator==(const KvShape&) const = default;
};

// Gemma 4 (E2B, E4B): beside its hidden row, each token has `size` numbers for each layer, made of its own row in a second embedding and of a
// product of its first hidden row. At its end a layer adds norm(out(activation(gate(x)) · those)) to x.
struct PerTokenConfig {
  int32_t size = 0;   // of a layer; 0: there are none
  int32_t vocab = 0;  // of the second embedding
};

// Latent attention (DeepSeek-AI, 2024): keys and values are products of a narrow row, c = norm(the first kv_rank of kv_a · x) with kv_b, whose
// rows are each head's W_K and then its W_V; all heads' keys have the last rope_dim of kv_a · x in common, which alone are rotated. Queries
// are q_b · norm(q_a · x) or q · x. Since q · (W_K c) = (W_Kᵀ q) · c and Σ w (W_V c) = W_V Σ w c, the cache has c and the rotated components
// of a token, and all heads attend to that one row: docs/adr/0020-latent-attention-in-its-space.md.
inline constexpr float kLatentNormEps = 1e-6f;  // of its norms, whatever the others have

struct LatentConfig {
  int32_t kv_rank = 0;  // 0: the model has no latent attention
  int32_t q_rank = 0;   // 0: queries are q · x
  int32_t nope_dim = 0, rope_dim = 0, value_dim = 0;  // of a head; the first two are head_dim
  constexpr int32_t kv_a_width() const { return kv_rank + rope_dim; }  // and that of a row of the cache
  constexpr int32_t kv_b_head() const { return nope_dim + value_dim; }  // outputs of kv_b for a head: its key's, then its value
};

// Slots for states in a cache.
struct StateShape {
  int32_t count = 0;
  int64_t layers = 0, floats = 0;  // floats of one layer
};

struct ModelConfig {
  std::string model_type;  // "llama", "mistral" …: the families of config_hf.cc
  int32_t vocab_size = 0;
  int32_t hidden_size = 0;
  int32_t intermediate_size = 0;  // of the MLP in layers without experts
  int32_t layers = 0;
  int32_t heads = 0;
  int32_t kv_heads = 0;
  int32_t head_dim = 0;
  // Gemma 4.
  KvShape full_kv;                // of layers that see everything, beside others that slide; no heads: as the others'
  bool full_values_are_keys = false;  // values of those layers are what k gives, neither normed by weights nor rotated; they have no v
  bool value_norm = false;        // values are normed per head, without weights
  int32_t kv_sharing_layers = 0;  // the last so many attend to keys and values of the last layer of their kind before them, and have no k and v
  bool wide_sharing_mlps = false; // whose MLPs are twice as wide
  bool layer_scales = false;      // what leaves a layer is multiplied by a number
  PerTokenConfig per_token;
  int32_t max_positions = 0;
  float rms_norm_eps = 1e-5f;
  bool tied_embeddings = false;
  bool attention_bias = false;  // q, k, v
  bool output_bias = false;     // o, where the weights have one
  bool mlp_bias = false;
  bool attention_gate = false;  // rows of q: each head's query, then what its output is multiplied by the sigmoid of (Qwen3-Next)
  bool attention_sinks = false; // each query head has a score without a position: softmax counts it, values do not
  bool qk_norm = false;         // Qwen3, Gemma 3: of each head. OLMo: see next
  bool qk_norm_of_all = false;  // of the heads of a token together, before they are told apart
  bool qk_norm_after_rope = false;  // HunYuan: of each head, once it is rotated
  bool qk_norm_weightless = false;  // Llama 4: without weights, in layers with RoPE alone
  bool qk_layer_norms = false;      // Cohere, StableLM: of each head, which has weights of its own, with the mean taken off
  int32_t sliding_window = 0;   // 0: none
  bool chunked_window = false;  // sliding layers see those positions that share their own chunk of so many (Llama 4)
  std::vector<bool> layer_is_sliding;  // per layer; empty: none
  RopeConfig rope;
  std::optional<RopeConfig> sliding_rope;  // of sliding layers where they have their own (Gemma 3, OLMo 3)
  std::vector<bool> layer_has_rope;        // per layer; empty: all (SmolLM3 rotates three of four)
  std::vector<bool> layer_has_attention;   // per layer; empty: those without a state. Falcon-H1: layers have both, and the residual gets what both give
  std::vector<bool> layer_has_feed_forward;  // per layer, an MLP or experts; empty: all. Nemotron-H: layers have either that or a state or attention
  ExpertsConfig experts;
  LinearAttentionConfig linear;
  LatentConfig latent;

  bool fused_qkv = false;      // Phi-3: qkv_proj is one matrix
  bool fused_gate_up = false;  // Phi-3, GLM: gate_up_proj is one matrix
  bool gated_mlp = true;       // otherwise down(activation(up(x))) (StarCoder2, Nemotron, Arcee)
  Activation activation = Activation::silu;
  float gate_sharpness = 1.0f, gate_limit = 0.0f;  // of clamped_silu
  bool parallel_mlp = false;       // Cohere, Phi: the MLP reads what attention reads, and the residual gets what both give
  bool pre_norms = true;           // what attention and MLP read is normed; OLMo: only what they give, so with post_norms
  bool post_norms = false;         // Gemma 2 and 3, GLM-4, OLMo: attention and MLP are normed once more before they are added
  bool layer_norms = false;        // StarCoder2, Nemotron: norms take the mean off and add a bias; post_norms never do, those of q and k only as qk_layer_norms
  bool norm_biases = true;         // otherwise layer_norms add none (Cohere)
  bool norm_weights = true;        // otherwise norms of the residual multiply by none (OLMo)
  bool head_bias = false;          // Phi: of lm_head
  bool unit_offset_norms = false;  // Gemma and Nemotron checkpoints store a norm's weight minus one
  bool interleaved_heads = false;  // GGUF of Llama and its like: rotated pairs of q and k are neighbours
  bool folded_multipliers = false; // GGUF of Falcon-H1: weights are multiplied by what the file does not say
  bool tiled_value_heads = false;  // GGUF of Qwen3.5: the first value head of every key head, then the second ones …
  float embedding_scale = 1.0f;    // Gemma: √hidden_size; Granite: see scale_residuals()
  float attention_scale = 0.0f;    // of q·k; set from head_dim or query_pre_attn_scalar
  float value_scale = 1.0f;        // of values (Falcon-H1)
  float gate_scale = 1.0f, gated_scale = 1.0f;  // of what an MLP activates, and of what down reads (Falcon-H1)
  // Ministral 3: queries at position p are scaled by 1 + query_growth · ln(1 + ⌊p / query_growth_span⌋) more. Llama 4: in layers without RoPE
  // alone, and the first position counts as 1.
  float query_growth = 0.0f;
  int32_t query_growth_span = 1;
  bool query_growth_without_rope = false;
  float attention_softcap = 0.0f;  // c · tanh(x / c) on scaled scores; 0: none
  float logit_softcap = 0.0f;      // the same on logits
  int32_t scale_block_rows = 128, scale_block_columns = 128;  // of F8_E4M3 matrices that have a scale for each block
  Quantization quantization;       // of safetensors that hold integers
  float logit_scale = 1.0f;        // of logits, before the cap: the final norm is multiplied by it when it is loaded
  bool sees_images = false;         // it is the language model of a vision model, whose other modules nothing here has
  std::vector<int32_t> end_tokens;  // from generation_config.json, else config.json, else GGUF
  int32_t bos_token = -1;           // -1: none

  bool is_sliding(int32_t layer) const { return !layer_is_sliding.empty() && layer_is_sliding[static_cast<size_t>(layer)]; }
  bool has_rope(int32_t layer) const { return layer_has_rope.empty() || layer_has_rope[static_cast<size_t>(layer)]; }
  bool has_any_rope() const { return layer_has_rope.empty() || std::find(layer_has_rope.begin(), layer_has_rope.end(), true) != layer_has_rope.end(); }
  bool has_mixer(int32_t layer) const { return has_state(layer) || has_attention(layer); }
  bool has_feed_forward(int32_t layer) const { return layer_has_feed_forward.empty() || layer_has_feed_forward[static_cast<size_t>(layer)]; }
  bool has_both(int32_t layer) const { return has_state(layer) && has_attention(layer); }
  bool has_attention(int32_t layer) const { return layer_has_attention.empty() ? !has_state(layer) : layer_has_attention[static_cast<size_t>(layer)]; }
  bool has_state(int32_t layer) const { return !linear.layer_has_state.empty() && linear.layer_has_state[static_cast<size_t>(layer)]; }
  int32_t state_layers() const { return states_before(layers); }
  // Among the layers that have keys and values, or among those that have a state, how many come before this one.
  int32_t kv_index(int32_t layer) const { return attentions_before(kv_source(layer)); }
  int32_t state_index(int32_t layer) const { return states_before(layer); }
  int32_t kv_layers() const { return attentions_before(first_sharing()); }
  int32_t first_sharing() const { return layers - kv_sharing_layers; }
  int32_t kv_source(int32_t layer) const;  // the layer whose keys and values this one attends to
  bool has_kv(int32_t layer) const { return layer < first_sharing(); }
  bool values_are_keys(int32_t layer) const { return full_values_are_keys && !is_sliding(layer); }
  KvShape kv_shape(int32_t layer) const {
    if (is_latent()) return {1, latent.kv_a_width(), latent.kv_rank};
    return full_kv.heads > 0 && !is_sliding(layer) ? full_kv : KvShape{kv_heads, head_dim};
  }
  std::vector<KvShape> kv_shapes() const;  // of all layers that have keys and values of their own
  int64_t kv_numbers() const;  // keys and values of a position, in all layers
  int32_t head_dim_max() const { return is_latent() ? latent.kv_a_width() : std::max(head_dim, full_kv.dim); }  // of what attention reads
  int32_t heads_per_kv_max() const { return heads / (full_kv.heads > 0 ? std::min(kv_heads, full_kv.heads) : kv_heads); }
  bool is_latent() const { return latent.kv_rank > 0; }
  int32_t queries_width(int32_t layer) const { return heads * kv_shape(layer).dim; }  // of the queries that attention reads
  int32_t attended_width(int32_t layer) const { return is_latent() ? heads * latent.value_dim : queries_width(layer); }  // of what o reads
  int32_t qkv_width(int32_t layer) const { return q_width(layer) + (has_kv(layer) ? 2 * kv_shape(layer).heads * kv_shape(layer).dim : 0); }
  int32_t qkv_width_max() const { return is_latent() ? queries_width(0) : q_width_max() + 2 * std::max(kv_heads * head_dim, full_kv.heads * full_kv.dim); }
  StateShape states(int32_t count) const { return {state_layers() > 0 ? count : 0, state_layers(), state_layers() > 0 ? linear.state_floats() : 0}; }
  size_t state_bytes() const { return state_layers() == 0 ? 0 : static_cast<size_t>(state_layers() * linear.state_floats()) * sizeof(float); }  // of a sequence
  int32_t q_width(int32_t layer) const { return is_latent() ? heads * head_dim : (attention_gate ? 2 : 1) * queries_width(layer); }  // outputs of q
  int32_t q_width_max() const { return (attention_gate ? 2 : 1) * heads * head_dim_max(); }
  bool has_experts(int32_t layer) const { return experts.count > 0 && has_feed_forward(layer) && (experts.layer_has_none.empty() || !experts.layer_has_none[static_cast<size_t>(layer)]); }
  bool has_mlp(int32_t layer) const { return has_feed_forward(layer) && (experts.shared || experts.apart || !has_experts(layer)); }  // one that all tokens pass
  int32_t mlp_size(int32_t layer) const { return has_experts(layer) && !experts.apart ? experts.shared_size : wide_sharing_mlps && !has_kv(layer) ? 2 * intermediate_size : intermediate_size; }
  int32_t mlp_size_max() const;  // of any layer that has one; 0: none has
  // The residual gets `factor` times what attention and MLP give (Granite). Everything reads it through a norm, so it is kept
  // divided by `factor` instead and nothing is multiplied: x / √(mean(x²) + ε) is y / √(mean(y²) + ε / factor²) of y = x / factor.
  void scale_residuals(double factor);
  float query_growth_of(int32_t layer) const { return query_growth_without_rope && has_rope(layer) ? 0.0f : query_growth; }
  int32_t query_growth_begin() const { return query_growth_without_rope ? 1 : 0; }  // what position 0 counts as
  float query_scale(int32_t layer, int64_t position) const {
    const float growth = query_growth_of(layer);
    if (growth == 0.0f) return attention_scale;
    return attention_scale * (1.0f + growth * std::log1p(static_cast<float>((position + query_growth_begin()) / query_growth_span)));
  }
  int32_t gate_up_width() const { return (gated_mlp ? 2 : 1) * mlp_size_max(); }  // of what the widest MLP activates
  // In layers of two shapes norms of heads are as wide as a layer's heads.
  int32_t q_norm_width() const { return qk_norm_of_all || qk_layer_norms ? heads * head_dim : head_dim; }
  int32_t k_norm_width() const { return qk_norm_of_all || qk_layer_norms ? kv_heads * head_dim : head_dim; }
  int32_t latent_q_width() const { return latent.q_rank > 0 ? latent.q_rank : heads * head_dim; }  // of the product with q_a or q
  int32_t latent_width() const { return latent_q_width() + latent.kv_a_width(); }                     // with kv_a beside it
  int32_t per_token_width() const { return layers * per_token.size; }  // of all layers
  // LongRoPE rotates all keys of a sequence differently once it is longer than this: what the cache holds of it is then
  // of no use. 0: no such border.
  int32_t short_context_max() const { return rope.kind == RopeConfig::Kind::longrope ? rope.original_max_positions : 0; }
  std::vector<Projection> layer_projections(int32_t layer) const;  // the ones a layer of this model has, outside of its mixture
  // Input and output width of a projection, outside of experts; an embedding maps a token of the vocabulary to a hidden row.
  int32_t in_features(Projection p, int32_t layer = 0) const;
  int32_t out_features(Projection p, int32_t layer = 0) const;

 private:
  int32_t states_before(int32_t layer) const;
  int32_t attentions_before(int32_t layer) const;
};

// `source`: a folder with config.json (generation_config.json is read beside it if there), a config.json, or a
// .gguf file. Throws sgmv::Error with the field's name.
ModelConfig read_model_config(const std::filesystem::path& source);

}  // namespace sgmv
