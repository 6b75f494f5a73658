// The model that the adapters of the corpus belong to (scripts/make-fuzz-corpus.mjs cuts them to its shape): small,
// so that a fuzzed file is small too.
#pragma once

#include "sgmv/model_config.h"

namespace sgmv::fuzz {

inline ModelConfig fuzz_model() {
  ModelConfig config;
  config.model_type = "llama";
  config.vocab_size = 16;
  config.hidden_size = 8;
  config.intermediate_size = 12;
  config.layers = 2;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 4;
  config.max_positions = 64;
  return config;
}

}  // namespace sgmv::fuzz
