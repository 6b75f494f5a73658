#include "models/config_hf.h"

#include <cmath>

#include "layers/rope_table.h"
#include "models/config_fields.h"

namespace sgmv {

void check_range(const std::string& file, const std::string& field, int32_t value, int32_t most) {
  if (value < 1 || value > most)
    throw Error("model_corrupt", file + ": " + field + ": found " + std::to_string(value) + ", expected 1 to " + std::to_string(most));
}

double read_multiplier(const ConfigFields& fields, const char* field, double otherwise) {
  const double value = fields.number(field).value_or(otherwise);
  if (!(value >= kMultiplierMin && value <= kMultiplierMax)) fields.refuse("model_unsupported", field, std::to_string(value), "a number from 1e-3 to 1e3");
  return value;
}

namespace {

// Of Gemma, in the same way as Granite's multipliers.
constexpr double kQueryScalarMin = 1e-3, kQueryScalarMax = 1e9;

// Where a family's attention has biases. What other families' fields say of them, Transformers does not read.
enum class Bias : uint8_t { none, qkv, as_config };

// A size of MLPs in a family whose layers all have experts.
constexpr int32_t kUnused = 1;

// Of a family whose layers have experts; numbers below 0 are to be said: what its configuration class assumes of them.
struct FamilyExperts {
  int32_t count = 0, per_token = 0;
  int32_t size = 0;          // of moe_intermediate_size; 0: theirs is intermediate_size
  bool normalized = false;   // the weights of the chosen ones always add up to 1; otherwise if norm_topk_prob says so, or
  bool may_be_normalized = false;  // if it does not say otherwise
  bool dense_layers = false; // mlp_only_layers and decoder_sparse_step leave layers without experts
  bool typed_layers = false; // mlp_layer_types says which layers have experts
  bool biased = false;
  int32_t first_dense = -1;  // of first_dense_field; -1: the family does not read it
  const char* first_dense_field = "first_k_dense_replace";
  const char *count_field = nullptr, *per_token_field = "num_experts_per_tok";  // null: num_experts or num_local_experts, which are read anyhow
  const char* shared_field = nullptr;  // the size of the shared expert; null: there is none
  bool shared_by_count = false;        // it says how many experts it is as wide as
  bool shared_gate = false;
  int32_t shared = 0;                  // of shared_field
  bool sigmoid = false, choice_bias = false;
  bool grouped = false;                // n_group, topk_group and routed_scaling_factor are read
  int32_t groups = 1, groups_per_token = 1;
  double scale = 1;                    // the latter
  float sum_min = 0;
};

// What a family's own configuration class assumes when config.json leaves a field out.
struct Family {
  const char* model_type;
  int32_t max_positions;
  float rms_norm_eps = 1e-6f;
  const char* norm_eps_field = "rms_norm_eps";  // null: no field says it
  double rope_theta = 1e4;
  double sliding_rope_theta = 0;   // sliding layers rotate by this one; 0: all layers by the same
  int32_t vocab_size = 0, heads = 0, kv_heads = 0;  // 0: to be said; kv_heads: as heads
  int32_t head_dim = 0;            // 0: hidden_size / heads
  int32_t intermediate_size = 0;   // 0: to be said
  bool tied_embeddings = false;
  bool may_slide = true;           // otherwise a sliding_window means nothing
  int32_t sliding_window = 0;      // 0: none
  int32_t max_window_layers = 28;  // Qwen: those before do not slide
  int32_t full_every = 0;          // of sliding layers, every n-th sees everything; 0: as layer_types or the family says
  Bias attention_bias = Bias::none;
  bool biased = false;             // of Bias::as_config
  bool output_bias = true;         // o has a bias where q, k and v have one as config.json says
  bool mlp_bias = false;           // as config.json says; otherwise none, whatever it says
  bool mlp_biased = false;         // where it says nothing
  bool qk_norm = false, qk_norm_after_rope = false;
  bool fused_qkv = false, fused_gate_up = false;
  double rotary_share = 0;         // of a head; partial_rotary_factor may say another. 0: the family knows no other than all
  bool interleaved = false;        // rotated pairs are neighbours
  bool gated_mlp = true;           // otherwise one of up and down, with another activation
  bool layer_norms = false;        // with mean and bias
  bool norm_biases = true;         // of those
  bool norm_weights = true;
  bool parallel_mlp = false;
  bool unit_offset_norms = false;
  bool gemma = false;
  bool post_norms = false;         // attention and MLP are normed once more
  bool olmo = false;               // norms after attention and MLP only, and one of all heads of q and of k
  float attention_softcap = 0, logit_softcap = 0;
  LatentConfig latent = {};        // what it assumes of latent attention
  FamilyExperts experts = {};
};

// The language models of Qwen3.5, which stand alone too.
constexpr Family kQwen35 = {.model_type = "qwen3_5_text", .max_positions = 32768, .vocab_size = 248320, .heads = 16, .kv_heads = 4, .head_dim = 256, .intermediate_size = 12288,
                            .may_slide = false, .attention_bias = Bias::as_config, .qk_norm = true, .rotary_share = 0.25, .unit_offset_norms = true},
                 kQwen35Moe = {.model_type = "qwen3_5_moe_text", .max_positions = 32768, .vocab_size = 248320, .heads = 16, .kv_heads = 2, .head_dim = 256, .intermediate_size = kUnused,
                               .may_slide = false, .attention_bias = Bias::as_config, .qk_norm = true, .rotary_share = 0.25, .unit_offset_norms = true,
                               .experts = {.count = 256, .per_token = 8, .size = 512, .normalized = true, .shared_field = "shared_expert_intermediate_size", .shared_gate = true, .shared = 512}};

constexpr Family kFamilies[] = {
    {.model_type = "llama", .max_positions = 2048, .may_slide = false, .attention_bias = Bias::as_config, .mlp_bias = true},
    {.model_type = "mistral", .max_positions = 131072, .sliding_window = 4096},
    {.model_type = "ministral", .max_positions = 131072, .sliding_window = 4096},
    {.model_type = "ministral3", .max_positions = 262144, .rms_norm_eps = 1e-5f, .kv_heads = 8, .head_dim = 128},
    {.model_type = "qwen2", .max_positions = 32768, .attention_bias = Bias::qkv},
    {.model_type = "qwen3", .max_positions = 32768, .head_dim = 128, .attention_bias = Bias::as_config, .qk_norm = true},
    {.model_type = "gemma", .max_positions = 8192, .kv_heads = 16, .head_dim = 256, .tied_embeddings = true, .may_slide = false,
     .attention_bias = Bias::as_config, .gemma = true},
    {.model_type = "gemma2", .max_positions = 8192, .head_dim = 256, .tied_embeddings = true, .sliding_window = 4096, .full_every = 2,
     .attention_bias = Bias::as_config, .gemma = true, .post_norms = true, .attention_softcap = 50, .logit_softcap = 30},
    {.model_type = "vaultgemma", .max_positions = 8192, .kv_heads = 4, .head_dim = 256, .tied_embeddings = true, .sliding_window = 4096, .full_every = 2,
     .attention_bias = Bias::as_config, .gemma = true, .attention_softcap = 50, .logit_softcap = 30},
    {.model_type = "gemma3_text", .max_positions = 131072, .rope_theta = 1e6, .sliding_rope_theta = 1e4, .vocab_size = 262208, .heads = 8, .kv_heads = 4,
     .head_dim = 256, .tied_embeddings = true, .sliding_window = 4096, .full_every = 6, .attention_bias = Bias::as_config, .qk_norm = true, .gemma = true, .post_norms = true},
    {.model_type = "gemma4_text", .max_positions = 131072, .rope_theta = 1e6, .sliding_rope_theta = 1e4, .vocab_size = 262144, .heads = 8, .kv_heads = 4, .head_dim = 256,
     .intermediate_size = 9216, .tied_embeddings = true, .sliding_window = 512, .full_every = 6, .attention_bias = Bias::as_config, .qk_norm = true, .gemma = true, .post_norms = true},
    {.model_type = "gemma4_unified_text", .max_positions = 262144, .rope_theta = 1e6, .sliding_rope_theta = 1e4, .vocab_size = 262144, .heads = 8, .kv_heads = 4, .head_dim = 256,
     .intermediate_size = 9216, .tied_embeddings = true, .sliding_window = 1024, .full_every = 6, .attention_bias = Bias::as_config, .qk_norm = true, .gemma = true, .post_norms = true},
    {.model_type = "phi3", .max_positions = 4096, .rms_norm_eps = 1e-5f, .fused_qkv = true, .fused_gate_up = true, .rotary_share = 1},
    {.model_type = "seed_oss", .max_positions = 524288, .kv_heads = 8, .head_dim = 128, .may_slide = false, .attention_bias = Bias::as_config, .biased = true,
     .output_bias = false, .mlp_bias = true},
    {.model_type = "glm", .max_positions = 131072, .rms_norm_eps = 1.5625e-7f, .kv_heads = 2, .head_dim = 128, .may_slide = false, .attention_bias = Bias::as_config,
     .biased = true, .output_bias = false, .fused_gate_up = true, .rotary_share = 0.5, .interleaved = true},
    {.model_type = "glm4", .max_positions = 131072, .rms_norm_eps = 1.5625e-7f, .kv_heads = 2, .head_dim = 128, .may_slide = false, .attention_bias = Bias::as_config,
     .biased = true, .output_bias = false, .fused_gate_up = true, .rotary_share = 0.5, .interleaved = true, .post_norms = true},
    {.model_type = "ernie4_5", .max_positions = 131072, .rms_norm_eps = 1e-5f, .rope_theta = 5e5, .kv_heads = 2, .head_dim = 128, .tied_embeddings = true,
     .may_slide = false, .interleaved = true},
    {.model_type = "exaone4", .max_positions = 2048, .rms_norm_eps = 1e-5f, .kv_heads = 32, .sliding_window = 4096, .full_every = 4},
    {.model_type = "hunyuan_v1_dense", .max_positions = 2048, .rms_norm_eps = 1e-5f, .may_slide = false, .attention_bias = Bias::as_config, .qk_norm = true,
     .qk_norm_after_rope = true},
    {.model_type = "starcoder2", .max_positions = 4096, .rms_norm_eps = 1e-5f, .norm_eps_field = "norm_epsilon", .vocab_size = 49152, .heads = 24, .kv_heads = 2,
     .tied_embeddings = true, .gated_mlp = false, .layer_norms = true},
    {.model_type = "nemotron", .max_positions = 4096, .rms_norm_eps = 1e-5f, .norm_eps_field = "norm_eps", .may_slide = false, .attention_bias = Bias::as_config,
     .mlp_bias = true, .rotary_share = 0.5, .gated_mlp = false, .layer_norms = true, .unit_offset_norms = true},
    {.model_type = "jais2", .max_positions = 8192, .rms_norm_eps = 1e-5f, .norm_eps_field = "layer_norm_eps", .may_slide = false, .attention_bias = Bias::as_config,
     .biased = true, .mlp_bias = true, .mlp_biased = true, .gated_mlp = false, .layer_norms = true},
    {.model_type = "cohere", .max_positions = 8192, .rms_norm_eps = 1e-5f, .norm_eps_field = "layer_norm_eps", .vocab_size = 256000, .heads = 64, .intermediate_size = 22528,
     .tied_embeddings = true, .may_slide = false, .attention_bias = Bias::as_config, .interleaved = true, .layer_norms = true, .norm_biases = false, .parallel_mlp = true},
    {.model_type = "cohere2", .max_positions = 8192, .rms_norm_eps = 1e-5f, .norm_eps_field = "layer_norm_eps", .vocab_size = 256000, .heads = 64, .intermediate_size = 22528,
     .tied_embeddings = true, .sliding_window = 4096, .full_every = 4, .attention_bias = Bias::as_config, .interleaved = true, .layer_norms = true, .norm_biases = false,
     .parallel_mlp = true},
    {.model_type = "phi", .max_positions = 2048, .rms_norm_eps = 1e-5f, .norm_eps_field = "layer_norm_eps", .vocab_size = 51200, .heads = 32, .intermediate_size = 8192,
     .may_slide = false, .rotary_share = 0.5, .gated_mlp = false, .layer_norms = true, .parallel_mlp = true},
    {.model_type = "stablelm", .max_positions = 4096, .rms_norm_eps = 1e-5f, .norm_eps_field = "layer_norm_eps", .vocab_size = 50304, .heads = 32, .kv_heads = 32,
     .intermediate_size = 6912, .may_slide = false, .rotary_share = 0.25, .layer_norms = true},
    {.model_type = "arcee", .max_positions = 4096, .rms_norm_eps = 1e-5f, .may_slide = false, .attention_bias = Bias::as_config, .mlp_bias = true, .gated_mlp = false},
    {.model_type = "helium", .max_positions = 4096, .rms_norm_eps = 1e-8f, .rope_theta = 1e5, .kv_heads = 20, .head_dim = 128, .may_slide = false,
     .attention_bias = Bias::as_config, .output_bias = false, .mlp_bias = true, .interleaved = true},
    {.model_type = "cwm", .max_positions = 131072, .rms_norm_eps = 1e-5f, .rope_theta = 1e6, .vocab_size = 128256, .heads = 48, .kv_heads = 8, .head_dim = 128,
     .sliding_window = 8192, .full_every = 4, .mlp_bias = true},
    {.model_type = "iquestcoder", .max_positions = 131072, .rms_norm_eps = 1e-5f, .kv_heads = 8, .head_dim = 128, .may_slide = false,
     .attention_bias = Bias::as_config, .mlp_bias = true},
    {.model_type = "internlm3", .max_positions = 32768, .rms_norm_eps = 1e-5f, .kv_heads = 2, .head_dim = 128, .may_slide = false,
     .attention_bias = Bias::as_config, .mlp_bias = true},
    {.model_type = "smollm3", .max_positions = 32768, .rope_theta = 2e6, .kv_heads = 4, .tied_embeddings = true, .attention_bias = Bias::as_config,
     .mlp_bias = true},
    {.model_type = "granite", .max_positions = 2048, .may_slide = false, .attention_bias = Bias::as_config, .mlp_bias = true},
    {.model_type = "granite_swa", .max_positions = 8192, .rms_norm_eps = 1e-5f, .vocab_size = 100352, .heads = 20, .kv_heads = 4, .tied_embeddings = true,
     .sliding_window = 128, .full_every = 4, .attention_bias = Bias::as_config, .mlp_bias = true},
    {.model_type = "hyperclovax", .max_positions = 2048, .may_slide = false, .attention_bias = Bias::as_config, .mlp_bias = true},
    {.model_type = "apertus", .max_positions = 65536, .rms_norm_eps = 1e-5f, .rope_theta = 1.2e7, .vocab_size = 131072, .heads = 32, .intermediate_size = 14336, .may_slide = false,
     .attention_bias = Bias::as_config, .qk_norm = true, .gated_mlp = false},
    {.model_type = "olmo", .max_positions = 2048, .rms_norm_eps = 1e-5f, .norm_eps_field = nullptr, .vocab_size = 50304, .heads = 32, .intermediate_size = 11008, .may_slide = false,
     .attention_bias = Bias::as_config, .layer_norms = true, .norm_biases = false, .norm_weights = false},
    {.model_type = "olmo2", .max_positions = 2048, .rms_norm_eps = 1e-5f, .may_slide = false, .attention_bias = Bias::as_config, .olmo = true},
    {.model_type = "olmo3", .max_positions = 2048, .rms_norm_eps = 1e-5f, .rope_theta = 5e5, .sliding_rope_theta = 5e5, .sliding_window = 4096,
     .full_every = 4, .attention_bias = Bias::as_config, .olmo = true},
    {.model_type = "mixtral", .max_positions = 131072, .rms_norm_eps = 1e-5f, .rope_theta = 1e6, .kv_heads = 8, .experts = {.count = 8, .per_token = 2, .normalized = true}},
    {.model_type = "qwen2_moe", .max_positions = 32768, .kv_heads = 16, .sliding_window = 4096, .attention_bias = Bias::qkv,
     .experts = {.count = 60, .per_token = 4, .size = 1408, .dense_layers = true, .shared_field = "shared_expert_intermediate_size", .shared_gate = true, .shared = 5632}},
    {.model_type = "qwen3_moe", .max_positions = 32768, .kv_heads = 4, .sliding_window = 4096, .attention_bias = Bias::as_config, .qk_norm = true,
     .experts = {.count = 128, .per_token = 8, .size = 768, .dense_layers = true}},
    {.model_type = "olmoe", .max_positions = 4096, .rms_norm_eps = 1e-5f, .may_slide = false, .attention_bias = Bias::as_config, .qk_norm = true,
     .experts = {.count = 64, .per_token = 8}},
    {.model_type = "flex_olmo", .max_positions = 4096, .rope_theta = 5e5, .may_slide = false, .attention_bias = Bias::as_config, .olmo = true,
     .experts = {.count = 7, .per_token = 5}},
    {.model_type = "mellum", .max_positions = 131072, .rope_theta = 5e5, .sliding_rope_theta = 1e4, .vocab_size = 98304, .heads = 32, .kv_heads = 4, .head_dim = 128,
     .intermediate_size = 7168, .sliding_window = 1024, .full_every = 1, .attention_bias = Bias::as_config, .qk_norm = true,
     .experts = {.count = 64, .per_token = 8, .size = 896, .may_be_normalized = true, .typed_layers = true}},
    {.model_type = "exaone_moe", .max_positions = 2048, .rms_norm_eps = 1e-5f, .kv_heads = 32, .sliding_window = 4096, .full_every = 4, .qk_norm = true,
     .experts = {.count = 64, .per_token = 8, .size = 1024, .may_be_normalized = true, .typed_layers = true, .first_dense = 1, .shared_field = "num_shared_experts",
                 .shared_by_count = true, .shared = 1, .sigmoid = true, .choice_bias = true, .grouped = true, .scale = 2.5, .sum_min = kSumMin}},
    {.model_type = "hunyuan_v1_moe", .max_positions = 2048, .rms_norm_eps = 1e-5f, .may_slide = false, .attention_bias = Bias::as_config, .qk_norm = true,
     .qk_norm_after_rope = true, .experts = {.count = 1, .per_token = 1, .normalized = true, .per_token_field = "moe_topk", .shared_field = "intermediate_size", .shared = -1}},
    {.model_type = "granitemoe", .max_positions = 2048, .may_slide = false, .attention_bias = Bias::as_config,
     .experts = {.count = 8, .per_token = 2, .normalized = true}},
    {.model_type = "llama4_text", .max_positions = 131072, .rms_norm_eps = 1e-5f, .rope_theta = 5e5, .vocab_size = 202048, .heads = 40, .kv_heads = 8, .head_dim = 128, .intermediate_size = 8192,
     .may_slide = false, .attention_bias = Bias::as_config, .interleaved = true, .experts = {.count = 16, .per_token = 1, .shared_field = "intermediate_size", .shared = 8192}},
    {.model_type = "gpt_oss", .max_positions = 131072, .rms_norm_eps = 1e-5f, .rope_theta = 1.5e5, .vocab_size = 201088, .heads = 64, .kv_heads = 8, .head_dim = 64,
     .sliding_window = 128, .full_every = 2, .attention_bias = Bias::as_config, .biased = true, .experts = {.count = 128, .per_token = 4, .normalized = true, .biased = true}},
    {.model_type = "granitemoeshared", .max_positions = 2048, .may_slide = false, .attention_bias = Bias::as_config, .fused_gate_up = true,
     .experts = {.count = 8, .per_token = 2, .normalized = true, .shared_field = "shared_intermediate_size"}},
    {.model_type = "minimax_m2", .max_positions = 196608, .rope_theta = 5e6, .kv_heads = 8, .head_dim = 128, .may_slide = false, .qk_norm = true, .rotary_share = 1,
     .experts = {.count = 256, .per_token = 8, .normalized = true, .sigmoid = true, .choice_bias = true, .sum_min = kSumMin}},
    {.model_type = "glm4_moe", .max_positions = 131072, .rms_norm_eps = 1e-5f, .kv_heads = 8, .may_slide = false, .attention_bias = Bias::as_config, .output_bias = false,
     .rotary_share = 0.5, .experts = {.count = 128, .per_token = 8, .size = 1408, .may_be_normalized = true, .first_dense = 1, .count_field = "n_routed_experts",
     .shared_field = "n_shared_experts", .shared_by_count = true, .shared = 1, .sigmoid = true, .choice_bias = true, .grouped = true, .sum_min = kSumMin}},
    {.model_type = "solar_open", .max_positions = 131072, .rms_norm_eps = 1e-5f, .rope_theta = 1e6, .kv_heads = 8, .head_dim = 128, .intermediate_size = kUnused, .may_slide = false,
     .attention_bias = Bias::as_config, .output_bias = false, .rotary_share = 1,
     .experts = {.count = 128, .per_token = 8, .size = 1280, .may_be_normalized = true, .count_field = "n_routed_experts", .shared_field = "n_shared_experts", .shared_by_count = true,
                 .shared = 1, .sigmoid = true, .choice_bias = true, .grouped = true, .sum_min = kSumMin}},
    {.model_type = "dots1", .max_positions = 2048, .kv_heads = 32, .sliding_window = 4096, .max_window_layers = 62, .attention_bias = Bias::as_config, .qk_norm = true,
     .experts = {.count = -1, .per_token = -1, .size = 1408, .first_dense = 0, .count_field = "n_routed_experts", .shared_field = "n_shared_experts", .shared_by_count = true,
                 .shared = -1, .sigmoid = true, .choice_bias = true, .grouped = true, .sum_min = kSumMin}},
    {.model_type = "ernie4_5_moe", .max_positions = 131072, .rms_norm_eps = 1e-5f, .rope_theta = 5e5, .kv_heads = 4, .tied_embeddings = true, .may_slide = false, .interleaved = true,
     .experts = {.count = 64, .per_token = 6, .size = 1536, .normalized = true, .count_field = "moe_num_experts", .per_token_field = "moe_k",
                 .shared_field = "moe_num_shared_experts", .shared_by_count = true, .shared = 2, .choice_bias = true}},
    {.model_type = "qwen3_next", .max_positions = 32768, .vocab_size = 151936, .heads = 16, .kv_heads = 2, .head_dim = 256, .intermediate_size = 5632, .may_slide = false,
     .attention_bias = Bias::as_config, .qk_norm = true, .rotary_share = 0.25, .unit_offset_norms = true,
     .experts = {.count = 512, .per_token = 10, .size = 512, .may_be_normalized = true, .dense_layers = true, .shared_field = "shared_expert_intermediate_size", .shared_gate = true, .shared = 512}},
    {.model_type = "deepseek_v2", .max_positions = 2048, .vocab_size = 102400, .heads = 32, .intermediate_size = 11008, .may_slide = false, .attention_bias = Bias::as_config, .mlp_bias = true,
     .interleaved = true, .latent = {512, 1536, 128, 64, 128},
     .experts = {.count = 64, .per_token = -1, .size = 1407, .first_dense = 0, .count_field = "n_routed_experts", .shared_field = "n_shared_experts", .shared_by_count = true, .shared = 2, .grouped = true}},
    {.model_type = "deepseek_v3", .max_positions = 4096, .vocab_size = 129280, .heads = 128, .intermediate_size = 18432, .may_slide = false, .attention_bias = Bias::as_config,
     .interleaved = true, .latent = {512, 1536, 128, 64, 128},
     .experts = {.count = 256, .per_token = 8, .size = 2048, .may_be_normalized = true, .first_dense = 3, .count_field = "n_routed_experts", .shared_field = "n_shared_experts", .shared_by_count = true,
                 .shared = 1, .sigmoid = true, .choice_bias = true, .grouped = true, .groups = 8, .groups_per_token = 4, .scale = 2.5, .sum_min = kSumMin}},
    {.model_type = "youtu", .max_positions = 131072, .vocab_size = 128256, .heads = 16, .intermediate_size = 6144, .tied_embeddings = true, .may_slide = false, .attention_bias = Bias::as_config,
     .interleaved = true, .latent = {512, 1536, 128, 64, 128}},
    {.model_type = "minicpm3", .max_positions = 32768, .rms_norm_eps = 1e-5f, .vocab_size = 73448, .heads = 40, .intermediate_size = 6400, .tied_embeddings = true, .may_slide = false,
     .attention_bias = Bias::as_config, .mlp_bias = true, .latent = {256, 768, 64, 32, 0}},
    {.model_type = "glm4_moe_lite", .max_positions = 202752, .rms_norm_eps = 1e-5f, .vocab_size = 154880, .heads = 20, .intermediate_size = 10240, .may_slide = false, .attention_bias = Bias::as_config,
     .interleaved = true, .latent = {512, 768, 192, 64, 256},
     .experts = {.count = 64, .per_token = 4, .size = 1536, .may_be_normalized = true, .typed_layers = true, .first_dense = 1, .count_field = "n_routed_experts", .shared_field = "n_shared_experts",
                 .shared_by_count = true, .shared = 1, .sigmoid = true, .choice_bias = true, .grouped = true, .scale = 1.8, .sum_min = kSumMin}},
    {.model_type = "lfm2", .max_positions = 128000, .rms_norm_eps = 1e-5f, .norm_eps_field = "norm_eps", .rope_theta = 1e6, .vocab_size = 65536, .heads = 32, .kv_heads = 8,
     .intermediate_size = 12288, .tied_embeddings = true, .may_slide = false, .qk_norm = true},
    {.model_type = "lfm2_moe", .max_positions = 128000, .rms_norm_eps = 1e-5f, .norm_eps_field = "norm_eps", .rope_theta = 1e6, .vocab_size = 65536, .heads = 32, .kv_heads = 8,
     .intermediate_size = 7168, .tied_embeddings = true, .may_slide = false, .qk_norm = true,
     .experts = {.count = 32, .per_token = 4, .size = 1792, .may_be_normalized = true, .first_dense = 2, .first_dense_field = "num_dense_layers", .sigmoid = true}},
    {.model_type = "granitemoehybrid", .max_positions = 2048, .intermediate_size = 11008, .may_slide = false, .attention_bias = Bias::as_config, .fused_gate_up = true,
     .experts = {.count = 8, .per_token = 2, .normalized = true, .shared_field = "shared_intermediate_size", .shared = 1024}},
    {.model_type = "bamba", .max_positions = 262144, .rms_norm_eps = 1e-5f, .vocab_size = 128000, .heads = 32, .kv_heads = 8, .intermediate_size = 14336, .may_slide = false,
     .attention_bias = Bias::as_config, .mlp_bias = true, .rotary_share = 0.5},
    {.model_type = "falcon_h1", .max_positions = 8192, .rms_norm_eps = 1e-5f, .vocab_size = 128000, .heads = 32, .kv_heads = 8, .intermediate_size = 14336, .may_slide = false,
     .attention_bias = Bias::as_config, .mlp_bias = true},
    {.model_type = "nemotron_h", .max_positions = 4096, .rms_norm_eps = 1e-5f, .norm_eps_field = "layer_norm_epsilon", .vocab_size = 131072, .heads = 32, .kv_heads = 8, .head_dim = 128,
     .intermediate_size = 21504, .may_slide = false, .mlp_bias = true, .gated_mlp = false,
     .experts = {.count = 8, .per_token = 2, .size = 7688, .may_be_normalized = true, .count_field = "n_routed_experts", .shared_field = "moe_shared_expert_intermediate_size", .shared = 7688,
                 .sigmoid = true, .choice_bias = true, .grouped = true, .sum_min = kSumMin}},
    kQwen35, kQwen35Moe,
};

// Language models that stand in a vision model only.
constexpr Family kQwen2Vl = {.model_type = "qwen2_vl_text", .max_positions = 32768, .rms_norm_eps = 1e-5f, .rope_theta = 1e6, .vocab_size = 152064, .heads = 64, .kv_heads = 8,
                             .sliding_window = 4096, .max_window_layers = 80, .attention_bias = Bias::qkv},
                 kQwen3Vl = {.model_type = "qwen3_vl_text", .max_positions = 128000, .rope_theta = 5e5, .vocab_size = 151936, .heads = 32, .kv_heads = 32, .head_dim = 128,
                             .may_slide = false, .attention_bias = Bias::as_config, .qk_norm = true},
                 kQwen3VlMoe = {.model_type = "qwen3_vl_moe_text", .max_positions = 128000, .rope_theta = 5e5, .vocab_size = 151936, .heads = 16, .kv_heads = 16,
                                .may_slide = false, .attention_bias = Bias::as_config, .qk_norm = true,
                                .experts = {.count = 60, .per_token = 4, .size = 1408, .normalized = true, .dense_layers = true}};

struct VisionModel {
  const char* model_type;
  const char* text_type = nullptr;        // what its language model is called; null: that is a model of its own, which text_config names
  const Family* language_model = nullptr;
  bool flat = false;                      // the fields of the language model may stand outside, and there is no text_config then
};

constexpr VisionModel kVisionModels[] = {{"gemma3"}, {"gemma4"}, {"gemma4_unified"}, {"mistral3"}, {"llama4"}, {"qwen2_vl", "qwen2_vl_text", &kQwen2Vl, true}, {"qwen2_5_vl", "qwen2_5_vl_text", &kQwen2Vl, true},
                                         {"qwen3_vl", "qwen3_vl_text", &kQwen3Vl}, {"qwen3_vl_moe", "qwen3_vl_moe_text", &kQwen3VlMoe},
                                         {"qwen3_5", "qwen3_5_text", &kQwen35}, {"qwen3_5_moe", "qwen3_5_moe_text", &kQwen35Moe}};

const Family& find_family(const ConfigFields& fields) {
  const std::string type = fields.text("model_type", "");
  std::string names;
  for (const Family& family : kFamilies) {
    if (type == family.model_type) return family;
    names += (names.empty() ? "" : ", ") + std::string(family.model_type);
  }
  for (const VisionModel& model : kVisionModels) names += ", " + std::string(model.model_type);
  fields.refuse("model_unsupported", "model_type", type.empty() ? "nothing" : '"' + type + '"', "one of " + names);
}

// Fields that would change the computation in a way this engine does not do.
void refuse_unsupported(const ConfigFields& fields, std::initializer_list<const char*> tasks) {
  if (fields.flag("rope_interleaved", false)) fields.refuse("model_unsupported", "rope_interleaved", "true", "false");
  // Gemma 4 says it of images alone.
  const json::Value* both_ways = fields.get("use_bidirectional_attention");
  if (both_ways != nullptr && !(both_ways->is_bool() && !both_ways->boolean()) && !(both_ways->is_string() && both_ways->string() == "vision"))
    fields.refuse("model_unsupported", "use_bidirectional_attention", both_ways->describe(), "false, null or \"vision\"");
  const json::Value* architectures = fields.get("architectures");
  if (architectures == nullptr || !architectures->is_array()) return;
  for (const json::Value& name : architectures->array())
    for (const char* task : tasks)
      if (name.is_string() && name.string().ends_with(task)) return;
  if (!architectures->array().empty())
    fields.refuse("model_unsupported", "architectures", architectures->describe(), std::string("a …") + *tasks.begin() + " model");
}

Activation read_ungated_activation(const ConfigFields& fields, const Family& family) {
  const std::string_view type = family.model_type;
  const bool apertus = type == "apertus";
  const std::string name = fields.text(type == "nemotron_h" ? "mlp_hidden_act" : "hidden_act", type == "starcoder2" || type == "phi" ? "gelu_pytorch_tanh" : apertus ? "xielu" : "relu2");
  if (apertus && name == "xielu") return Activation::xielu;  // of which each layer has numbers
  if (name == "gelu_pytorch_tanh" || name == "gelu_new") return Activation::gelu_tanh;
  if (name == "relu2") return Activation::relu2;
  fields.refuse("model_unsupported", "hidden_act", '"' + name + '"', "\"gelu_pytorch_tanh\", \"gelu_new\" or \"relu2\"");
}

Activation read_activation(const ConfigFields& fields, const Family& family) {
  const bool first_gemma = std::string_view(family.model_type) == "gemma";
  const char* field = family.gemma && !first_gemma ? "hidden_activation" : "hidden_act";
  if (!family.gated_mlp) return read_ungated_activation(fields, family);
  if (is_lfm(family.model_type)) return Activation::silu;  // whatever hidden_act says
  const std::string name = fields.text(field, family.gemma ? "gelu_pytorch_tanh" : "silu");
  if (first_gemma && name == "gelu") return Activation::gelu_tanh;  // what its first files say of it
  if (name == "silu" || name == "swish") return Activation::silu;
  if (name == "gelu_pytorch_tanh") return Activation::gelu_tanh;
  fields.refuse("model_unsupported", field, '"' + name + '"', "\"silu\" or \"gelu_pytorch_tanh\"");
}

// A whole number of which there is at least one: every how many layers, or positions.
int32_t read_step(const ConfigFields& fields, const char* field, int32_t otherwise) {
  const int32_t step = fields.integer(field).value_or(otherwise);
  if (step < 1) fields.refuse("model_corrupt", field, std::to_string(step), "a whole number of at least 1");
  return step;
}

// Which layers a list names; none: there is no list.
std::optional<std::vector<bool>> read_layer_list(const ConfigFields& fields, const char* field, int32_t layers) {
  const json::Value* list = fields.get(field);
  if (list == nullptr) return std::nullopt;
  if (!list->is_array()) fields.refuse("model_corrupt", field, list->describe(), "a list of layers");
  std::vector<bool> named(static_cast<size_t>(layers));
  for (const json::Value& layer : list->array()) {
    if (!layer.is_integer() || layer.integer() < 0 || layer.integer() >= layers) fields.refuse("model_corrupt", field, layer.describe(), "layers from 0 to " + std::to_string(layers - 1));
    named[static_cast<size_t>(layer.integer())] = true;
  }
  return named;
}

void read_sliding_window(const ConfigFields& fields, const Family& family, const json::Value& root, ModelConfig& config) {
  const bool qwen = config.model_type.starts_with("qwen"), smollm = config.model_type == "smollm3";
  const bool present = root.find("sliding_window") != nullptr;
  const int32_t window = present ? fields.integer("sliding_window").value_or(0) : family.sliding_window;
  if (window == 0 && config.model_type == "cohere2") fields.refuse("model_unsupported", "sliding_window", "none", "a number of positions: layers of Command R7B slide, and those alone have RoPE");
  if (window == 0 && (config.model_type == "gpt_oss" || config.model_type.starts_with("gemma4")))
    fields.refuse("model_unsupported", "sliding_window", "none", "a number of positions: layers of this family slide");
  if (window == 0 || ((qwen || smollm) && !fields.flag("use_sliding_window", false)) || !family.may_slide) return;
  config.sliding_window = window;
  if (config.model_type == "qwen2_moe")
    fields.refuse("model_unsupported", "use_sliding_window", "true", "false: which layers of qwen2_moe slide differs between versions of Transformers");
  // All of Qwen3-MoE slide, whatever max_window_layers says.
  const bool slides_late = (qwen && config.model_type != "qwen3_moe") || config.model_type == "dots1";
  const int32_t first = slides_late ? fields.integer("max_window_layers").value_or(family.max_window_layers) : 0;
  const bool knows_pattern = config.model_type == "gemma3_text" || config.model_type == "exaone4" || config.model_type == "exaone_moe" || config.model_type == "cohere2";
  const bool has_pattern = knows_pattern && fields.get("layer_types") == nullptr && fields.integer("sliding_window_pattern").value_or(0) > 0;
  const int32_t full_every = has_pattern ? fields.required("sliding_window_pattern") : family.full_every;
  const int32_t counted_from = config.model_type == "cwm" || config.model_type == "granite_swa" ? 0 : 1;  // the first layer of these sees everything
  for (int32_t layer = 0; layer < config.layers; ++layer)
    config.layer_is_sliding.push_back(smollm ? !config.has_rope(layer) : layer >= first && (full_every == 0 || (layer + counted_from) % full_every != 0));
}

void read_layer_types(const ConfigFields& fields, ModelConfig& config) {
  const json::Value* types = fields.get("layer_types");
  if (types == nullptr) return;
  if (!types->is_array() || types->array().size() != static_cast<size_t>(config.layers))
    fields.refuse("model_corrupt", "layer_types", types->describe(), "one entry per layer");
  std::vector<bool> sliding;
  for (const json::Value& type : types->array()) {
    const std::string text = type.is_string() ? type.string() : type.describe();
    const std::string other = config.chunked_window ? "chunked_attention" : "sliding_attention";
    if (text != "full_attention" && text != other)
      fields.refuse("model_unsupported", "layer_types", text, "full_attention or " + other);
    sliding.push_back(text == other);
    if (sliding.back() && config.sliding_window == 0)
      fields.refuse("model_unsupported", "layer_types", text, config.chunked_window ? "an attention_chunk_size with it" : "a sliding_window with it");
  }
  if (config.sliding_window > 0) config.layer_is_sliding = std::move(sliding);
}

// SmolLM3, Llama 4: 0 in no_rope_layers is a layer without RoPE; without the list it is every n-th.
void read_layers_without_rope(const ConfigFields& fields, ModelConfig& config) {
  const auto layers = static_cast<size_t>(config.layers);
  const json::Value* list = fields.get("no_rope_layers");
  if (list != nullptr && (config.model_type != "llama4_text" || !list->is_array() || !list->array().empty())) {
    const std::string expected = "a list of 0 and 1, at least one for each of " + std::to_string(layers) + " layers";
    if (!list->is_array() || list->array().size() < layers) fields.refuse("model_corrupt", "no_rope_layers", list->describe(), expected);
    for (const json::Value& rope : list->array()) {
      if (!rope.is_integer() || rope.integer() < 0 || rope.integer() > 1) fields.refuse("model_corrupt", "no_rope_layers", rope.describe(), expected);
      if (config.layer_has_rope.size() < layers) config.layer_has_rope.push_back(rope.integer() == 1);
    }
    return;
  }
  const int32_t every = read_step(fields, "no_rope_layer_interval", 4);
  for (int32_t layer = 1; layer <= config.layers; ++layer) config.layer_has_rope.push_back(layer % every != 0);
}

// As Granite's, but what attention and MLP give may be normed before it is multiplied, and logits are multiplied and not divided.
void read_hyperclovax(const ConfigFields& fields, ModelConfig& config) {
  const double residual = read_multiplier(fields, "residual_multiplier", 1.0);
  config.embedding_scale = static_cast<float>(read_multiplier(fields, "embedding_multiplier", 1.0));
  config.attention_scale = static_cast<float>(read_multiplier(fields, "attention_multiplier", config.attention_scale));
  config.logit_scale = static_cast<float>(read_multiplier(fields, "logits_scaling", 1.0));
  config.post_norms = fields.flag("use_post_norm", true);
  if (!config.post_norms) config.scale_residuals(residual);
  else if (residual != 1.0) fields.refuse("model_unsupported", "residual_multiplier", std::to_string(residual), "1 beside use_post_norm");
}

// Granite's multipliers, all 1 where they are missing.
void read_granite(const ConfigFields& fields, ModelConfig& config) {
  const auto multiplier = [&](const char* field) { return read_multiplier(fields, field, 1.0); };
  config.embedding_scale = static_cast<float>(multiplier("embedding_multiplier"));
  config.attention_scale = static_cast<float>(multiplier("attention_multiplier"));
  config.logit_scale = static_cast<float>(1.0 / multiplier("logits_scaling"));
  config.scale_residuals(multiplier("residual_multiplier"));
}

// Granite SWA: what each layer rotates by, 0 for none. Others than one are not kept apart.
void read_layer_thetas(const ConfigFields& fields, ModelConfig& config) {
  config.attention_sinks = true;
  const json::Value* list = fields.get("layer_rope_theta");
  if (list == nullptr) return;
  if (!list->is_array() || list->array().size() != static_cast<size_t>(config.layers)) fields.refuse("model_corrupt", "layer_rope_theta", list->describe(), "one number per layer");
  std::optional<double> theta;
  for (const json::Value& one : list->array()) {
    if (!one.is_number() || !(one.number() >= 0)) fields.refuse("model_corrupt", "layer_rope_theta", one.describe(), "a number of at least 0");
    config.layer_has_rope.push_back(one.number() > 0);
    if (one.number() > 0 && theta.value_or(one.number()) != one.number()) fields.refuse("model_unsupported", "layer_rope_theta", one.describe(), "0, or one number in all layers, " + std::to_string(*theta));
    if (one.number() > 0) theta = one.number();
  }
  if (theta) config.rope.theta = *theta;
}

void refuse_clipping(const ConfigFields& fields) {
  const json::Value* clip = fields.get("clip_qkv");
  if (clip != nullptr) fields.refuse("model_unsupported", "clip_qkv", clip->describe(), "null: clipped queries, keys and values are not supported");
}

// One norm of all heads, as in OLMo 2, and the other norms as in Llama.
void read_olmoe(const ConfigFields& fields, ModelConfig& config) {
  config.qk_norm_of_all = true;
  refuse_clipping(fields);
}

void read_cohere(const ConfigFields& fields, ModelConfig& config) {
  config.logit_scale = static_cast<float>(read_multiplier(fields, "logit_scale", 0.0625));
  config.qk_norm = config.qk_layer_norms = config.model_type == "cohere" && fields.flag("use_qk_norm", false);
}

// Its norms of q and k would have biases, one for all heads; no published model has such norms.
void read_phi(const ConfigFields& fields, ModelConfig& config) {
  config.head_bias = true;
  if (fields.flag("qk_layernorm", false)) fields.refuse("model_unsupported", "qk_layernorm", "true", "false");
}

void read_stablelm(const ConfigFields& fields, ModelConfig& config) {
  config.qk_norm = config.qk_layer_norms = fields.flag("qk_layernorm", false);
  config.parallel_mlp = fields.flag("use_parallel_residual", false);
}

// What its own code knows and no checkpoint has.
void refuse_iquestcoder(const ConfigFields& fields) {
  refuse_clipping(fields);
  if (fields.flag("use_sliding_window", false)) fields.refuse("model_unsupported", "use_sliding_window", "true", "false");
}

void read_gpt_oss(const ConfigFields& fields, ModelConfig& config) {
  use_gpt_oss_layout(config);
  config.gate_sharpness = static_cast<float>(read_multiplier(fields, "swiglu_alpha", config.gate_sharpness));
  config.gate_limit = static_cast<float>(read_multiplier(fields, "swiglu_limit", config.gate_limit));
}

// Experts' weights, and MLPs of layers without any; attention in chunks in layers with RoPE, and queries that grow in the others.
void read_llama4(const ConfigFields& fields, ModelConfig& config) {
  config.experts.normalized = false;
  config.experts.sigmoid_weights = config.experts.weighs_inputs = true;
  const int32_t step = read_step(fields, "interleave_moe_layer_step", 1);
  const std::optional<std::vector<bool>> mixtures = read_layer_list(fields, "moe_layers", config.layers);
  for (int32_t layer = 0; layer < config.layers; ++layer) config.experts.layer_has_none.push_back(mixtures ? !(*mixtures)[static_cast<size_t>(layer)] : (layer + 1) % step != 0);
  config.intermediate_size = fields.integer("intermediate_size_mlp").value_or(16384);
  read_layers_without_rope(fields, config);
  config.qk_norm = config.qk_norm_after_rope = config.qk_norm_weightless = fields.flag("use_qk_norm", true);
  config.sliding_window = fields.integer("attention_chunk_size").value_or(fields.is_null("attention_chunk_size") ? 0 : 8192);
  config.chunked_window = true;
  if (config.sliding_window > 0) config.layer_is_sliding = config.layer_has_rope;
  const json::Value* tuning = fields.get("attn_temperature_tuning");  // a number in its first files
  if (tuning != nullptr && (tuning->is_integer() ? tuning->integer() == 0 : !fields.flag("attn_temperature_tuning", true))) return;
  config.query_growth_without_rope = true;
  config.query_growth = static_cast<float>(fields.number("attn_scale").value_or(0.1));
  config.query_growth_span = read_step(fields, "floor_scale", 8192);
}

// Layers that mlp_only_layers names, and those that decoder_sparse_step passes over.
void read_dense_layers(const ConfigFields& fields, ModelConfig& config) {
  const int32_t step = read_step(fields, "decoder_sparse_step", 1);
  const std::optional<std::vector<bool>> dense = read_layer_list(fields, "mlp_only_layers", config.layers);
  for (int32_t layer = 0; layer < config.layers; ++layer) config.experts.layer_has_none.push_back((layer + 1) % step != 0 || (dense && (*dense)[static_cast<size_t>(layer)]));
}

// Of Transformers 5: "dense" or "sparse" for each layer, whatever else is said. False: it says nothing.
bool read_mlp_types(const ConfigFields& fields, ModelConfig& config) {
  const json::Value* types = fields.get("mlp_layer_types");
  if (types == nullptr) return false;
  if (!types->is_array() || types->array().size() != static_cast<size_t>(config.layers)) fields.refuse("model_corrupt", "mlp_layer_types", types->describe(), "one entry per layer");
  for (const json::Value& type : types->array()) {
    const std::string text = type.is_string() ? type.string() : type.describe();
    if (text != "dense" && text != "sparse") fields.refuse("model_unsupported", "mlp_layer_types", text, "dense or sparse");
    config.experts.layer_has_none.push_back(text == "dense");
  }
  return true;
}

// HunYuan says it for each layer.
int32_t read_experts_per_token(const ConfigFields& fields, const FamilyExperts& assumed) {
  const json::Value* list = fields.get(assumed.per_token_field);
  if (list == nullptr || !list->is_array()) return assumed.per_token < 0 ? fields.required(assumed.per_token_field) : fields.integer(assumed.per_token_field).value_or(assumed.per_token);
  for (const json::Value& one : list->array())
    if (!one.is_integer() || one.integer() < 1 || one.integer() > kExpertsMax || one.integer() != list->array()[0].integer())
      fields.refuse("model_unsupported", assumed.per_token_field, list->describe(), "a whole number, the same for all layers");
  return list->array().empty() ? assumed.per_token : static_cast<int32_t>(list->array()[0].integer());
}

// The first layers, or ERNIE's: those outside of a range, and all but every n-th.
void read_first_dense_layers(const ConfigFields& fields, const Family& family, ModelConfig& config) {
  std::vector<bool>& none = config.experts.layer_has_none;
  if (family.experts.first_dense >= 0) {
    const int32_t first = fields.integer(family.experts.first_dense_field).value_or(family.experts.first_dense);
    for (int32_t layer = 0; layer < config.layers; ++layer) none.push_back(layer < first);
  }
  if (config.model_type != "ernie4_5_moe") return;
  const int32_t begin = fields.integer("moe_layer_start_index").value_or(1), step = read_step(fields, "moe_layer_interval", 1);
  const double end = fields.number("moe_layer_end_index").value_or(-1);
  for (int32_t layer = 0; layer < config.layers; ++layer) none.push_back((layer + 1) % step != 0 || layer < begin || (end != -1 && layer > end));
}

void read_shared_expert(const ConfigFields& fields, const FamilyExperts& assumed, ModelConfig& config) {
  ExpertsConfig& experts = config.experts;
  if (assumed.shared_field == nullptr) return;
  const int32_t said = assumed.shared < 0 ? fields.required(assumed.shared_field) : fields.integer(assumed.shared_field).value_or(assumed.shared);
  const int64_t size = int64_t{said} * (assumed.shared_by_count ? experts.size : 1);
  // Qwen's is always there; those that count others may be none.
  experts.shared = said > 0 || assumed.shared_gate;
  if (!experts.shared) return;
  if (size < 1 || size > 1 << 20) fields.refuse("model_corrupt", assumed.shared_field, std::to_string(said), "a shared expert of 1 to 1048576");
  experts.shared_gate = assumed.shared_gate;
  experts.shared_size = static_cast<int32_t>(size);
}

// DeepSeek's groups of experts, and what weights are multiplied by.
void read_groups(const ConfigFields& fields, const FamilyExperts& assumed, ExpertsConfig& experts) {
  experts.groups = fields.integer("n_group").value_or(assumed.groups);
  experts.groups_per_token = fields.integer("topk_group").value_or(assumed.groups_per_token);
  if (experts.groups < 1 || experts.groups > kExpertGroupsMax || experts.count % experts.groups != 0)
    fields.refuse("model_unsupported", "n_group", std::to_string(experts.groups), "1 to " + std::to_string(kExpertGroupsMax) + ", of which the number of experts, " + std::to_string(experts.count) + ", is a multiple");
  const int32_t each = experts.count / experts.groups;
  if (experts.groups > 1 && each < 2 && !experts.groups_by_best) fields.refuse("model_unsupported", "n_group", std::to_string(experts.groups), "groups of at least two experts");
  if (experts.groups_per_token < 1 || experts.groups_per_token > experts.groups || experts.groups_per_token * each < experts.per_token)
    fields.refuse("model_unsupported", "topk_group", std::to_string(experts.groups_per_token), "groups with at least as many experts as a token passes");
  experts.scale = static_cast<float>(read_multiplier(fields, "routed_scaling_factor", assumed.scale));
}

// What Transformers makes of DeepSeek-V2's: groups only where topk_method asks for them, and never weights that add up to 1.
void read_deepseek2_router(const ConfigFields& fields, const FamilyExperts& assumed, ExpertsConfig& experts) {
  const std::string method = fields.text("topk_method", "greedy");
  if (method != "greedy" && method != "group_limited_greedy") fields.refuse("model_unsupported", "topk_method", '"' + method + '"', "\"greedy\" or \"group_limited_greedy\"");
  experts.normalized = false;
  experts.groups_by_best = true;
  if (method == "greedy") experts.scale = static_cast<float>(read_multiplier(fields, "routed_scaling_factor", assumed.scale));
  else read_groups(fields, assumed, experts);
}

void read_router(const ConfigFields& fields, const FamilyExperts& assumed, bool lfm, ExpertsConfig& experts) {
  experts.sigmoid = assumed.sigmoid;
  experts.choice_bias = assumed.choice_bias || (lfm && fields.flag("use_expert_bias", true));
  experts.sum_min = assumed.choice_bias && !assumed.sigmoid ? static_cast<float>(fields.number("moe_norm_min").value_or(1e-12)) : assumed.sum_min;
  if (assumed.grouped) read_groups(fields, assumed, experts);
  if (lfm) experts.sum_added = kLfmSumAdded;
  if (lfm) experts.scale = static_cast<float>(read_multiplier(fields, "routed_scaling_factor", assumed.scale));
  const std::string scoring = fields.text("scoring_func", "sigmoid");
  if (assumed.sigmoid && scoring != "sigmoid" && scoring != "noaux_tc") fields.refuse("model_unsupported", "scoring_func", '"' + scoring + '"', "\"sigmoid\"");
}

void read_experts(const ConfigFields& fields, const Family& family, ModelConfig& config) {
  const FamilyExperts& assumed = family.experts;
  if (assumed.count == 0) return;
  if (config.model_type == "nemotron_h") {
    const std::string kinds = read_nemotron_kinds(fields);
    if (kinds.find('E') == std::string::npos) return;
    for (const char kind : kinds) config.experts.layer_has_none.push_back(kind != 'E');
    if (fields.get("moe_latent_size") != nullptr) fields.refuse("model_unsupported", "moe_latent_size", fields.get("moe_latent_size")->describe(), "null: experts that read a narrower row are not supported");
  }
  if (config.model_type == "granitemoehybrid" && fields.integer("num_local_experts") == 0) {  // what is shared elsewhere is its MLP
    config.intermediate_size = fields.integer(assumed.shared_field).value_or(assumed.shared);
    return check_range(fields.file(), assumed.shared_field, config.intermediate_size, 1 << 20);
  }
  ExpertsConfig& experts = config.experts;
  // Transformers reads each name of their number.
  std::string count_field;
  for (const char* field : {assumed.count_field, "num_experts", "num_local_experts"}) {
    const std::optional<int32_t> said = field == nullptr ? std::nullopt : fields.integer(field);
    if (!said) continue;
    if (!count_field.empty() && *said != experts.count)
      fields.refuse("model_corrupt", field, std::to_string(*said), "what " + count_field + " says, " + std::to_string(experts.count));
    experts.count = *said;
    count_field = field;
  }
  if (count_field.empty()) {
    count_field = assumed.count_field == nullptr ? "num_local_experts" : assumed.count_field;
    experts.count = assumed.count < 0 ? fields.required(count_field) : assumed.count;
  }
  experts.per_token = read_experts_per_token(fields, assumed);
  experts.size = assumed.size > 0 ? fields.integer("moe_intermediate_size").value_or(assumed.size) : config.intermediate_size;
  experts.normalized = assumed.normalized || fields.flag("norm_topk_prob", assumed.may_be_normalized);
  experts.biased = assumed.biased;
  check_experts(experts, fields.file(), {count_field, assumed.per_token_field, assumed.size > 0 ? "moe_intermediate_size" : "intermediate_size"});
  if (assumed.dense_layers) read_dense_layers(fields, config);
  if (!assumed.typed_layers || !read_mlp_types(fields, config)) read_first_dense_layers(fields, family, config);
  read_shared_expert(fields, assumed, config);
  if (config.model_type == "deepseek_v2") return read_deepseek2_router(fields, assumed, experts);
  read_router(fields, assumed, is_lfm(config.model_type), experts);
}

// What MiniCPM multiplies the embedding, what layers add and the last row by. Each is 1 where its field is null, and not where it is missing.
void read_minicpm(const ConfigFields& fields, ModelConfig& config) {
  config.embedding_scale = static_cast<float>(read_multiplier(fields, "scale_emb", 12.0));
  if (!fields.is_null("scale_depth")) config.scale_residuals(read_multiplier(fields, "scale_depth", 1.4) / std::sqrt(config.layers));
  if (!fields.is_null("dim_model_base")) config.logit_scale = static_cast<float>(read_multiplier(fields, "dim_model_base", 256.0) / config.hidden_size);
}

float read_softcap(const ConfigFields& fields, const Family& family, const json::Value& root, const char* field, float otherwise) {
  if (!family.gemma) return 0;
  const bool present = root.find(field) != nullptr;
  const double cap = present ? fields.number(field).value_or(0.0) : otherwise;
  if (cap < 0) fields.refuse("model_corrupt", field, std::to_string(cap), "a number of at least 0, or null");
  return static_cast<float>(cap);
}

void read_gemma(const ConfigFields& fields, const Family& family, const json::Value& root, ModelConfig& config) {
  // Gemma 3's configuration has this field too, and Transformers computes without it.
  if (config.model_type == "gemma2" || config.model_type == "vaultgemma") config.attention_softcap = read_softcap(fields, family, root, "attn_logit_softcapping", family.attention_softcap);
  if (config.model_type != "gemma") config.logit_softcap = read_softcap(fields, family, root, "final_logit_softcapping", family.logit_softcap);
  const double query_scalar = config.model_type == "gemma" ? config.head_dim : fields.number("query_pre_attn_scalar").value_or(256);
  if (!(query_scalar >= kQueryScalarMin && query_scalar <= kQueryScalarMax))
    fields.refuse("model_corrupt", "query_pre_attn_scalar", std::to_string(query_scalar), "a number from 1e-3 to 1e9");
  config.attention_scale = static_cast<float>(1.0 / std::sqrt(query_scalar));
  config.unit_offset_norms = true;
  use_gemma_layout(config);
}

bool is_gemma4(const ModelConfig& config) { return config.model_type.starts_with("gemma4"); }

// What Gemma 4's layers that see everything have of their own: as it was published, or by layer, as Transformers writes it since 5.24.
void read_full_kv(const ConfigFields& fields, ModelConfig& config) {
  KvShape& full = config.full_kv;
  full = {config.kv_heads, fields.integer("global_head_dim").value_or(512)};
  if (config.full_values_are_keys) full.heads = fields.integer("num_global_key_value_heads").value_or(config.kv_heads);
  if (const json::Value* list = fields.get("per_layer_config")) {
    if (!list->is_object()) fields.refuse("model_corrupt", "per_layer_config", list->describe(), "an object by layer");
    std::optional<KvShape> said;
    for (int32_t layer = 0; layer < config.layers; ++layer) {
      const std::string name = std::to_string(layer), field = "per_layer_config." + name;
      const json::Value* own = list->find(name);
      if (own != nullptr && !own->is_object()) fields.refuse("model_corrupt", field, own->describe(), "an object");
      KvShape shape{config.kv_heads, config.head_dim};
      if (own != nullptr) {
        const ConfigFields inside(*own, fields.file() + ": " + field);
        shape = {inside.integer("num_key_value_heads").value_or(shape.heads), inside.integer("head_dim").value_or(shape.dim)};
      }
      if (config.is_sliding(layer) ? shape != KvShape{config.kv_heads, config.head_dim} : said && *said != shape)
        fields.refuse("model_unsupported", field, own == nullptr ? "nothing" : own->describe(), "nothing for layers that slide, and the same for all others");
      if (!config.is_sliding(layer)) said = shape;
    }
    if (said) full = *said;
  }
}

void read_gemma4(const ConfigFields& fields, const Family& family, const json::Value& root, ModelConfig& config) {
  use_gemma_layout(config);
  config.attention_scale = 1.0f;
  config.value_norm = config.layer_scales = true;
  config.logit_softcap = read_softcap(fields, family, root, "final_logit_softcapping", 0);
  config.full_values_are_keys = fields.flag("attention_k_eq_v", false);
  config.kv_sharing_layers = fields.integer("num_kv_shared_layers").value_or(0);
  config.wide_sharing_mlps = fields.flag("use_double_wide_mlp", false);
  if (config.model_type != "gemma4_text") return;
  if (fields.flag("enable_moe_block", false)) {
    config.experts.count = fields.required("num_experts");
    config.experts.per_token = fields.required("top_k_experts");
    config.experts.size = fields.required("moe_intermediate_size");
    config.experts.normalized = config.experts.apart = true;
    check_experts(config.experts, fields.file(), {"num_experts", "top_k_experts", "moe_intermediate_size"});
  }
  config.per_token.size = fields.integer("hidden_size_per_layer_input").value_or(root.find("hidden_size_per_layer_input") == nullptr ? 256 : 0);
  config.per_token.vocab = fields.integer("vocab_size_per_layer_input").value_or(262144);
}

// Of the layers' kinds, which are known now: the last one sees everything, whatever is said of it.
void finish_gemma4(const ConfigFields& fields, ModelConfig& config) {
  if (config.layer_is_sliding.empty()) config.layer_is_sliding.assign(static_cast<size_t>(config.layers), false);
  config.layer_is_sliding.back() = false;
  read_full_kv(fields, config);
  check_gemma4(config, fields.file(), {"num_global_key_value_heads", "global_head_dim", "num_kv_shared_layers", "hidden_size_per_layer_input", "vocab_size_per_layer_input"});
}

int32_t read_head_dim(const ConfigFields& fields, const Family& family, const ModelConfig& config) {
  if (const auto said = fields.integer("head_dim")) return *said;
  if (family.head_dim > 0) return family.head_dim;
  const int32_t share = config.heads > 0 ? config.hidden_size / config.heads : 0;
  if (share % 2 != 0)
    fields.refuse("model_corrupt", "head_dim", "nothing, and hidden_size / num_attention_heads is " + std::to_string(share), "an even number");
  return share;
}

void read_latent(const ConfigFields& fields, const json::Value& root, const LatentConfig& assumed, ModelConfig& config) {
  const bool direct = root.find("q_lora_rank") != nullptr && fields.get("q_lora_rank") == nullptr;
  const auto number = [&](const char* field, int32_t otherwise) { return fields.integer(field).value_or(otherwise); };
  const int32_t value_dim = assumed.value_dim > 0 ? assumed.value_dim : config.hidden_size / std::max(config.heads, 1);
  config.latent = {number("kv_lora_rank", assumed.kv_rank), direct ? 0 : number("q_lora_rank", assumed.q_rank), number("qk_nope_head_dim", assumed.nope_dim),
                   number("qk_rope_head_dim", assumed.rope_dim), number("v_head_dim", value_dim)};
  if (!direct && config.latent.q_rank == 0) fields.refuse("model_corrupt", "q_lora_rank", "0", "1 to 65536, or null");
  use_latent_layout(config, fields.file(), {"kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"});
}

// A field that is missing and one that is null are different things where the family has a default of its own.
int32_t read_kv_heads(const ConfigFields& fields, const Family& family, const json::Value& root, const ModelConfig& config) {
  const bool present = root.find("num_key_value_heads") != nullptr;
  return fields.integer("num_key_value_heads").value_or(present || family.kv_heads == 0 ? config.heads : family.kv_heads);
}

// A field that has two names.
bool read_either(const ConfigFields& fields, const char* name, const char* other) {
  const bool said = fields.get(name) != nullptr, value = fields.flag(name, false), same = fields.flag(other, value);
  if (said && value != same) fields.refuse("model_corrupt", other, same ? "true" : "false", std::string("what ") + name + " says");
  return same;
}

// InternLM 3 as Transformers has it: on every projection or on none.
void read_internlm_biases(const ConfigFields& fields, ModelConfig& config) {
  config.attention_bias = config.output_bias = read_either(fields, "attention_bias", "qkv_bias");
  config.mlp_bias = read_either(fields, "mlp_bias", "bias");
  if (config.mlp_bias != config.attention_bias)
    fields.refuse("model_unsupported", "bias", config.mlp_bias ? "true" : "false", "what qkv_bias says");
}

// MiniMax-M2 says it in components.
double read_rotary_share(const ConfigFields& fields, const Family& family, const ModelConfig& config) {
  const std::optional<int32_t> components = config.model_type == "minimax_m2" ? fields.integer("rotary_dim") : std::nullopt;
  if (!components) return family.rotary_share;
  if (*components < 2 || *components > config.head_dim || *components % 2 != 0)
    fields.refuse("model_corrupt", "rotary_dim", std::to_string(*components), "an even number up to head_dim, " + std::to_string(config.head_dim));
  return double(*components) / config.head_dim;
}

void read_biases(const ConfigFields& fields, const Family& family, ModelConfig& config) {
  const bool as_config = family.attention_bias == Bias::as_config;
  config.attention_bias = as_config ? fields.flag("attention_bias", family.biased) : family.attention_bias == Bias::qkv;
  config.output_bias = config.attention_bias && as_config && family.output_bias;
  config.mlp_bias = family.mlp_bias && fields.flag("mlp_bias", family.mlp_biased);
  if (config.model_type == "qwen2_moe") config.attention_bias = fields.flag("qkv_bias", true);
  if (config.model_type == "stablelm") config.attention_bias = fields.flag("use_qkv_bias", false);
  if (config.model_type == "phi") config.attention_bias = config.output_bias = config.mlp_bias = true;
  if (config.model_type == "seed_oss") config.output_bias = fields.flag("attention_out_bias", false);
  const bool starcoder = config.model_type == "starcoder2";
  if (starcoder || config.model_type == "ernie4_5") config.attention_bias = config.output_bias = config.mlp_bias = fields.flag("use_bias", starcoder);
  if (config.model_type == "internlm3") read_internlm_biases(fields, config);
  if (config.model_type == "ernie4_5_moe" && fields.flag("use_bias", false)) fields.refuse("model_unsupported", "use_bias", "true", "false: the head of this family would have a bias too");
}

}  // namespace

void use_gemma_layout(ModelConfig& config) {
  config.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(config.hidden_size)));
}

void use_gpt_oss_layout(ModelConfig& config) {
  config.attention_sinks = true;
  config.activation = Activation::clamped_silu;
  config.gate_sharpness = 1.702f;
  config.gate_limit = 7.0f;
}

void use_olmo_layout(ModelConfig& config) {
  config.pre_norms = false;
  config.post_norms = config.qk_norm = config.qk_norm_of_all = true;
}

void use_exaone_layout(ModelConfig& config) {
  config.pre_norms = false;
  config.post_norms = config.qk_norm = true;
  config.layer_has_rope = config.layer_is_sliding;
}

namespace {

ModelConfig read_decoder(const json::Value& root, const std::string& file, const Family& family) {
  const ConfigFields fields(root, file);
  const auto number = [&](const char* field, int32_t otherwise) { return otherwise > 0 ? fields.integer(field).value_or(otherwise) : fields.required(field); };
  ModelConfig config;
  config.model_type = family.model_type;
  config.vocab_size = number("vocab_size", family.vocab_size);
  config.hidden_size = fields.required("hidden_size");
  config.intermediate_size = config.model_type == "lfm2" ? read_lfm_size(fields, root, family.intermediate_size) : number("intermediate_size", family.intermediate_size);
  const std::string kinds = config.model_type == "nemotron_h" ? read_nemotron_kinds(fields) : "";
  config.layers = kinds.empty() ? fields.required("num_hidden_layers") : static_cast<int32_t>(kinds.size());
  config.heads = number("num_attention_heads", family.heads);
  config.kv_heads = read_kv_heads(fields, family, root, config);
  const bool latent = family.latent.kv_rank > 0;
  if (latent) read_latent(fields, root, family.latent, config);
  else config.head_dim = read_head_dim(fields, family, config);
  config.max_positions = fields.integer("max_position_embeddings").value_or(family.max_positions);
  config.rms_norm_eps = family.norm_eps_field == nullptr ? family.rms_norm_eps : static_cast<float>(fields.number(family.norm_eps_field).value_or(family.rms_norm_eps));
  config.linear.norm_eps = config.rms_norm_eps;
  config.tied_embeddings = fields.flag(is_lfm(config.model_type) && fields.get("tie_embedding") != nullptr ? "tie_embedding" : "tie_word_embeddings", family.tied_embeddings);
  read_biases(fields, family, config);
  config.qk_norm = family.qk_norm;
  config.qk_norm_after_rope = family.qk_norm_after_rope;
  config.gated_mlp = family.gated_mlp;
  config.layer_norms = family.layer_norms;
  config.norm_biases = family.norm_biases;
  config.norm_weights = family.norm_weights;
  config.parallel_mlp = family.parallel_mlp;
  config.unit_offset_norms = family.unit_offset_norms;
  config.post_norms = family.post_norms;
  config.fused_qkv = family.fused_qkv;
  config.fused_gate_up = family.fused_gate_up;
  config.activation = read_activation(fields, family);
  config.bos_token = fields.get("bos_token_id") != nullptr ? fields.integer("bos_token_id").value_or(-1) : -1;
  check_model_config(config, file);
  config.attention_scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim));
  if (is_gemma4(config)) read_gemma4(fields, family, root, config);
  else if (family.gemma) read_gemma(fields, family, root, config);
  if (family.olmo) use_olmo_layout(config);
  if (config.model_type == "olmoe") read_olmoe(fields, config);
  if (config.model_type == "olmo") refuse_clipping(fields);
  if (config.model_type == "iquestcoder") refuse_iquestcoder(fields);
  if (config.model_type == "gpt_oss") read_gpt_oss(fields, config);
  if (config.model_type.starts_with("granite")) read_granite(fields, config);
  if (config.model_type == "hyperclovax") read_hyperclovax(fields, config);
  if (config.model_type == "minicpm3") read_minicpm(fields, config);
  if (config.model_type.starts_with("cohere")) read_cohere(fields, config);
  if (config.model_type == "phi") read_phi(fields, config);
  if (config.model_type == "stablelm") read_stablelm(fields, config);
  if (config.model_type == "minimax_m2") config.qk_norm_of_all = true;
  if (config.model_type == "glm4_moe") config.qk_norm = fields.flag("use_qk_norm", false);
  read_experts(fields, family, config);
  if (config.model_type == "smollm3") read_layers_without_rope(fields, config);
  if (config.model_type == "llama4_text") read_llama4(fields, config);
  config.rope.theta = family.rope_theta;
  config.rope.interleaved = family.interleaved && (!latent || config.model_type == "deepseek_v2" || fields.flag("rope_interleave", true));
  if (family.sliding_rope_theta > 0) config.sliding_rope.emplace().theta = family.sliding_rope_theta;
  config.rope.rotary_dim = config.latent.rope_dim;
  if (config.model_type != "nemotron_h") read_ropes(root, file, read_rotary_share(fields, family, config), config);
  if (latent) stretch_scores(config);
  if (config.model_type == "granite_swa") read_layer_thetas(fields, config);
  read_sliding_window(fields, family, root, config);
  if (!read_states(fields, root, config)) read_layer_types(fields, config);
  if (config.model_type == "exaone4") use_exaone_layout(config);
  if (is_gemma4(config)) finish_gemma4(fields, config);
  if (config.model_type == "cohere2" || config.model_type == "exaone_moe") config.layer_has_rope = config.layer_is_sliding;
  read_quantization(fields, config);
  return config;
}

// Of a language model that has a name of its own.
ModelConfig read_alone(const json::Value& root, const std::string& file) {
  const ConfigFields fields(root, file);
  const Family& family = find_family(fields);
  refuse_unsupported(fields, {"ForCausalLM"});
  return read_decoder(root, file, family);
}

ModelConfig read_part(const json::Value& text, const std::string& file, const VisionModel& model) {
  const ConfigFields fields(text, file);
  const std::string type = fields.text("model_type", model.text_type);
  if (type != model.text_type && !(model.flat && type == model.model_type))
    fields.refuse("model_unsupported", "model_type", '"' + type + '"', '"' + std::string(model.text_type) + '"');
  refuse_unsupported(fields, {"ForConditionalGeneration", "ForCausalLM"});
  return read_decoder(text, file, *model.language_model);
}

// A vision model, of which the language model is served: its fields are in text_config.
ModelConfig read_language_model(const json::Value& root, const std::string& file, const VisionModel& model) {
  const ConfigFields fields(root, file);
  const json::Value* text = fields.get("text_config");
  if (text == nullptr && model.flat) text = &root;
  if (text == nullptr || !text->is_object()) fields.refuse("model_corrupt", "text_config", text == nullptr ? "nothing" : text->describe(), "an object");
  refuse_unsupported(fields, {"ForConditionalGeneration"});
  const ConfigFields inner(*text, text == &root ? file : file + ": text_config");
  if (model.text_type == nullptr && inner.get("model_type") == nullptr) inner.refuse("model_corrupt", "model_type", "nothing", "the language model's");
  ModelConfig config = model.text_type == nullptr ? read_alone(*text, inner.file()) : read_part(*text, inner.file(), model);
  config.sees_images = true;
  // Of the two that say it, Transformers reads the outer one; of Qwen's Transformers 4 reads the inner one. A head that is in the file counts in any case.
  config.tied_embeddings = fields.flag("tie_word_embeddings", model.text_type == nullptr) || (model.text_type != nullptr && inner.flag("tie_word_embeddings", false));
  if (!is_gemma4(config)) config.logit_softcap = 0;  // final_logit_softcapping is read where the language model stands alone
  read_quantization(fields, config);
  return config;
}

}  // namespace

ModelConfig config_from_hf(const json::Value& root, const std::string& file) {
  const std::string type = ConfigFields(root, file).text("model_type", "");
  for (const VisionModel& model : kVisionModels)
    if (type == model.model_type) return read_language_model(root, file, model);
  return read_alone(root, file);
}

void check_experts(const ExpertsConfig& experts, const std::string& file, const std::array<std::string, 3>& fields) {
  check_range(file, fields[0], experts.count, kExpertsMax);
  check_range(file, fields[1], experts.per_token, experts.count);
  check_range(file, fields[2], experts.size, 1 << 20);
}

void use_latent_layout(ModelConfig& config, const std::string& file, const std::array<std::string, 5>& fields) {
  const LatentConfig& latent = config.latent;
  const auto refuse = [&](const std::string& field, int32_t found, const std::string& expected) {
    throw Error("model_unsupported", file + ": " + field + ": found " + std::to_string(found) + ", expected " + expected);
  };
  check_range(file, fields[0], latent.kv_rank, 1024);
  if (latent.q_rank != 0) check_range(file, fields[1], latent.q_rank, 1 << 16);
  check_range(file, fields[2], latent.rope_dim, 1024);
  check_range(file, fields[3], latent.nope_dim, 1024);
  check_range(file, fields[4], latent.value_dim, 1024);
  config.head_dim = latent.nope_dim + latent.rope_dim;
  config.kv_heads = 1;
  if (latent.rope_dim % 2 != 0) refuse(fields[2], latent.rope_dim, "an even number");
  if (config.head_dim % 2 != 0) refuse(fields[3], latent.nope_dim, "an even number");
}

void stretch_scores(ModelConfig& config) {
  const double stretch = yarn_mscale(config.rope.factor, config.rope.mscale_all_dim);
  config.attention_scale = static_cast<float>(config.attention_scale * stretch * stretch);
}

// Each kind of layer that shares has one to share.
void check_gemma4(const ModelConfig& config, const std::string& file, const std::array<std::string, 5>& fields) {
  const auto refuse = [&](const char* code, size_t field, int32_t found, const std::string& expected) {
    throw Error(code, file + ": " + fields[field] + ": found " + std::to_string(found) + ", expected " + expected);
  };
  const KvShape& full = config.full_kv;
  if (full.heads < 1 || config.heads % full.heads != 0) refuse("model_corrupt", 0, full.heads, "a divisor of num_attention_heads, " + std::to_string(config.heads));
  if (full.dim < 2 || full.dim > 1024 || full.dim % 2 != 0) refuse("model_corrupt", 1, full.dim, "an even number up to 1024");
  if (config.kv_sharing_layers >= config.layers) refuse("model_unsupported", 2, config.kv_sharing_layers, "less than num_hidden_layers, " + std::to_string(config.layers));
  for (int32_t layer = config.first_sharing(); layer < config.layers; ++layer)
    if (config.is_sliding(config.kv_source(layer)) != config.is_sliding(layer))
      refuse("model_corrupt", 2, config.kv_sharing_layers, "fewer, so that layers of both kinds come before those that share");
  if (config.per_token.size == 0) return;
  if (config.per_token.size > 1 << 14) refuse("model_corrupt", 3, config.per_token.size, "0 to 16384");
  if (config.per_token.vocab < config.vocab_size) refuse("model_unsupported", 4, config.per_token.vocab, "at least vocab_size, " + std::to_string(config.vocab_size));
}

void check_model_config(const ModelConfig& config, const std::string& file) {
  const auto range = [&](const char* field, int32_t value, int32_t most) { check_range(file, field, value, most); };
  range("vocab_size", config.vocab_size, 1 << 24);
  range("hidden_size", config.hidden_size, 1 << 17);
  range("intermediate_size", config.intermediate_size, 1 << 20);
  range("num_hidden_layers", config.layers, 1024);
  range("num_attention_heads", config.heads, 1024);
  range("num_key_value_heads", config.kv_heads, config.heads);
  range("head_dim", config.head_dim, 1024);
  range("max_position_embeddings", config.max_positions, 1 << 28);
  if (config.heads % config.kv_heads != 0)
    throw Error("model_corrupt", file + ": num_key_value_heads: found " + std::to_string(config.kv_heads) +
                                     ", expected a divisor of num_attention_heads, " + std::to_string(config.heads));
  if (config.head_dim % 2 != 0)
    throw Error("model_corrupt", file + ": head_dim: found " + std::to_string(config.head_dim) + ", expected an even number");
  if (!(config.rms_norm_eps >= 0.0f && config.rms_norm_eps < 1.0f))
    throw Error("model_corrupt", file + ": rms_norm_eps: found " + std::to_string(config.rms_norm_eps) + ", expected 0 to 1");
}

}  // namespace sgmv
