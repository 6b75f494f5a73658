// A mixture of experts on CUDA: which experts the tokens of a step pass, where their rows lie, and the products of all experts
// in one launch. Everything is decided on the device, so that a recorded graph serves any routing; launches depend on the
// number of tokens alone. All functions only enqueue; pointers are to device memory.
//
// Rows are sorted by expert, within one by token. No atomics and no sums whose order depends on the batch: a token has the
// same bits alone and in any company. docs/kernels/mixture.md has the design.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/number.h"
#include "ops/linear_cuda.h"
#include "ops/sgmv_cuda.h"

namespace sgmv::cuda {

inline constexpr int32_t kExpertsMax = 1024;  // of a layer
inline constexpr int32_t kExpertGroupsMax = 32;
inline constexpr int kFactorsPerExpert = 3;   // gate, up, down
inline constexpr int kFactorsPerRouter = 2;   // router, gate of the shared expert

// Rows of one expert that are multiplied together.
struct ExpertTile {
  int32_t expert;
  int32_t row_begin;
  int32_t row_count;  // at most Routing::tile_rows
};

struct Routing {
  int32_t tokens = 0;
  int32_t experts = 0;      // up to kExpertsMax
  int32_t per_token = 0;    // up to `experts`
  bool normalized = false;  // the weights of the chosen ones add up to 1, not those of all experts
  bool shared = false;      // beside them stands an MLP
  bool shared_gate = false; // with a gate of its own
  int32_t tile_rows = 0;    // expert_tile_rows()
  const float* biases = nullptr;  // [rated()], of the scores; null: none

  // Of ExpertsConfig: what experts are chosen by, and what they count.
  bool by_worth = false, sigmoid = false, sigmoid_weights = false;
  bool weighs_inputs = false;          // add_experts() adds rows as they are
  const float* choice_bias = nullptr;  // [experts]; null: none
  int32_t groups = 1, groups_per_token = 1;  // up to kExpertGroupsMax; `experts` is a multiple of the first
  bool groups_by_best = false;
  float scale = 1.0f, sum_min = 0.0f, sum_added = 0.0f;
  const float* weight_scales = nullptr;  // [experts]: what each one's weight is multiplied by; null: 1

  // Room for what is found out; rows() of rows, of which tokens that only fill a bucket take none.
  float* scores = nullptr;            // [tokens, rated()]
  int32_t* chosen = nullptr;          // [tokens, per_token]: a token's experts, by number; -1: none
  float* weights = nullptr;           // [tokens, per_token]: what each counts
  float* shared_weights = nullptr;    // [tokens], with a gate of a shared expert
  int32_t* counts = nullptr;          // [experts]: rows of each
  int32_t* row_of_choice = nullptr;   // [tokens, per_token]
  int32_t* choice_of_row = nullptr;   // [rows()]: token · per_token + which of its experts
  int32_t* expert_of_row = nullptr;   // [rows()], by gather_expert_rows(), 0 where no token has the row; null: nobody asks
  float* weight_of_row = nullptr;     // [rows()], likewise: what a row counts
  int32_t* totals = nullptr;          // [2]: rows, tiles
  ExpertTile* tiles = nullptr;        // [tiles_max()]

  constexpr int32_t rated() const { return experts + (shared_gate ? 1 : 0); }
  constexpr int32_t rows() const { return tokens * per_token; }
  int32_t tiles_max() const;  // of any routing of so many tokens
};

// How many rows of an expert a block multiplies, for speed alone: about what an expert has where all are asked for alike.
int32_t expert_tile_rows(Number type, int64_t rows, int32_t experts);

// scores := x · routerᵀ in float32. x: [tokens, in], router: [rated, in] of float32; rows of both are padded(in) apart and have zeros
// behind them.
void rate_experts(cudaStream_t stream, const Routing& routing, const float* x, const LinearWeights& router);

// scores := dora · (scores + scale · (x · Aᵀ) · Bᵀ) of tokens whose adapter adapts the router of layer `layer` or the shared expert's gate.
// `factors_of_token` [tokens]: null or at kFactorsPerRouter factors a layer, in float32 whatever the model's numbers are: A [rank, padded(width)],
// B [experts or 1, lora_b_stride(rank)]. x as above.
void adapt_scores(cudaStream_t stream, const Routing& routing, const float* x, int32_t width, const LoraFactor* const* factors_of_token, int32_t layer);

// Adds the biases to the scores. The experts with the highest ones, of equal ones those with the lower numbers, and what each counts. `slots` [tokens]: below 0
// for a token that only fills a bucket. A score that is no number is the lowest. By worth: what scores are worth stands in their place
// afterwards, and the choice is by that with the experts' biases, of the best groups.
void choose_experts(cudaStream_t stream, const Routing& routing, const int32_t* slots);

// counts, rows, totals and tiles.
void sort_expert_rows(cudaStream_t stream, const Routing& routing);

// Row r of `out` := the row of x whose token it is; both [.., padded(width)] in `type`. With `factors_of_token` [tokens], each null or at
// an adapter's factors of a layer's first expert: factors_of_row [rows()] := at those of the row's expert.
void gather_expert_rows(cudaStream_t stream, const Routing& routing, Number type, const void* x, int32_t width, void* out,
                        const LoraFactor* const* factors_of_token, const LoraFactor** factors_of_row);

// As linear(), each row with its expert's matrix: work.weights is [experts, out, in], work.tokens is not looked at. Batch-invariant, and the
// bits of linear(). Rows that no token has are left as they are.
void linear_of_experts(cudaStream_t stream, const Routing& routing, const LinearWork& work);

// y [tokens, width] := Σ weight · (row + the expert's bias) over a token's experts, by number; with a shared one, whose output y is and `bias`
// [width] or null still to be added to it: shared weight, or 1 without a gate, · (y + bias) + that. rows: [rows(), width]; expert_biases: [experts, width] or null.
void add_experts(cudaStream_t stream, const Routing& routing, const float* rows, int32_t width, const float* expert_biases, const float* bias, float* y);

}  // namespace sgmv::cuda
