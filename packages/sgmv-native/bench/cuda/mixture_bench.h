// A layer of Qwen3-30B-A3B's experts: routing, and the products of the experts that are asked for.
#pragma once

#include "limits.h"

namespace sgmv::bench {

void run_mixture(Measure& measure, const Limits& limits, Rows& rows);

}  // namespace sgmv::bench
