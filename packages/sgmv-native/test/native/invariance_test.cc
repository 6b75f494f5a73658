// Bits that do not depend on the batch (mixed_batches.h), for every instruction set, number type and family.
#include <tuple>

#include "check.h"
#include "golden_folder.h"
#include "mixed_batches.h"
#include "sgmv/device.h"
#include "sgmv/error.h"

namespace sgmv::test {
namespace {

void run(const char* family, const std::string& isa, WeightType type, bool as_stored, int32_t block_size, uint32_t seed) {
  ModelOptions alone{1, isa, type, std::nullopt, as_stored}, together = alone;
  together.threads = 3;
  check_mixed_batches(family, alone, together, block_size, 63, seed);
}

TEST("invariance: alone and among 63 others, any chunking, any blocks, any threads") {
  uint32_t seed = 1;
  for (const std::string& isa : available_isas())
    for (const auto& [type, as_stored, block_size] : std::initializer_list<std::tuple<WeightType, bool, int32_t>>{
             {WeightType::f32, true, 16}, {WeightType::f32, true, 4}, {WeightType::bf16, true, 32}, {WeightType::i8, false, 16}, {WeightType::i8, true, 4}})
      if (!kSanitized || block_size == 4) run("llama2", isa, type, as_stored, block_size, seed++);
  for (const WeightType type : {WeightType::f32, WeightType::i8}) {
    run("llama-bias", "", type, false, 16, seed++);
    run("llama3", "", type, false, 7, seed++);
    for (const char* family : {"mistral", "qwen2", "qwen3-yarn", "gemma2", "gemma3", "phi3", "phi3-longrope", "phi4-mini", "smollm3", "granite", "olmo2", "olmo3", "gemma3-vision", "ministral3", "glm4", "exaone4", "qwen2-5-vl", "hunyuan", "starcoder2", "nemotron", "cohere", "cohere2", "phi", "stablelm", "vaultgemma", "granite-swa", "hyperclovax"})
      run(family, "", type, false, 16, seed++);
  }
}

TEST("invariance: mixtures of experts, with adapters of experts and of routers") {
  uint32_t seed = 101;
  for (const char* family : {"mixtral", "qwen2-moe", "qwen3-moe", "olmoe", "granitemoe", "routers", "bare-parameters", "qwen3-vl-moe", "glm4-moe", "minimax-m2", "granitemoeshared", "ernie-moe", "flex-olmo", "mellum", "exaone-moe", "hunyuan-moe", "gpt-oss", "gpt-oss-mxfp4", "llama4"})
    for (const auto& [type, as_stored, block_size] : std::initializer_list<std::tuple<WeightType, bool, int32_t>>{
             {WeightType::f32, true, 16}, {WeightType::bf16, true, 7}, {WeightType::i8, false, 16}, {WeightType::i8, true, 4}})
      if (!kSanitized || block_size == 4) run(family, "", type, as_stored, block_size, seed++);
  for (const std::string& isa : available_isas())
    for (const char* family : {"qwen3-moe", "routers", "gpt-oss"})
      if (!kSanitized) run(family, isa, WeightType::i8, false, 16, seed++);
}

TEST("invariance: layers of two shapes, of keys of others, with numbers per token, with an MLP beside experts") {
  uint32_t seed = 301;
  for (const char* family : {"gemma4", "gemma4-keys", "gemma4-moe"})
    for (const auto& [type, as_stored, block_size] : std::initializer_list<std::tuple<WeightType, bool, int32_t>>{
             {WeightType::f32, true, 16}, {WeightType::bf16, true, 7}, {WeightType::i8, false, 16}, {WeightType::i8, true, 4}})
      if (!kSanitized || block_size == 4) run(family, "", type, as_stored, block_size, seed++);
}

TEST("invariance: latent attention") {
  uint32_t seed = 401;
  for (const char* family : {"deepseek-v3", "deepseek-v2", "glm4-moe-lite", "minicpm3"})
    for (const auto& [type, as_stored, block_size] : std::initializer_list<std::tuple<WeightType, bool, int32_t>>{
             {WeightType::f32, true, 16}, {WeightType::bf16, true, 7}, {WeightType::i8, false, 16}, {WeightType::i8, true, 4}})
      if (!kSanitized || block_size == 4) run(family, "", type, as_stored, block_size, seed++);
}

TEST("invariance: linear attention and other states") {
  uint32_t seed = 201;
  for (const char* family : {"qwen3-5", "qwen3-next", "lfm2", "lfm2-moe", "granite-hybrid", "falcon-h1", "nemotron-h-moe"})
    for (const auto& [type, as_stored, block_size] : std::initializer_list<std::tuple<WeightType, bool, int32_t>>{
             {WeightType::f32, true, 16}, {WeightType::bf16, true, 7}, {WeightType::i8, false, 16}, {WeightType::i8, true, 4}})
      for (const std::string& isa : available_isas())
        if (!kSanitized || block_size == 4) run(family, isa, type, as_stored, block_size, seed++);
}

TEST("forward: slots of states that are no slots, or another slice's") {
  const auto model = Model::load(golden_root() / "qwen3-5" / "model", {1, "", WeightType::f32});
  const auto cache = model->make_kv_cache(4, 4, KvMemory::whole, 4);
  const std::vector<int32_t> blocks{0, 1}, others{2, 3}, tokens{1, 2};
  const Segment all{0, 2, nullptr};
  const auto forward = [&](std::initializer_list<SequenceSlice> slices) { model->forward({tokens, slices, {&all, 1}, {}}, *cache, {}); };
  forward({{0, 2, 0, blocks, 0, -1, 0}});
  forward({{0, 1, 2, blocks, 0, 0, 1}, {1, 1, 0, others, 0, -1, 2}});
  CHECK_THROWS(forward({{0, 2, 0, blocks, 0, -1, -1}}), Error, "sequences[0].state_to");
  CHECK_THROWS(forward({{0, 2, 0, blocks, 0, -1, 4}}), Error, "a slot below 4");
  CHECK_THROWS(forward({{0, 2, 0, blocks, 0, 1, 0}}), Error, "sequences[0].state_from");
  CHECK_THROWS(forward({{0, 2, 2, blocks, 0, -1, 0}}), Error, "sequences[0].state_from");
  CHECK_THROWS(forward({{0, 2, 2, blocks, 0, 1, 1}}), Error, "not state_to");
  CHECK_THROWS(forward({{0, 1, 2, blocks, 0, 0, 1}, {1, 1, 0, others, 0, -1, 1}}), Error, "sequences[1].state_to");
  CHECK_THROWS(forward({{0, 1, 2, blocks, 0, 0, 1}, {1, 1, 0, others, 0, -1, 0}}), Error, "a slot that no slice writes");
}

TEST("forward: wrong batches are refused before anything is computed") {
  const auto model = Model::load(golden_root() / "llama2" / "model", {1, "", WeightType::f32});
  const auto cache = model->make_kv_cache(2, 4);
  const std::vector<int32_t> blocks{0, 1}, tokens{1, 2};
  std::vector<float> logits(128);
  const auto forward = [&](std::vector<int32_t> t, SequenceSlice s, Segment g, std::vector<int32_t> rows) {
    model->forward({t, {&s, 1}, {&g, 1}, rows}, *cache, logits);
  };
  forward(tokens, {0, 2, 0, blocks}, {0, 2, nullptr}, {1});
  CHECK_THROWS(forward({1, 128}, {0, 2, 0, blocks}, {0, 2, nullptr}, {1}), Error, "tokens[1]");
  CHECK_THROWS(forward({1, -1}, {0, 2, 0, blocks}, {0, 2, nullptr}, {1}), Error, "tokens[1]");
  CHECK_THROWS(forward(tokens, {0, 1, 0, blocks}, {0, 2, nullptr}, {1}), Error, "sequences");
  CHECK_THROWS(forward(tokens, {0, 2, 7, blocks}, {0, 2, nullptr}, {1}), Error, "block_table");
  CHECK_THROWS(forward(tokens, {0, 2, -1, blocks}, {0, 2, nullptr}, {1}), Error, "position_begin");
  CHECK_THROWS(forward(tokens, {0, 2, INT32_MAX - 1, blocks}, {0, 2, nullptr}, {1}), Error, "position");
  const std::vector<int32_t> wild{0, 2};
  CHECK_THROWS(forward(tokens, {0, 2, 3, wild}, {0, 2, nullptr}, {1}), Error, "block_table[1]");
  CHECK_THROWS(forward(tokens, {0, 2, 0, blocks}, {0, 1, nullptr}, {1}), Error, "segments");
  CHECK_THROWS(forward(tokens, {0, 2, 0, blocks}, {0, 2, nullptr}, {2}), Error, "logit_rows");
  CHECK_THROWS(forward(tokens, {0, 2, 0, blocks}, {0, 2, nullptr}, {0, 1}), Error, "logits");
  CHECK_THROWS(model->make_kv_cache(0, 16), Error, "block_count");
  CHECK_THROWS(model->make_kv_cache(1, 0), Error, "block_size");
  CHECK_THROWS(Model::load(golden_root() / "llama2" / "none", {}), Error, "no such");
}

}  // namespace
}  // namespace sgmv::test
