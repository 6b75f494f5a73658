#pragma once

#include "cpu/cpu_device.h"
#include "micro_bench.h"
#include "sgmv/model_config.h"
#include "sgmv/number_types.h"

namespace sgmv::bench {

struct AttentionShape {
  const char* name;
  int32_t heads;
  KvShape kv;
};
inline constexpr AttentionShape kSmolLm2{"", 9, {3, 64}};
inline constexpr AttentionShape kDeepSeekV2Lite{"latent ", 16, {1, 576, 512}}, kDeepSeekV2LiteByHeads{"by heads ", 16, {16, 192}};  // the latter without absorption

// Attention of one layer of that shape: `sequences` sequences with `tokens` new tokens each, the last at position `context` - 1.
MicroResult bench_attention(CpuDevice& device, const AttentionShape& shape, KvType type, int32_t sequences, int32_t tokens, int32_t context);

}  // namespace sgmv::bench
