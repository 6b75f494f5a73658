// Layers with a state on CUDA (layers/state_mixer.h has the formulas): three launches, of a short convolution one, whose arguments do not
// depend on who is in the step. All functions only enqueue; pointers are to device memory. Sums are in an order that the model's shape alone decides,
// and a slice's tokens follow one another: a token has the same bits whatever the batch and however its prompt was cut.
// docs/kernels/gated-delta.md has the design.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/number.h"
#include "sgmv/model_config.h"

namespace sgmv::cuda {

inline constexpr int32_t kStateHeadDimMax = 256;  // of keys and of values

// A sequence's tokens in the batch and its slots; count 0: nothing.
struct StateSlice {
  int32_t token_begin;
  int32_t token_count;
  int32_t state_from;  // -1: zeros
  int32_t state_to;
};

struct StateWork {
  LinearAttentionShape shape;
  float eps = 1e-6f;                       // of the norm of what the states give
  Number type = Number::bf16;              // of out
  const float* projected = nullptr;        // [tokens, width], biases included
  const float* conv = nullptr;             // [taps, conv_width]
  const float* conv_bias = nullptr;        // [conv_width] or null
  const float* decay_rates = nullptr;      // [value_heads]
  const float* dt_bias = nullptr;          // [value_heads]
  const float* skip = nullptr;             // [value_heads], of mamba2
  const float* norm = nullptr;             // of gated_delta [value_dim], of mamba2 [values]
  const StateSlice* slices = nullptr;      // [slice_count]
  const int32_t* slice_of_token = nullptr; // [tokens]; -1: a row that only fills a bucket
  int32_t slice_count = 0;
  int32_t tokens = 0;
  float* states = nullptr;                 // of this layer in slot 0
  int64_t slot_floats = 0;                 // from slot to slot
  // Working memory, which a short convolution does without.
  float* mixed = nullptr;                  // [tokens, conv_width]
  float* gates = nullptr;                  // [tokens, 2, value_heads]: decays, betas
  float* read = nullptr;                   // [tokens, values]
  void* out = nullptr;                     // [tokens, padded(values)] in `type`; padding kept
};
void mix_states(cudaStream_t stream, const StateWork& work);

// x [tokens, padded(heads · head_dim)] in `type`: each head's output times the sigmoid of its gate, which follows its query in qkv.
struct AttentionGate {
  Number type = Number::bf16;
  const float* qkv = nullptr;   // rows `stride` apart
  const float* bias = nullptr;  // of qkv, or null
  int64_t stride = 0;
  int32_t tokens = 0;
  int32_t heads = 0;
  int32_t head_dim = 0;
  void* x = nullptr;
};
void gate_attention(cudaStream_t stream, const AttentionGate& work);

}  // namespace sgmv::cuda
