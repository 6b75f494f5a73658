// Checks a batch before anything is computed: a wrong index here would be a wild read in a kernel.
#pragma once

#include "sgmv/model.h"

namespace sgmv {

// Throws Error bad_argument with the field's name. That the cache and the adapters are of this model is for the caller to
// see: it knows their types.
void check_batch(const Batch& batch, const ModelConfig& config, const KvCache& cache);
// The buffers that take the results of `logit_rows` rows and `draws` draws.
void check_results(size_t logit_rows, size_t draws, const ModelConfig& config, size_t logits, size_t drawn);

// Of segments whose adapter is not one of this model.
[[noreturn]] void refuse_adapter(size_t segment);

}  // namespace sgmv
