// A random rank-r bf16 adapter on all seven projections, N(0, 0.02²), written as PEFT writes it. Random, because
// zeros hide unwritten outputs and can run faster than real numbers.
#pragma once

#include <cstdint>
#include <filesystem>

#include "sgmv/model_config.h"

namespace sgmv::bench {

void write_random_adapter(const std::filesystem::path& folder, const ModelConfig& model, int32_t rank, uint32_t seed);

}  // namespace sgmv::bench
