"""Writes test/golden/<family>: tiny random models of the families, and what Transformers + PEFT compute.

Usage: python scripts/make-family-golden.py [FOLDER [FAMILY…]]     needs torch, transformers, peft
Mixtures of experts need transformers 4; bare-parameters and what comes after granitemoe need 5: since then experts and routers are no modules, and
PEFT adapts them in another way.

The shapes are odd on purpose (nothing is a multiple of 32, one key/value head) and the folders small: weights are
stored in bfloat16 and computed with in float32, in the smallest ones with few bits and adapters in bfloat16 too. Prompts are longer and shorter than every window and every original
context, so that both sides of each are seen. Format: as of `sgmv golden`.
"""
import json
import sys
from pathlib import Path

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, Mxfp4Config

SEPARATE = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LATENTS = ["q_proj", "q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"]
OTHERWISE = {"minicpm3": LATENTS + SEPARATE[4:], "phi3": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"], "glm4": SEPARATE[:4] + ["gate_up_proj", "down_proj"],
         "gemma4": SEPARATE + ["per_layer_input_gate", "per_layer_projection", "per_layer_model_projection"],
         "granitemoehybrid": SEPARATE[:4] + ["in_proj", "out_proj", "input_linear", "output_linear"], "bamba": SEPARATE + ["in_proj", "out_proj"], "falcon_h1": SEPARATE + ["in_proj"], "nemotron_h": SEPARATE[:4] + ["in_proj", "up_proj", "down_proj"],
         "lfm2": SEPARATE[:3] + ["in_proj", "out_proj", "w1", "w2", "w3"],
         "qwen3_5": SEPARATE + ["in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a", "out_proj"],
         "starcoder2": SEPARATE[:4] + ["c_fc", "c_proj"], "phi": SEPARATE[:3] + ["dense", "fc1", "fc2"], "nemotron": SEPARATE[:4] + ["up_proj", "down_proj"], "apertus": SEPARATE[:4] + ["up_proj", "down_proj"]}
SHAPE = dict(hidden_size=48, num_attention_heads=3, num_key_value_heads=1, intermediate_size=72, vocab_size=101, num_hidden_layers=2,
             max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0, tie_word_embeddings=False)


SMALL = dict(SHAPE, hidden_size=24, num_attention_heads=3, num_key_value_heads=1, head_dim=8, intermediate_size=36, vocab_size=48)
# Phi-3's head_dim is a share of the hidden size.
SMALL_PHI = dict(SMALL, hidden_size=32, num_attention_heads=4, num_key_value_heads=2)
SLIDES_EVERY_THIRD = ["sliding_attention", "full_attention", "sliding_attention"]


# Grouped products of experts want widths that are multiples of 16 bytes.
EAGER = dict(attn_implementation="eager", **(dict(experts_implementation="eager") if transformers.__version__ > "5" else {}))
# Qwen's eyes.
QWEN_VISION = dict(depth=1, hidden_size=4, intermediate_size=4, num_heads=1, patch_size=1, spatial_merge_size=1, in_channels=1, temporal_patch_size=1, out_hidden_size=24)
IMAGE_TOKENS = dict(image_token_id=900, video_token_id=901, vision_start_token_id=902, vision_end_token_id=903)


# Of families that are others but for a few things.
TINY = dict(SMALL, hidden_size=16, num_attention_heads=2, num_key_value_heads=1, intermediate_size=20, vocab_size=33)
HYBRID = dict(SMALL, hidden_size=18, num_attention_heads=2, intermediate_size=20, vocab_size=33, layer_types=["linear_attention", "full_attention"], linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=6, linear_value_head_dim=10, linear_conv_kernel_dim=4,
              rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5))


MAMBA = dict(mamba_n_heads=4, mamba_d_head=8, mamba_d_state=6, mamba_d_conv=4)


LATENT = dict(SHAPE, hidden_size=18, num_attention_heads=2, num_key_value_heads=2, intermediate_size=14, vocab_size=33, q_lora_rank=7, kv_lora_rank=10, qk_nope_head_dim=6, qk_rope_head_dim=4, v_head_dim=8,
              n_routed_experts=6, num_experts_per_tok=3, moe_intermediate_size=5, n_shared_experts=2)
SLIDES_EVERY_SECOND = ["sliding_attention", "full_attention"]
GEMMA4 = dict(SMALL, hidden_size=18, num_attention_heads=2, head_dim=6, global_head_dim=12, intermediate_size=14, vocab_size=33, sliding_window=9, tie_word_embeddings=True)


def longrope(pairs, **more):
    return dict(rope_type="longrope", rope_theta=10000.0, short_factor=[1.0 + 0.1 * i for i in range(pairs)],
                long_factor=[1.0 + 0.7 * i for i in range(pairs)], **more)


FAMILIES = {
    "mistral": ("mistral", dict(sliding_window=13, head_dim=20)),
    "qwen2": ("qwen2", dict(tie_word_embeddings=True, use_sliding_window=True, sliding_window=11, max_window_layers=1)),
    "qwen3-yarn": ("qwen3", dict(head_dim=24, rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=64))),
    "gemma2": ("gemma2", dict(head_dim=24, query_pre_attn_scalar=20, sliding_window=13, tie_word_embeddings=True)),
    "gemma3": ("gemma3_text", dict(head_dim=24, query_pre_attn_scalar=20, sliding_window=13, tie_word_embeddings=True, num_hidden_layers=3,
                                   layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                                   rope_parameters=dict(sliding_attention=dict(rope_type="default", rope_theta=10000.0),
                                                        full_attention=dict(rope_type="linear", rope_theta=1000000.0, factor=8.0)))),
    "phi3": ("phi3", dict(sliding_window=15)),
    "phi3-longrope": ("phi3", dict(original_max_position_embeddings=24, tie_word_embeddings=True,
                                   rope_parameters=longrope(6, partial_rotary_factor=0.75, original_max_position_embeddings=24))),
    "phi4": ("phi3", dict(SMALL_PHI, rope_theta=250000.0, original_max_position_embeddings=256)),
    "phi4-mini": ("phi3", dict(SMALL_PHI, sliding_window=512, original_max_position_embeddings=16, tie_word_embeddings=True,
                               rope_parameters=longrope(3, partial_rotary_factor=0.75, original_max_position_embeddings=16))),
    "llama3": ("llama", dict(SMALL, head_dim=16, rope_parameters=dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                                                      original_max_position_embeddings=16))),
    "llama-linear": ("llama", dict(SMALL, rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0))),
    "llama-bias": ("llama", dict(SMALL, num_key_value_heads=3, attention_bias=True, mlp_bias=True)),
    "smollm3": ("smollm3", dict(SMALL, num_hidden_layers=4, use_sliding_window=True, sliding_window=9, tie_word_embeddings=True)),
    "granite": ("granite", dict(SMALL, embedding_multiplier=12.0, attention_multiplier=0.3, residual_multiplier=0.22, logits_scaling=4.0,
                                attention_bias=True, rms_norm_eps=1e-2, tie_word_embeddings=True)),
    "olmo2": ("olmo2", dict(SMALL, num_key_value_heads=3, attention_bias=True)),
    "olmo3": ("olmo3", dict(SMALL, num_hidden_layers=3, sliding_window=9, layer_types=SLIDES_EVERY_THIRD,
                            rope_parameters=dict(sliding_attention=dict(rope_type="default", rope_theta=500000.0),
                                                 full_attention=dict(rope_type="yarn", rope_theta=500000.0, factor=4.0,
                                                                     original_max_position_embeddings=64)))),
    "gemma3-vision": ("gemma3", dict(text_config=dict(SMALL, query_pre_attn_scalar=10, sliding_window=9, tie_word_embeddings=True,
                                                      layer_types=SLIDES_EVERY_THIRD[:2]), tie_word_embeddings=True,
                                     vision_config=dict(hidden_size=4, intermediate_size=4, num_hidden_layers=1, num_attention_heads=1,
                                                        image_size=4, patch_size=2, vision_use_head=False), mm_tokens_per_image=1)),
    "mistral3": ("mistral3", dict(text_config=dict(SMALL, model_type="mistral", sliding_window=None, rope_theta=1e9), tie_word_embeddings=False,
                                  vision_config=dict(model_type="pixtral", hidden_size=4, intermediate_size=4, num_hidden_layers=1,
                                                     num_attention_heads=1, image_size=4, patch_size=2, head_dim=4))),
    "qwen2-5-vl": ("qwen2_5_vl", dict(IMAGE_TOKENS, text_config=dict(SMALL, rope_theta=1e4, rope_scaling=dict(type="mrope", mrope_section=[2, 1, 1]), tie_word_embeddings=True),
                                      vision_config=dict(QWEN_VISION, window_size=4, fullatt_block_indexes=[0]), tie_word_embeddings=True)),
    "ministral3": ("ministral3", dict(SMALL, rope_parameters=dict(rope_type="yarn", rope_theta=1000000.0, factor=16.0, mscale=1.0, mscale_all_dim=1.0,
                                                                  original_max_position_embeddings=8, llama_4_scaling_beta=0.4))),
    "gemma": ("gemma", dict(SMALL, hidden_act="gelu", tie_word_embeddings=True)),
    "seed-oss": ("seed_oss", dict(SMALL, attention_bias=False, attention_out_bias=True, mlp_bias=True)),
    "glm4": ("glm4", dict(SMALL, head_dim=12, attention_bias=True)),
    "ernie": ("ernie4_5", dict(SMALL, use_bias=True, tie_word_embeddings=True)),
    "exaone4": ("exaone4", dict(SMALL, num_hidden_layers=3, sliding_window=9, layer_types=SLIDES_EVERY_THIRD)),
    "hunyuan": ("hunyuan_v1_dense", dict(SMALL, tie_word_embeddings=True, rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0, alpha=1000.0, factor=1.0))),
    "starcoder2": ("starcoder2", dict(SMALL, sliding_window=9, tie_word_embeddings=True)),
    "nemotron": ("nemotron", dict(SMALL, partial_rotary_factor=0.5)),
    # Attention and MLP side by side.
    "cohere": ("cohere", dict(SMALL, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True, use_qk_norm=True, logit_scale=0.25)),
    "cohere2": ("cohere2", dict(SMALL, num_hidden_layers=3, tie_word_embeddings=True, sliding_window=9, layer_types=SLIDES_EVERY_THIRD, logit_scale=0.25)),
    "phi": ("phi", dict(SMALL, head_dim=10, partial_rotary_factor=0.4)),
    "stablelm": ("stablelm", dict(SMALL, head_dim=8, num_key_value_heads=3, partial_rotary_factor=0.25, use_qkv_bias=True, qk_layernorm=True, use_parallel_residual=True)),
    "apertus": ("apertus", dict(TINY, attention_bias=True, rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32))),
    "olmo": ("olmo", dict(TINY, tie_word_embeddings=True)),
    "vaultgemma": ("vaultgemma", dict(TINY, query_pre_attn_scalar=10, sliding_window=9, tie_word_embeddings=True)),
    "granite-swa": ("granite_swa", dict(TINY, num_hidden_layers=3, layer_types=SLIDES_EVERY_THIRD, sliding_window=9, layer_rope_theta=[500.0, 0, 500.0], embedding_multiplier=12.0, attention_multiplier=0.3,
                                        residual_multiplier=0.22, logits_scaling=4.0, rms_norm_eps=1e-2)),
    "hyperclovax": ("hyperclovax", dict(TINY, embedding_multiplier=10.0, attention_multiplier=0.3, logits_scaling=0.125)),
    # Hybrids: sizes that fill no register.
    "qwen3-5": ("qwen3_5", dict(IMAGE_TOKENS, text_config=dict(HYBRID, attention_bias=True, tie_word_embeddings=True), tie_word_embeddings=True,
                                vision_config=dict(QWEN_VISION, num_position_embeddings=4, out_hidden_size=18))),
    # Two shapes of heads; two layers that attend to the keys of others, with wider MLPs; numbers for each token and layer.
    "gemma4": ("gemma4", dict(text_config=dict(GEMMA4, num_hidden_layers=4, layer_types=SLIDES_EVERY_SECOND * 2, num_kv_shared_layers=2, use_double_wide_mlp=True,
                                               hidden_size_per_layer_input=5, vocab_size_per_layer_input=33, final_logit_softcapping=6.0), vision_config=None, audio_config=None)),
    # Values that are keys.
    "gemma4-keys": ("gemma4_text", dict(GEMMA4, num_attention_heads=4, num_key_value_heads=2, attention_k_eq_v=True, num_global_key_value_heads=1, attention_bias=True,
                                        layer_types=SLIDES_EVERY_SECOND, hidden_size_per_layer_input=0)),
    "minicpm3": ("minicpm3", dict(LATENT, scale_depth=1.1, dim_model_base=9, tie_word_embeddings=True)),
    "lfm2": ("lfm2", dict(TINY, num_hidden_layers=3, layer_types=["conv", "full_attention", "conv"], conv_bias=True, block_multiple_of=6, tie_word_embeddings=True)),
    # Mamba-2: sizes that fill no register; in the first alone heads share B and C in groups.
    "granite-hybrid": ("granitemoehybrid", dict(TINY, **MAMBA, mamba_n_groups=2, layer_types=["linear_attention", "full_attention"], num_local_experts=0, shared_intermediate_size=14, mamba_proj_bias=True,
                                                embedding_multiplier=4.0, attention_multiplier=0.3, residual_multiplier=0.5, logits_scaling=2.0, rms_norm_eps=1e-2, tie_word_embeddings=True)),
    # Where PEFT adapts no out_proj.
    "falcon-h1": ("falcon_h1", dict(TINY, **MAMBA, mamba_d_ssm=32, mamba_rms_norm=True, mamba_norm_before_gate=False, key_multiplier=0.4, attention_in_multiplier=1.5, attention_out_multiplier=0.7, embedding_multiplier=3.0,
                                    lm_head_multiplier=0.5, mlp_multipliers=[0.8, 0.6], ssm_multipliers=[0.4, 0.7, 1.5, 1.2, 0.5], ssm_in_multiplier=1.3, ssm_out_multiplier=0.6)),
    "nemotron-h": ("nemotron_h", dict({name: value for name, value in TINY.items() if name != "num_hidden_layers"}, layers_block_type=["linear_attention", "mlp", "full_attention", "linear_attention"], mamba_num_heads=4, mamba_head_dim=8,
                                      n_groups=2, ssm_state_size=6, conv_kernel=4, mlp_bias=True)),
    "bamba": ("bamba", dict(TINY, **MAMBA, attn_layer_indices=[1], mamba_conv_bias=False, time_step_limit=[0.3, 1.5])),
    "mixtral": ("mixtral", dict(SMALL, sliding_window=9, num_local_experts=4, num_experts_per_tok=2)),
    "qwen3-moe": ("qwen3_moe", dict(SMALL, num_hidden_layers=3, mlp_only_layers=[1], num_experts=7, num_experts_per_tok=3, moe_intermediate_size=20, norm_topk_prob=True,
                                    use_sliding_window=True, sliding_window=11, max_window_layers=1)),
    "qwen2-moe": ("qwen2_moe", dict(SMALL, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=20, shared_expert_intermediate_size=28)),
    "olmoe": ("olmoe", dict(SMALL, intermediate_size=20, num_experts=6, num_experts_per_tok=4)),
    "granitemoe": ("granitemoe", dict(SMALL, intermediate_size=20, num_local_experts=4, num_experts_per_tok=3, embedding_multiplier=12.0, attention_multiplier=0.3,
                                      residual_multiplier=0.22, logits_scaling=4.0, rms_norm_eps=1e-2, tie_word_embeddings=True)),
    "qwen3-vl-moe": ("qwen3_vl_moe", dict(IMAGE_TOKENS, text_config=dict(SMALL, num_hidden_layers=3, mlp_only_layers=[1], num_experts=4, num_experts_per_tok=2, moe_intermediate_size=14,
                                          rope_scaling=dict(rope_type="default", mrope_section=[2, 1, 1], mrope_interleaved=True)),
                                          vision_config=dict(QWEN_VISION, num_position_embeddings=4, deepstack_visual_indexes=[0]))),
    "gpt-oss": ("gpt_oss", dict(SMALL, num_attention_heads=4, num_key_value_heads=2, intermediate_size=20, num_local_experts=5, num_experts_per_tok=3, sliding_window=9, swiglu_limit=1.25)),
    # A width of whole blocks.
    "gpt-oss-mxfp4": ("gpt_oss", dict(SMALL, hidden_size=32, intermediate_size=32, num_local_experts=3, num_experts_per_tok=2, sliding_window=9)),
    "glm4-moe": ("glm4_moe", dict(SMALL, first_k_dense_replace=1, n_routed_experts=6, num_experts_per_tok=3, n_group=3, topk_group=2, moe_intermediate_size=10,
                                  n_shared_experts=2, routed_scaling_factor=1.5, use_qk_norm=True, attention_bias=True)),
    "minimax-m2": ("minimax_m2", dict(SMALL, intermediate_size=12, rotary_dim=4, num_local_experts=5, num_experts_per_tok=2)),
    "granitemoeshared": ("granitemoeshared", dict(SMALL, intermediate_size=12, shared_intermediate_size=20, num_local_experts=4, num_experts_per_tok=2, embedding_multiplier=12.0,
                                                  attention_multiplier=0.3, residual_multiplier=0.22, logits_scaling=4.0, rms_norm_eps=1e-2, tie_word_embeddings=True)),
    "qwen3-next": ("qwen3_next", dict(HYBRID, mlp_only_layers=[0], num_experts=3, num_experts_per_tok=2, moe_intermediate_size=6, shared_expert_intermediate_size=7)),
    # Latent attention: queries in two steps and in one, values as wide as keys and narrower.
    "deepseek-v3": ("deepseek_v3", dict(LATENT, first_k_dense_replace=1, n_group=3, topk_group=2, routed_scaling_factor=1.5, attention_bias=True,
                                        rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16, mscale=1.0, mscale_all_dim=1.0))),
    "deepseek-v2": ("deepseek_v2", dict(LATENT, q_lora_rank=None, n_group=3, topk_group=2, topk_method="group_limited_greedy", routed_scaling_factor=2.0)),
    "glm4-moe-lite": ("glm4_moe_lite", dict(LATENT, v_head_dim=10, rope_interleave=True)),
    # An MLP beside the experts.
    # Chunks of eight positions; queries of the layer without RoPE grow from position 4 on.
    "llama4": ("llama4", dict(text_config=dict(TINY, num_hidden_layers=3, no_rope_layers=[1, 0, 1], interleave_moe_layer_step=2, intermediate_size=6, intermediate_size_mlp=10, num_local_experts=3, num_experts_per_tok=2,
                                               attention_chunk_size=8, floor_scale=5, attn_scale=0.4, attention_bias=True), tie_word_embeddings=False,
                              vision_config=dict(hidden_size=4, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1, image_size=4, patch_size=2, vision_output_dim=4, projector_input_dim=4, projector_output_dim=4), boi_token_index=900, eoi_token_index=901, image_token_index=902)),
    "gemma4-moe": ("gemma4_text", dict(GEMMA4, layer_types=SLIDES_EVERY_SECOND, hidden_size_per_layer_input=0, enable_moe_block=True, num_experts=5, top_k_experts=2, moe_intermediate_size=7)),
    "flex-olmo": ("flex_olmo", dict(TINY, intermediate_size=8, num_experts=4, num_experts_per_tok=2)),
    "mellum": ("mellum", dict(TINY, layer_types=["sliding_attention", "full_attention"], sliding_window=9, mlp_layer_types=["sparse", "dense"], num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8,
                              rope_parameters=dict(sliding_attention=dict(rope_type="default", rope_theta=10000.0), full_attention=dict(rope_type="yarn", rope_theta=500000.0, factor=4.0, original_max_position_embeddings=64)))),
    "exaone-moe": ("exaone_moe", dict(TINY, sliding_window=9, layer_types=["sliding_attention", "full_attention"], num_experts=4, num_experts_per_tok=3, moe_intermediate_size=8)),
    "hunyuan-moe": ("hunyuan_v1_moe", dict(TINY, intermediate_size=8, num_experts=4, moe_topk=2)),
    "lfm2-moe": ("lfm2_moe", dict(TINY, num_hidden_layers=3, layer_types=["conv", "full_attention", "conv"], num_dense_layers=1, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=6,
                                  routed_scaling_factor=1.5, tie_word_embeddings=True)),
    "granite-hybrid-moe": ("granitemoehybrid", dict(TINY, **MAMBA, layer_types=["linear_attention", "full_attention"], intermediate_size=6, num_local_experts=4, num_experts_per_tok=2,
                                                    shared_intermediate_size=7, position_embedding_type="rope", rms_norm_eps=1e-2)),
    "nemotron-h-moe": ("nemotron_h", dict({name: value for name, value in TINY.items() if name != "num_hidden_layers"}, layers_block_type=["moe", "linear_attention", "full_attention", "mlp", "moe"], mamba_num_heads=2,
                                          mamba_head_dim=8, n_groups=1, ssm_state_size=6, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=6, moe_shared_expert_intermediate_size=7, routed_scaling_factor=2.5)),
    "ernie-moe": ("ernie4_5_moe", dict(SMALL, tie_word_embeddings=True, moe_num_experts=4, moe_k=2, moe_num_shared_experts=1, moe_intermediate_size=12)),
}
# Folders without a model of their own, for adapters of routers: modules with Transformers 4, bare parameters with 5.
BORROWED = {"routers": ("../qwen2-moe/model", {"lora": dict(r=2, lora_alpha=5, target_modules=["q_proj", "gate", "shared_expert_gate"]),
                                               "dora": dict(r=2, lora_alpha=4, use_dora=True, target_modules=["gate", "shared_expert_gate"])}),
            "bare-parameters": ("../mixtral/model", {"all-linear": dict(r=1, lora_alpha=2, target_modules="all-linear")}),
            # Where the invocation stands once, twice, from the first token on, and not at all.
            "activated": ("../granite/model", {"alora": dict(r=2, lora_alpha=5, target_modules=["q_proj", "k_proj", "v_proj", "lm_head"], alora_invocation_tokens=[9, 5])},
                          [[7, 30, 9, 5, 11, 9], [9, 5, 8, 9, 5, 41], [9, 5, 12], [5, 9, 14, 9]]),
            # Rows of the embedding and the head: tied, apart on tied weights, and of each where they are not tied.
            "trained-tokens": ("../gemma/model", {"tied": dict(r=1, lora_alpha=2, target_modules=["q_proj"], trainable_token_indices=[9, 4, 30]),
                                                  "apart": dict(r=1, lora_alpha=2, target_modules=["q_proj"], trainable_token_indices={"embed_tokens": [9, 4], "lm_head": [4, 5]})},
                               [[7, 9, 4, 11], [30, 5]]),
            "trained-tokens-untied": ("../llama3/model", {"embedding": dict(r=1, lora_alpha=2, target_modules=["q_proj", "lm_head"], trainable_token_indices=[9, 4]),
                                                          "both": dict(r=1, lora_alpha=2, target_modules=["q_proj"], trainable_token_indices={"model.embed_tokens": [9, 4], "lm_head": [5]})},
                                      [[7, 9, 4, 11], [30, 5]])}
EVERY_PARAMETER = ["router.weight", "experts.gate_up_proj", "experts.down_proj"]
MIXTURES = list(FAMILIES)[list(FAMILIES).index("mixtral"):]
BARE = list(FAMILIES)[list(FAMILIES).index("granitemoe") + 1:]
SMALLEST = list(FAMILIES)[list(FAMILIES).index("phi4"):]
# As their publishers spell them: the fields of Transformers 4.
OLD_SPELLING = ["phi4", "phi4-mini", "gemma3-vision", "qwen2-5-vl"]


def adapters(kind):
    everything = OTHERWISE.get(kind, SEPARATE)
    return {"all-r5": dict(r=5, lora_alpha=9, target_modules=everything),
            "dora": dict(r=3, lora_alpha=6, use_dora=True, use_rslora=True, target_modules=everything + ["lm_head"]),
            "ends": dict(r=4, lora_alpha=8, target_modules=["embed_tokens", "lm_head", "o_proj"])}


def few(kind, ends):
    """Adapters of the smallest folders; base weights of embed_tokens and lm_head make an adapter large."""
    three = adapters(kind)
    everything = three["all-r5"]["target_modules"]
    two = {"all-r2": dict(three["all-r5"], r=2), "dora": dict(three["dora"], r=1, target_modules=everything)}
    return {**two, "ends": three["ends"]} if ends else two


def of_mixtures(family):
    """Adapters of models with experts; whose experts are one parameter, has none on them but of that parameter."""
    if family == "gpt-oss":
        return {"attention": dict(r=3, lora_alpha=6, target_modules=SEPARATE[:4] + ["embed_tokens", "lm_head"]), "dora": dict(r=2, lora_alpha=4, use_dora=True, target_modules="all-linear"),
                "experts": dict(r=2, lora_alpha=5, target_modules=["q_proj"], target_parameters=EVERY_PARAMETER, rank_pattern={"experts.down_proj": 1})}
    if family == "gpt-oss-mxfp4": return {"experts": dict(r=1, lora_alpha=2, target_modules="all-linear", target_parameters=EVERY_PARAMETER)}
    if family in BARE:
        granite = "granite" in family
        # In families that Transformers 4 knows, PEFT makes target_parameters of these names.
        mlp = ["input_linear", "output_linear"] if granite else SEPARATE[4:] if "vl" in family else []
        if family in ("deepseek-v3", "deepseek-v2", "glm4-moe-lite"):
            return {"experts": dict(r=1, lora_alpha=2, target_modules=LATENTS, target_parameters=["gate.weight", "experts.gate_up_proj", "experts.down_proj"]), "dora": dict(r=2, lora_alpha=3, use_dora=True, target_modules=LATENTS)}
        if family == "llama4": return {"experts": dict(r=2, lora_alpha=3, target_modules=["q_proj", *SEPARATE[4:]], target_parameters=EVERY_PARAMETER), "dora": dict(r=1, lora_alpha=2, use_dora=True, target_modules=SEPARATE)}
        if family == "gemma4-moe": return {"experts": dict(r=1, lora_alpha=2, target_modules=["q_proj", "proj", *SEPARATE[4:]], target_parameters=["experts.gate_up_proj", "experts.down_proj"]),
                                           "dora": dict(r=1, lora_alpha=2, use_dora=True, target_modules="all-linear")}
        if family == "hunyuan-moe": return {"experts": dict(r=1, lora_alpha=2, target_modules=["q_proj", "wg"], target_parameters=["experts.gate_up_proj", "experts.down_proj"])}
        if family == "granite-hybrid-moe": mlp += ["in_proj", "out_proj"]
        if family == "lfm2-moe": mlp = ["in_proj", "out_proj", "w1", "w2", "w3"]
        if family == "nemotron-h-moe": return {"experts": dict(r=2, lora_alpha=5, target_modules=["in_proj", "q_proj"], target_parameters=["gate.weight", "experts.up_proj", "experts.down_proj"]),
                                               "dora": dict(r=1, lora_alpha=2, use_dora=True, target_modules=SEPARATE[:4] + ["in_proj", "up_proj", "down_proj"])}
        if family == "qwen3-next": mlp = ["in_proj_qkvz", "in_proj_ba", "out_proj", "shared_expert_gate"]
        experts = dict(r=2, lora_alpha=5, target_modules=["q_proj"] + mlp, target_parameters=["router.weight" if granite else "gate.weight", "experts.gate_up_proj", "experts.down_proj"])
        if family == "qwen3-next": return {"dora": dict(r=2, lora_alpha=3, use_dora=True, target_modules=SEPARATE[:4] + mlp)}
        return {"experts": experts, "dora": dict(r=1, lora_alpha=2, use_dora=True, target_modules=SEPARATE[:4] + mlp)}
    attention, experts = SEPARATE[:4], [] if family == "granitemoe" else ["w1", "w2", "w3"] if family == "mixtral" else SEPARATE[4:]
    ends = {"ends": dict(r=4, lora_alpha=8, target_modules=["embed_tokens", "lm_head", "o_proj"])} if family == "mixtral" else {}
    return {"attention": dict(r=3, lora_alpha=6, target_modules=attention + ["lm_head"]), **ends,
            **({"experts": dict(r=2, lora_alpha=5, target_modules=["q_proj"] + experts), "dora": dict(r=1, lora_alpha=2, use_dora=True, target_modules=attention + experts)} if experts else
               {"dora": dict(r=2, lora_alpha=4, use_dora=True, target_modules=attention)})}


def respell(path):
    """rope_parameters in the words of Transformers 4."""
    config = json.loads(path.read_text())
    text = config.get("text_config", config)
    rope = text.pop("rope_parameters")
    if "mrope_section" in rope:  # Qwen2.5-VL's are all at the top
        config = {**{name: value for name, value in config.items() if name not in ("text_config", *SHAPE)}, **text, **{name: config[name] for name in ("model_type", "architectures")},
                  "rope_theta": rope["rope_theta"], "rope_scaling": dict(type="mrope", mrope_section=rope["mrope_section"])}
    elif "full_attention" in rope:
        text["rope_theta"], text["rope_local_base_freq"] = rope["full_attention"]["rope_theta"], rope["sliding_attention"]["rope_theta"]
    else:
        text["rope_theta"], text["partial_rotary_factor"] = rope["rope_theta"], rope["partial_rotary_factor"]
        if "long_factor" in rope: text["rope_scaling"] = dict(type="longrope", short_factor=rope["short_factor"], long_factor=rope["long_factor"])
    path.write_text(json.dumps(config, indent=2) + "\n")


def transpose_experts(path):
    """As Qwen3-VL is published: [experts, in, out]."""
    tensors = load_file(path)
    save_file({name: t.transpose(1, 2).contiguous() if "experts." in name else t for name, t in tensors.items()}, path, metadata=dict(format="pt"))


def pack_experts(folder, generator):
    """The experts' matrices in MXFP4, of random numbers and scales, in the tensors that OpenAI's checkpoint has them in."""
    tensors = load_file(folder / "model.safetensors")
    for name in [name for name in tensors if name.endswith(("gate_up_proj", "down_proj"))]:
        experts, inputs, outputs = tensors.pop(name).shape
        shape = (experts, outputs, inputs // 32)
        tensors[f"{name}_blocks"] = torch.randint(0, 256, (*shape, 16), generator=generator, dtype=torch.uint8)
        tensors[f"{name}_scales"] = torch.randint(121, 126, shape, generator=generator, dtype=torch.uint8)
    save_file(tensors, folder / "model.safetensors", metadata=dict(format="pt"))
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = dict(quant_method="mxfp4", modules_to_not_convert=["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"])
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def randomize(model, gemma, few_bits, generator):
    buffers = [(name, b) for name, b in model.named_buffers() if name.endswith(("correction_bias", "expert_bias", "layer_scalar"))]
    for name, p in [*model.named_parameters(), *buffers]:
        noise = torch.randn(p.shape, generator=generator)
        if "scal" in name: p.data = 0.5 + noise.abs()
        elif "norm" in name: p.data = noise * 0.2 + (0.0 if gemma else 1.0)
        elif name.endswith("bias"): p.data = noise * 0.3
        else: p.data = noise * (1.2 / p.shape[-1] ** 0.5 if "embed" not in name else 0.7)
        if few_bits: p.data = p.data.to(torch.float8_e4m3fn)
        p.data = p.data.bfloat16().float()


def randomize_adapter(model, few_bits, generator):
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if "lora_magnitude" in name: p.data = p.data * (1 + 0.2 * noise)
        elif "trainable_tokens" in name: p.data = noise * 0.7
        elif "lora_" in name: p.data = noise * (0.6 / p.shape[-1] ** 0.5 if "embedding_A" not in name else 0.3)
        if few_bits and ("lora_" in name or "trainable_tokens" in name): p.data = p.data.bfloat16().float()


@torch.no_grad()
def write_family(family, folder):
    kind, options = FAMILIES[family]
    generator = torch.Generator().manual_seed(sum(map(ord, family)))
    config = AutoConfig.for_model(kind, **{**SHAPE, **options})
    auto = AutoModelForImageTextToText if kind in ("mistral3", "qwen3_5", "gemma4", "llama4") or "_vl" in kind else AutoModelForCausalLM
    model = auto.from_config(config, **EAGER).float().eval()
    small = family in SMALLEST
    randomize(model, "gemma" in kind and "gemma4" not in kind, small, generator)
    model.bfloat16().save_pretrained(folder / "model")
    if family.endswith("mxfp4"): pack_experts(folder / "model", generator)
    if family in OLD_SPELLING: respell(folder / "model" / "config.json")
    if kind == "qwen3_vl_moe": transpose_experts(folder / "model" / "model.safetensors")
    vocabulary = config.get_text_config().vocab_size
    prompts = [torch.randint(3, vocabulary, (n,), generator=generator) for n in ((3, 14) if "vocab_size': 33" in str(options) else (2, 26) if small else (1, 12, 40))]
    # An adapter of a vision model may have changed its eyes too, which the language model does not notice.
    chosen = of_mixtures(family) if family in MIXTURES else few(kind, family in ("granite", "gemma3-vision", "qwen2-5-vl")) if small else adapters(kind)
    record_cases(family, auto, folder, "model", {"base": None, **chosen}, prompts, small, generator)


@torch.no_grad()
def write_adapters(family, folder):
    """Adapters of the model in another folder."""
    model, chosen, *given = BORROWED[family]
    generator = torch.Generator().manual_seed(sum(map(ord, family)))
    prompts = [torch.tensor(one) for one in given[0]] if given else [torch.randint(3, SMALL["vocab_size"], (n,), generator=generator) for n in (2, 6)]
    record_cases(family, AutoModelForCausalLM, folder, model, chosen, prompts, True, generator)


def logits(net, prompt):
    """Llama4ForConditionalGeneration of Transformers 5.24 asks its language model what it saw, and fails."""
    whole = net.get_base_model() if isinstance(net, PeftModel) else net
    return (whole.language_model if whole.config.model_type == "llama4" else net)(input_ids=prompt[None]).logits[0]


def sample_positions(tensors, cases):
    """Of each case the logits of the last position and of every fourth before it, others for each adapter, so that four adapters check all."""
    adapters, sample = list(dict.fromkeys(case["adapter"] for case in cases)), {}
    for case in cases:
        last, first = len(case["promptTokens"]) - 1, adapters.index(case["adapter"]) % 4
        positions = [at for at in range(last + 1) if at == last or (last - at) % 4 == first]
        sample[case["name"] + "/positions"] = torch.tensor(positions, dtype=torch.int32)
        sample[case["name"] + "/logits"] = tensors[case["name"] + "/logits"][positions].contiguous()
    return sample


def record_cases(family, auto, folder, model, chosen, prompts, small, generator):
    cases, tensors = [], {}

    def record(label, adapter, net):
        for i, prompt in enumerate(prompts):
            tensors[f"{label}/{i}/logits"] = logits(net, prompt).float().contiguous()
            cases.append({"name": f"{label}/{i}", "adapter": adapter, "promptTokens": prompt.tolist()})

    for label, lora in chosen.items():
        widened = dict(quantization_config=Mxfp4Config(dequantize=True)) if family.endswith("mxfp4") else {}
        base = auto.from_pretrained((folder / model).resolve(), dtype=torch.float32, **EAGER, **widened).eval()
        if lora is None:
            record(label, None, base)
            continue
        net = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **lora)).eval()
        net.peft_config["default"].base_model_name_or_path = f"tiny-{family}"
        randomize_adapter(net, small, generator)
        half = dict(state_dict={name: p.bfloat16() for name, p in net.state_dict().items()}) if small else {}
        net.save_pretrained(folder / "adapters" / label, **half)
        (folder / "adapters" / label / "README.md").unlink(missing_ok=True)
        record(label, label, net)
    (folder / "golden.json").write_text(json.dumps({"model": model, "cases": cases}) + "\n")
    save_file(tensors if small else sample_positions(tensors, cases), folder / "golden.safetensors")
    print(family, {c["name"]: round(float(tensors[c["name"] + "/logits"].abs().max()), 1) for c in cases if c["name"].endswith(f"/{len(prompts) - 1}")})


if __name__ == "__main__":
    torch.set_num_threads(2)
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "test" / "golden"
    for name in sys.argv[2:] or [*FAMILIES, *BORROWED]: (write_adapters if name in BORROWED else write_family)(name, root / name)
