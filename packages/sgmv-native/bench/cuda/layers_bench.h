// What a decode step does between the products, token by token: short kernels, of which only the launch should be felt.
#pragma once

#include "limits.h"

namespace sgmv::bench {

void run_layers(Measure& measure, const Limits& limits, Rows& rows);

}  // namespace sgmv::bench
