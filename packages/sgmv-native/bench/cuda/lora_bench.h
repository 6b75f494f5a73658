// The LoRA operation y += scale · (x · Aᵀ) · Bᵀ alone: Punica's figure, and torch_peers.py measures the same.
#pragma once

#include "limits.h"

namespace sgmv::bench {

void run_lora(Measure& measure, const Limits& limits, Rows& rows);

}  // namespace sgmv::bench
