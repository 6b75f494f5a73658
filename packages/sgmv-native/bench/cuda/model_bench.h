// Whole steps and whole requests of a Llama-2-7B shape with random weights.
#pragma once

#include "limits.h"

namespace sgmv::bench {

void run_model(Measure& measure, const Limits& limits, Rows& rows);

}  // namespace sgmv::bench
