// Checks a batch before anything is computed: a wrong index here would be a wild read in a kernel.
#pragma once

#include "cpu/cpu_kv_cache.h"
#include "sgmv/model.h"

namespace sgmv {

// Throws Error bad_argument with the field's name.
void check_batch(const Batch& batch, const ModelConfig& config, const CpuKvCache& cache, size_t logits);

}  // namespace sgmv
