// What happens between the products of a step on CUDA, token by token. All functions only enqueue; pointers are to
// device memory. float32 rows are `width` numbers apart unless a stride is given; rows in `type` are padded(width) apart
// and keep their padding, which is zero.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/number.h"
#include "sgmv/model_config.h"

namespace sgmv::cuda {

// Rows that are an adapter's own, in place of the model's.
struct OwnRows {
  const int32_t* tokens = nullptr;  // [count], ascending
  const float* rows = nullptr;      // [count, width]
  int32_t count = 0;
};

// What one adapter changes in the embedding: row += scale · a[token] · bᵀ, with a [vocab, rank] and b [width, rank] without padding, or own rows
// of it and of the head.
struct LoraEmbeddingFactors {
  const void* a = nullptr;
  const void* b = nullptr;
  int32_t rank = 0;
  float scale = 0;
  OwnRows own = {}, head = {};
};

struct Embedding {
  Number type = Number::bf16;   // of table, a and b
  const void* table = nullptr;  // [vocab, padded(width)]
  const float* scales = nullptr;  // [vocab]: table is e4m3 instead, and row t is multiplied by scales[t]; null: it is in `type`
  const int32_t* token_ids = nullptr;                             // [tokens]; below 0: drawn[-1 - id] instead
  const int32_t* drawn = nullptr;                                 // where that is below 0 too, it counts as 0
  const LoraEmbeddingFactors* const* lora_of_token = nullptr;     // [tokens], null entries: none; null: no token has any
  float scale = 1.0f;           // of the result, LoRA included
  int32_t tokens = 0;
  int32_t width = 0;
  float* out = nullptr;         // [tokens, width]
};
void embed(cudaStream_t stream, const Embedding& work);

// logits[row][t] := x[row] · own row of t, of all such rows of the head.
struct OwnLogits {
  Number type = Number::bf16;    // of x
  const void* x = nullptr;       // [rows, padded(width)]
  const int32_t* tokens = nullptr;                             // [rows]: index of the row's token in the batch
  const LoraEmbeddingFactors* const* lora_of_token = nullptr;  // [tokens], null entries: none
  int32_t rows = 0;
  int32_t width = 0;
  int64_t vocab = 0;
  float* logits = nullptr;       // [rows, vocab]
};
void write_own_logits(cudaStream_t stream, const OwnLogits& work);

inline constexpr int32_t kNormWidthMax = 16384;

// residual := (residual + post_norm(delta + delta_bias) + beside + beside_bias) · scale; normed := rms_norm(residual, norm) or, with a norm_bias,
// layer_norm(residual, norm, norm_bias).
// Each optional part is left out where its pointer is null: without delta only the norm remains, without norm a copy.
// rms_norm(x, w) = x / √(mean(x²) + eps) · w; layer_norm(x, w, b) = rms_norm(x - mean(x), w) + b.
struct AddAndNorm {
  Number type = Number::bf16;         // of normed
  const float* delta = nullptr;       // [tokens, width]
  const float* delta_bias = nullptr;  // [width]
  const float* post_norm = nullptr;   // [width]
  const float* norm = nullptr;        // [width]
  float eps = 1e-5f;
  int32_t tokens = 0;
  int32_t width = 0;                  // at most kNormWidthMax; above 8192 a multiple of 4
  float* residual = nullptr;          // [tokens, width]
  void* normed = nullptr;             // [tokens, padded(width)] in `type`
  float* exact = nullptr;             // the same before it is rounded to `type`; null: not wanted
  const float* norm_bias = nullptr;   // [width], beside a norm; null: no mean is taken off
  float scale = 1.0f;
  const float* beside = nullptr;      // [tokens, width], only with delta
  const float* beside_bias = nullptr; // [width], only with beside
};
void add_and_norm(cudaStream_t stream, const AddAndNorm& work);

// y := rms_norm(y, y_norm) + rms_norm(x, x_norm).
struct AddNormed {
  const float* x = nullptr;       // [tokens, width]
  const float* x_norm = nullptr;  // [width]
  const float* y_norm = nullptr;
  float eps = 1e-6f;
  int32_t tokens = 0;
  int32_t width = 0;
  float* y = nullptr;             // [tokens, width]
};
void add_normed(cudaStream_t stream, const AddNormed& work);

// In place, with q, k and v side by side in each row: q := rms_norm(q + its bias, q_norm), the same of k, v += its bias.
struct NormQueriesAndKeys {
  const float* bias = nullptr;    // [q_width + 2 · kv_width] or null
  const float* q_norm = nullptr;  // [q_width]
  const float* k_norm = nullptr;  // [kv_width]
  float eps = 1e-5f;
  int32_t tokens = 0;
  int32_t q_width = 0;
  int32_t kv_width = 0;
  float* qkv = nullptr;           // [tokens, q_width + 2 · kv_width]
};
void norm_queries_and_keys(cudaStream_t stream, const NormQueriesAndKeys& work);

// out := activation(gate + bias[..width)) · (up + bias[width..)), with gate and up side by side in each row of gate_up (of clamped_silu as
// in model_config.h); or, not gated, activation(up + bias), with nothing else in a row.
struct GatedActivation {
  Number type = Number::bf16;      // of out
  Activation activation = Activation::silu;
  float sharpness = 1.0f, limit = 0.0f;  // of clamped_silu
  const float* gate_up = nullptr;  // [tokens, 2 · width], not gated or beside `up` [tokens, width]
  const float* bias = nullptr;     // of a row, or null; with bias_of_row [.., 2 · width]
  const int32_t* bias_of_row = nullptr;  // [tokens]: which of the biases is a row's; null: the first of all
  int32_t tokens = 0;
  int32_t width = 0;
  void* out = nullptr;             // [tokens, padded(width)] in `type`
  bool gated = true;
  const float* up = nullptr;       // rows of `up` that lie elsewhere, up_stride apart, without a bias; null: beside their gates
  int64_t up_stride = 0;
  float gate_scale = 1.0f, scale = 1.0f;  // of what is activated, its bias included, and of out
  Xielu xielu = {};
  const float* row_scales = nullptr;  // [tokens]: what gate and up are multiplied by first, biases not included; null: 1
};
void gated_activation(cudaStream_t stream, const GatedActivation& work);

// What Gemma 4 gives each token for each layer (PerTokenConfig), in place: every `size` numbers of a row of `rows` become
// (rms_norm(projection_scale · they, norm) + embedding_scale · those of the token's row of `table`) / √2.
struct PerTokenRows {
  Number type = Number::bf16;          // of table
  const void* table = nullptr;         // [vocab, padded(layers · size)]
  const int32_t* token_ids = nullptr;  // [tokens], as of Embedding
  const int32_t* drawn = nullptr;
  const float* norm = nullptr;         // [size]
  float eps = 1e-6f;
  float projection_scale = 1.0f, embedding_scale = 1.0f;
  int32_t tokens = 0;
  int32_t layers = 0;
  int32_t size = 0;
  float* rows = nullptr;               // [tokens, layers · size]
};
void mix_per_token_rows(cudaStream_t stream, const PerTokenRows& work);

// Row i of `out` := row rows[i] of `in`, both [.., padded(width)] in `type`.
void gather_rows(cudaStream_t stream, Number type, const void* in, const int32_t* rows, int32_t count, int32_t width, void* out);

// x [rows, width] += bias [width].
void add_bias(cudaStream_t stream, const float* bias, int32_t rows, int32_t width, float* x);

// logits [rows, vocab]: c · tanh(x / c) in place.
void softcap_logits(cudaStream_t stream, float* logits, int64_t count, float cap);

}  // namespace sgmv::cuda
