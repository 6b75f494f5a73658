// The base products of Llama-2-7B: our kernels, whose sums do not depend on the batch, beside cuBLASLt.
#pragma once

#include "limits.h"

namespace sgmv::bench {

void run_linear(Measure& measure, const Limits& limits, Rows& rows);

}  // namespace sgmv::bench
