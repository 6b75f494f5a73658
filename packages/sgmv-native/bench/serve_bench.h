// Batched generation straight on the model: what the engine's steps cost without scheduler, sampler or JavaScript.
#pragma once

#include <string>
#include <vector>

#include "sgmv/model.h"

namespace sgmv::bench {

struct ServeOptions {
  int32_t requests = 32;
  int32_t prompt_tokens = 64;
  int32_t new_tokens = 128;
  int32_t step_tokens = 512;  // of a prefill step
};

struct ServeResult {
  std::string popularity;          // base, identical, distinct
  double new_tokens_per_second = 0;  // prefill included
  double prefill_seconds = 0;
  double prefill_tokens_per_second = 0;
  double decode_step_ms = 0;       // median
  double decode_step_ms_best = 0;  // what the step costs when nothing else runs on the machine
};

// adapters: empty (base), one for all requests, or one per request.
ServeResult run_serve(Model& model, const std::vector<std::shared_ptr<const Adapter>>& adapters, const ServeOptions& options);

}  // namespace sgmv::bench
