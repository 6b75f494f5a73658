// Checks a batch before anything is computed: a wrong index here would be a wild read in a kernel.
#pragma once

#include <functional>

#include "sgmv/model.h"

namespace sgmv {

// Throws Error bad_argument with the field's name. `is_own`: whether an adapter is one of this model; that the cache is,
// the caller has seen. `draws_before`: of the step under way, for token_of_draw().
void check_batch(const Batch& batch, const ModelConfig& config, const KvCache& cache, const std::function<bool(const Adapter&)>& is_own, int32_t draws_before = 0);
// The buffers that take the results of `logit_rows` rows and `draws` draws.
void check_results(size_t logit_rows, size_t draws, const ModelConfig& config, size_t logits, size_t drawn);

}  // namespace sgmv
