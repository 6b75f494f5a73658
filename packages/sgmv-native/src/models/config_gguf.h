// ModelConfig from GGUF metadata, and the names GGUF gives to a checkpoint's tensors.
#pragma once

#include <memory>

#include "formats/gguf.h"
#include "models/gguf_metadata.h"
#include "sgmv/model_config.h"

namespace sgmv {

ModelConfig config_from_gguf(const GgufFile& gguf);  // throws Error model_unsupported or model_corrupt

// Of architectures with states, once sizes are known: which layers have one, attend and have an MLP, and what the states are.
void read_gguf_states(const GgufFile& gguf, const GgufMetadata& meta, const std::string& architecture, ModelConfig& config);

// Of architectures whose attention has shapes of its own. Gemma 4's comes once it is known which layers slide and have experts; the shape
// of latent attention before the sizes are checked, its scales once RoPE is read.
void read_gguf_gemma4(const GgufFile& gguf, const GgufMetadata& meta, ModelConfig& config);
void read_gguf_latent(const GgufFile& gguf, const GgufMetadata& meta, ModelConfig& config);
void read_gguf_mscale(const GgufMetadata& meta, ModelConfig& config);
void use_minicpm3_scales(ModelConfig& config);

// "model.layers.3.self_attn.q_proj.weight" → "blk.3.attn_q.weight"; empty when GGUF has no such tensor. Of
// experts it has those of a layer in one: "…mlp.experts.gate_proj.weight". Of `config` only
// the layout counts: models with post-norms name the norm before the MLP differently, and so does GPT-OSS.
std::string gguf_tensor_name(const std::string& hf_name, const ModelConfig& config);

}  // namespace sgmv
