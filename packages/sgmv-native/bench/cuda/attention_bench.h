// Attention of a decode step, and what else happens to each token between the products.
#pragma once

#include "limits.h"

namespace sgmv::bench {

void run_attention(Measure& measure, const Limits& limits, Rows& rows);

}  // namespace sgmv::bench
