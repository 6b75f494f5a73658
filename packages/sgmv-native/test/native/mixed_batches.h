// The promise of the batch: a sequence has the same logits, bit for bit, alone and among others of other adapters
// and lengths, however its prompt was cut and whatever blocks it got.
#pragma once

#include <filesystem>
#include <string>

#include "sgmv/model.h"

namespace sgmv::test {

// Feeds `others` + 1 requests in random mixed steps, to a model loaded with `together`, and compares all logits with those of a
// model loaded with `alone` that gets each whole in a step of its own. Throws Failure.
void check_mixed_batches(const std::string& family, const ModelOptions& alone, const ModelOptions& together, int32_t block_size, int32_t others, uint32_t seed);

}  // namespace sgmv::test
