// What GGUF files say of layers with short convolutions and Mamba-2. Their logits are those of test/golden/gguf-….
#include <functional>

#include "check.h"
#include "gguf_writer.h"
#include "golden_folder.h"
#include "models/config_gguf.h"
#include "sgmv/error.h"
#include "sgmv/model.h"

namespace sgmv::test {
namespace {

// Two layers of 8 in 2 heads, a vocabulary of 4.
ModelConfig read(const std::string& architecture, const std::function<void(GgufWriter&)>& say) {
  GgufWriter writer;
  say(writer);
  writer.string("general.architecture", architecture);
  for (const auto& [key, value] : {std::pair("block_count", 2), std::pair("embedding_length", 8), std::pair("attention.head_count", 2), std::pair("context_length", 64)})
    writer.number(architecture + "." + key, static_cast<uint32_t>(value));
  writer.tensor("token_embd.weight", {4, 8}, std::vector<float>(32));
  const TempFolder folder;
  return read_model_config(folder.write("m.gguf", writer.bytes()));
}

void add_tensors(GgufWriter& writer, const std::vector<const char*>& names) {
  for (const char* name : names) writer.tensor(name, {1}, {0});
}

struct Hybrid {
  std::vector<int32_t> kv_heads = {0, 1}, mlps = {6, 6};
  uint32_t inner = 8, groups = 2;
};

// Mamba-2 of four heads.
void add_hybrid(GgufWriter& writer, const std::string& architecture, const Hybrid& hybrid = {}) {
  writer.numbers(architecture + ".feed_forward_length", hybrid.mlps);
  writer.numbers(architecture + ".attention.head_count_kv", hybrid.kv_heads);
  for (const auto& [key, value] : {std::pair("group_count", hybrid.groups), std::pair("time_step_rank", 4u), std::pair("state_size", 3u), std::pair("conv_kernel", 4u), std::pair("inner_size", hybrid.inner)})
    writer.number(architecture + ".ssm." + key, value);
}

TEST("gguf states: the tensors say which layers have one, and whether it is normed and has biases") {
  const ModelConfig lfm = read("lfm2", [](GgufWriter& w) {
    w.number("lfm2.feed_forward_length", 6);
    w.numbers("lfm2.attention.head_count_kv", {0, 1});
    w.number("lfm2.shortconv.l_cache", 3);
    add_tensors(w, {"blk.0.shortconv.in_proj.weight"});
  });
  CHECK(lfm.has_state(0) && !lfm.has_state(1) && lfm.has_attention(1) && lfm.kv_heads == 1 && lfm.linear.taps == 3 && lfm.qk_norm);
  const ModelConfig granite = read("granitehybrid", [](GgufWriter& w) {
    add_hybrid(w, "granitehybrid");
    w.flag("granitehybrid.rope.scaling.finetuned", false);
    add_tensors(w, {"blk.0.ssm_in.weight", "blk.0.ssm_norm.weight", "blk.0.ssm_conv1d.bias"});
  });
  CHECK(granite.has_state(0) && !granite.has_attention(0) && granite.has_attention(1) && !granite.has_any_rope() && granite.linear.value_dim == 2);
  CHECK(granite.linear.gate == StateGate::before_norm && granite.linear.conv_bias && !granite.linear.in_bias);
  CHECK_EQUAL(granite.model_type, "granitemoehybrid");
  const auto bamba = [](GgufWriter& w) { add_hybrid(w, "granitehybrid"), add_tensors(w, {"blk.0.ssm_in.weight", "blk.0.ssm_in.bias"}); };
  CHECK(read("granitehybrid", bamba).linear.in_bias && read("granitehybrid", bamba).linear.gate == StateGate::alone);
  CHECK_EQUAL(read("granitehybrid", bamba).model_type, "bamba");
  const ModelConfig nemotron = read("nemotron_h", [](GgufWriter& w) {
    add_hybrid(w, "nemotron_h", {.mlps = {6, 0}});
    add_tensors(w, {"blk.1.attn_output.weight"});
  });
  CHECK(nemotron.has_attention(1) && !nemotron.has_feed_forward(1) && nemotron.has_feed_forward(0) && !nemotron.has_mixer(0) && !nemotron.gated_mlp && nemotron.intermediate_size == 6);
}

TEST("gguf states: what does not fit is refused by name") {
  const auto lfm = [](int32_t taps, const std::vector<const char*>& tensors) {
    return [=](GgufWriter& w) {
      w.number("lfm2.feed_forward_length", 6);
      w.number("lfm2.shortconv.l_cache", static_cast<uint32_t>(taps));
      add_tensors(w, tensors);
    };
  };
  CHECK_THROWS(read("lfm2", lfm(1, {})), Error, "lfm2.shortconv.l_cache: found 1, expected 2 to 16");
  CHECK_THROWS(read("lfm2", lfm(3, {"blk.0.shortconv.in_proj.weight", "blk.1.shortconv.in_proj.weight"})), Error, "found convolutions only");
  const auto granite = [](const Hybrid& hybrid, const std::function<void(GgufWriter&)>& say = [](GgufWriter&) {}) {
    return read("granitehybrid", [&](GgufWriter& w) {
      say(w);
      add_hybrid(w, "granitehybrid", hybrid);
      add_tensors(w, {"blk.0.ssm_in.weight"});
    });
  };
  CHECK_THROWS(granite({.kv_heads = {2, 1}}), Error, "granitehybrid.attention.head_count_kv: found 2 and 1, expected one number in all layers that have it");
  CHECK_THROWS(granite({.kv_heads = {1}}), Error, "granitehybrid.attention.head_count_kv: found 1 entries, expected one per layer");
  CHECK_THROWS(granite({.kv_heads = {0, 0}}), Error, "num_key_value_heads: found 0");
  CHECK_THROWS(granite({.inner = 9}), Error, "granitehybrid.ssm.inner_size: found 9, expected a multiple of granitehybrid.ssm.time_step_rank, 4");
  CHECK_THROWS(granite({.groups = 3}), Error, "granitehybrid.ssm.time_step_rank: found 4, expected a multiple of granitehybrid.ssm.group_count, 3");
  CHECK_THROWS(granite({}, [](GgufWriter& w) { add_tensors(w, {"blk.1.ssm_in.weight"}); }), Error, "blk.N.ssm_in.weight: found linear attention only");
  CHECK_THROWS(granite({}, [](GgufWriter& w) { w.flag("granitehybrid.attention.causal", false); }), Error, "granitehybrid.attention.causal: found false");
  CHECK_THROWS(read("nemotron_h", [](GgufWriter& w) {
    add_hybrid(w, "nemotron_h", {.mlps = {6, 0}});
    w.number("nemotron_h.moe_latent_size", 4);
    add_tensors(w, {"blk.1.attn_output.weight"});
  }), Error, "nemotron_h.moe_latent_size: found 4");
}

TEST("gguf states: no adapter fits weights that hold the multipliers of Falcon-H1") {
  const auto model = Model::load(golden_root() / "gguf-falcon-h1" / "model.gguf", {1, "", WeightType::f32});
  CHECK_THROWS(model->load_adapter(golden_root() / "falcon-h1" / "adapters" / "dora"), Error, "serve the model in safetensors");
}

}  // namespace
}  // namespace sgmv::test
