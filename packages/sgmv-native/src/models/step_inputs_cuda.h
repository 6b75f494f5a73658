// What a step's kernels read about the step: filled on the host in page-locked memory, copied to the device in one piece.
// The device's arrays keep their places from step to step, so that recorded launches find them. On the host there are two of
// each, for a step to be filled while the one before is still to be copied.
#pragma once

#include <array>

#include "cuda/memory.h"
#include "cuda/stream.h"
#include "ops/attention_cuda.h"
#include "ops/state_mixer_cuda.h"
#include "ops/layers_cuda.h"
#include "ops/sampling_cuda.h"
#include "ops/sgmv_cuda.h"

namespace sgmv::cuda {

struct StepArrays {
  int32_t* token_ids;                        // [tokens]
  int32_t* positions;                        // [tokens]
  int32_t* slots;                            // [tokens]
  uint8_t* long_context;                     // [tokens]
  const LoraFactor** factors;                // [tokens]
  const LoraFactor** router_factors;         // [tokens], null entries: no router is adapted
  const LoraFactor** expert_factors;         // [tokens], null entries: no expert is adapted
  const LoraFactor** kv_b_factors;           // [tokens], null entries: kv_b is not adapted
  const LoraEmbeddingFactors** embeddings;   // [tokens]
  AttentionTile* tiles;                      // [tokens]
  int32_t* rows;                             // [rows]: tokens whose logits are computed
  const LoraFactor** row_factors;            // [rows]
  SampleRow* draws;                          // [rows]
  StateSlice* slices;                        // [tokens], of models with states
  int32_t* slice_of_token;                   // [tokens], likewise
  int32_t* block_tables;                     // last: only the part in use is copied
};

class StepInputs {
 public:
  explicit StepInputs(bool has_states) : has_states_(has_states) {}

  // Room for so many. True: the arrays on the device have moved, once all that `stream` had to do was done.
  bool reserve(const Stream& stream, int64_t tokens, int64_t rows, int64_t table_entries);

  // The next step's arrays from here on; those of the step before the last are free.
  void turn() { host_index_ = 1 - host_index_; }
  const StepArrays& host() const { return host_[host_index_]; }
  const StepArrays& device() const { return device_; }
  void upload(cudaStream_t stream, int64_t table_entries) const;

 private:
  void allocate();
  StepArrays lay_out(std::byte* base, size_t& bytes) const;

  const bool has_states_;
  int64_t tokens_ = 0, rows_ = 0, table_entries_ = 0;
  size_t bytes_before_tables_ = 0;
  std::array<PinnedArray<std::byte>, 2> host_bytes_;
  std::array<StepArrays, 2> host_{};
  size_t host_index_ = 0;
  DeviceArray<std::byte> device_bytes_;
  StepArrays device_{};
};

}  // namespace sgmv::cuda
