// Choosing tokens on the device, by the rules of Sampler (sgmv/sampling.h): temperature, top-k, top-p, min-p, equal logits
// by lower id, and the draw of uniform_at(seed, position).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace sgmv::cuda {

// temperature 0 (or top_k 1): the highest logit.
struct SampleRow {
  float temperature = 0;
  int32_t top_k = 0;  // 0: all
  float top_p = 1;
  float min_p = 0;
  uint32_t seed = 0;
  uint32_t position_low = 0, position_high = 0;  // of the token that is chosen
};

inline constexpr int32_t kSampleVocabMax = 1 << 19;
inline constexpr int32_t kNoToken = -1;  // a row with a NaN or without a finite highest logit

// tokens[i] := the choice from row i of logits [rows, vocab] (rows vocab apart, vocab at most kSampleVocabMax). Only
// enqueues; deterministic, and a row's choice does not depend on other rows.
void sample(cudaStream_t stream, const float* logits, const SampleRow* rows, int32_t row_count, int32_t vocab, int32_t* tokens);

}  // namespace sgmv::cuda
