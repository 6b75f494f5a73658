#pragma once

#include "cpu/cpu_device.h"
#include "micro_bench.h"
#include "sgmv/number_types.h"

namespace sgmv::bench {

// Attention of one layer of SmolLM2's shape (9 heads, 3 key/value heads of 64): `sequences` sequences with `tokens`
// new tokens each, the last at position `context` - 1.
MicroResult bench_attention(CpuDevice& device, KvType type, int32_t sequences, int32_t tokens, int32_t context);

}  // namespace sgmv::bench
