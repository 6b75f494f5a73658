"""Random small models of every family and random adapters of them: the engine on the CPU against Transformers + PEFT.

Usage: python scripts/sweep-families.py FOLDER [MODELS [SEED [FAMILY…]]]    needs torch, transformers, peft
A FAMILY+fp8 is stored in E4M3, all experts' matrices in one tensor where Transformers writes them so.

Prints what is refused and what differs. Up to 1e-3 it may be float32 where numbers cancel: look at the reference in float64.
What Transformers or PEFT refuse is drawn again.
"""
import json
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

SGMV = Path(__file__).parent.parent / "bin" / "sgmv.mjs"
# Grouped products of experts want widths that are multiples of 16 bytes.
EAGER = dict(attn_implementation="eager", **(dict(experts_implementation="eager") if transformers.__version__ > "5" else {}))
DTYPES = [torch.float32, torch.float16, torch.bfloat16]
VISION = dict(hidden_size=4, intermediate_size=4, num_hidden_layers=1, num_attention_heads=1, image_size=4, patch_size=2)
QWEN_VISION = dict(depth=1, hidden_size=4, intermediate_size=4, num_heads=1, patch_size=1, spatial_merge_size=1, in_channels=1, temporal_patch_size=1)
WRAPPED = {"gemma3": ("gemma3_text", dict(VISION, vision_use_head=False)), "mistral3": ("mistral", dict(VISION, model_type="pixtral", head_dim=4)),
           "qwen2_vl": ("qwen2_vl_text", dict(QWEN_VISION, embed_dim=4, mlp_ratio=1)), "qwen2_5_vl": ("qwen2_5_vl_text", dict(QWEN_VISION, window_size=4, fullatt_block_indexes=[0])),
           "qwen3_vl": ("qwen3_vl_text", dict(QWEN_VISION, num_position_embeddings=4, deepstack_visual_indexes=[0])),
           "qwen3_vl_moe": ("qwen3_vl_moe_text", dict(QWEN_VISION, num_position_embeddings=4, deepstack_visual_indexes=[0])),
           "gemma4": ("gemma4_text", None), "llama4": ("llama4_text", dict(VISION, intermediate_size=16, vision_output_dim=4, projector_input_dim=4, projector_output_dim=4)), "qwen3_5": ("qwen3_5_text", dict(QWEN_VISION, num_position_embeddings=4)), "qwen3_5_moe": ("qwen3_5_moe_text", dict(QWEN_VISION, num_position_embeddings=4))}
UNGATED = ["apertus", "starcoder2", "nemotron", "jais2", "arcee", "phi"]
PARALLEL = ["cohere", "cohere2", "phi", "stablelm"]
NORM_EPS = dict(nemotron_h="layer_norm_epsilon", lfm2="norm_eps", lfm2_moe="norm_eps", starcoder2="norm_epsilon", nemotron="norm_eps", jais2="layer_norm_eps", **{family: "layer_norm_eps" for family in PARALLEL})
FAMILIES = """llama mistral ministral ministral3 qwen2 qwen3 gemma2 gemma3_text phi3 smollm3 granite olmo2 olmo3 mixtral qwen2_moe qwen3_moe olmoe
granitemoe gpt_oss gemma3 mistral3 gemma seed_oss glm glm4 ernie4_5 exaone4 hunyuan_v1_dense starcoder2 nemotron jais2 arcee helium cwm iquestcoder internlm3
cohere cohere2 phi stablelm vaultgemma hyperclovax granite_swa apertus olmo
qwen2_vl qwen2_5_vl qwen3_vl qwen3_vl_moe
glm4_moe dots1 solar_open minimax_m2 granitemoeshared ernie4_5_moe flex_olmo mellum exaone_moe hunyuan_v1_moe
qwen3_5_text qwen3_5 qwen3_next qwen3_5_moe gemma4_text gemma4 gemma4_unified_text llama4_text llama4
deepseek_v2 deepseek_v3 glm4_moe_lite youtu minicpm3
lfm2 lfm2_moe granitemoehybrid bamba falcon_h1 nemotron_h""".split()
LATENT = FAMILIES[FAMILIES.index("deepseek_v2"):FAMILIES.index("lfm2")]


def draw_rope(rng, family, head_dim):
    """In the words of Transformers 4, which 5 reads too."""
    kind = rng.choice(["default", "longrope"] + ["default", "linear", "dynamic", "llama3", "yarn"] * (family != "phi3"))
    scaling, fields = dict(rope_type=kind, factor=rng.choice([1.0, 1.5, 32.0])), dict(rope_theta=rng.choice([100.0, 1e6]))
    if kind == "llama3": scaling.update(low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
    if kind == "yarn": scaling.update(rng.choice([{}, dict(attention_factor=0.8), dict(original_max_position_embeddings=8)]))
    if kind == "longrope":
        share, original = rng.choice([1.0, 0.5]) if family == "phi3" else 0.5 if re.search("glm|nemotron|phi$", family) else 0.25 if re.search("qwen3_(5|next)|stablelm", family) else 1.0, rng.choice([16, 24, 256])
        scaling.update({name: [1 + step * i for i in range(int(head_dim * share) // 2)] for name, step in (("short_factor", 0.1), ("long_factor", 0.7))}, factor=256 / original)
        fields.update(original_max_position_embeddings=original, **(dict(partial_rotary_factor=share) if family == "phi3" else {}))
    return fields if kind == "default" else dict(fields, rope_scaling=scaling)


def draw_config(rng, family):
    pick, flag = rng.choice, lambda: rng.random() < 0.5
    kv, head_dim, layers, experts = pick([1, 1, 2, 3]), pick([2, 4, 6, 10, 18, 34, 64, 128]), pick([1, 2, 3, 5]), pick([1, 2, 5, 33])
    heads = kv * pick([1, 2, 3, 5])
    c = dict(hidden_size=rng.randint(3, 100), num_attention_heads=heads, num_key_value_heads=kv, head_dim=head_dim, num_hidden_layers=layers, intermediate_size=rng.randint(1, 99),
             vocab_size=pick([33, 64, 65, 129]), max_position_embeddings=256, rms_norm_eps=pick([1e-6, 1e-2]), tie_word_embeddings=flag(), bos_token_id=1, eos_token_id=None, pad_token_id=0,
             attention_bias=flag(), mlp_bias=flag(), qkv_bias=flag(), sliding_window=pick([1, 5, 9, 16]), use_sliding_window=family != "qwen2_moe" and flag(), max_window_layers=rng.randint(0, layers))
    if family in LATENT: head_dim = draw_latent(rng, family, c)
    elif family == "stablelm" or flag() and family not in ("gemma3_text", "gemma", "gemma4_text", "gemma4_unified_text", "vaultgemma", "seed_oss", "glm", "glm4", "ernie4_5", "hunyuan_v1_dense", "hunyuan_v1_moe", "mellum", "helium", "cwm", "iquestcoder", "internlm3", "qwen3_5_text", "qwen3_next", "qwen3_5_moe_text"):
        c["hidden_size"] = (8 if family == "stablelm" else 2) * heads * rng.randint(1, 6)
        head_dim = c["hidden_size"] // heads
        del c["head_dim"]
    if family in ("gemma3_text", "olmo3"): c.update(rope_theta=500000.0, **pick([{}, dict(rope_scaling=dict(rope_type="linear", factor=8.0))]))
    elif "gemma4" in family: draw_gemma4(rng, family, c)
    elif family == "mellum":
        of_type = lambda theta: dict(rope_theta=theta, **pick([dict(rope_type="default"), dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)]))
        c["rope_parameters"] = dict(full_attention=of_type(5e5), sliding_attention=of_type(1e4))
    elif family == "ministral3": c["rope_parameters"] = dict(rope_type="yarn", rope_theta=1e4, factor=16.0, original_max_position_embeddings=8, llama_4_scaling_beta=pick([0.0, 0.4]))
    else: c.update(draw_rope(rng, "latent" if family in LATENT else family, head_dim))
    if family in LATENT and c.get("rope_scaling", {}).get("rope_type") == "yarn": c["rope_scaling"].update(pick([{}, dict(mscale=0.7, mscale_all_dim=0.7), dict(mscale=1.0, mscale_all_dim=0.5)]))
    if family in ("mistral", "ministral3", "mixtral", "phi3", "starcoder2") and flag(): c["sliding_window"] = None
    if family in ("ministral", "gemma2", "vaultgemma", "gemma3_text", "olmo3", "cwm", "gpt_oss", "mellum", "granite_swa") and flag(): c["layer_types"] = [pick(["sliding_attention", "full_attention"]) for _ in range(layers)]
    if "gemma" in family: c.update(query_pre_attn_scalar=pick([1, 20, 256]), final_logit_softcapping=pick([None, 3.0, 30.0]), attn_logit_softcapping=pick([None, 1.0, 50.0]))
    if family == "gemma3_text": c.update(rope_local_base_freq=pick([100.0, 1e4]), sliding_window_pattern=pick([2, 3, 6]))
    if family in ("exaone4", "exaone_moe"): c.update(pick([dict(sliding_window=None, layer_types=["full_attention"] * layers), dict(sliding_window_pattern=pick([2, 4])), dict(layer_types=[pick(["sliding_attention", "full_attention"]) for _ in range(layers)])]))
    if family == "seed_oss": c.update(attention_out_bias=flag())
    if family in ("ernie4_5", "starcoder2"): c.update(use_bias=flag())
    if family.startswith("hunyuan") and flag(): c.update(rope_scaling=dict(type="dynamic", alpha=pick([0.5, 1000.0]), factor=1.0))
    if family in NORM_EPS: c[NORM_EPS[family]] = c.pop("rms_norm_eps")
    if family in UNGATED: c["hidden_act"] = pick(["gelu_pytorch_tanh", "gelu_new", "relu2"] + ["xielu"] * 3 * (family == "apertus"))
    if family == "olmo": c.update(clip_qkv=pick([None] * 9 + [8.0]))
    if family in PARALLEL: c.update(use_qk_norm=flag(), logit_scale=pick([0.0625, 0.25, 1.0]), use_qkv_bias=flag(), use_parallel_residual=flag(), qk_layernorm=rng.random() < (0.05 if family == "phi" else 0.5))
    if family == "cohere2": c.update(pick([{}, dict(sliding_window_pattern=pick([1, 2, 4])), dict(layer_types=[pick(["sliding_attention", "full_attention"]) for _ in range(layers)])]))
    if family == "hyperclovax":
        c.update(embedding_multiplier=10.0, attention_multiplier=pick([None, 0.02]), logits_scaling=0.125, **pick([dict(use_post_norm=False, residual_multiplier=0.22), {}]))
        if "head_dim" in c: c["hidden_size"] = heads * rng.randint(1, 20)
    if family == "helium": c.update(hidden_size=heads * head_dim)
    if family == "cwm": c.pop("attention_bias")
    if family == "iquestcoder": c.update(use_sliding_window=False)
    if family == "internlm3": c.update(attention_bias=c["mlp_bias"], qkv_bias=c["mlp_bias"])
    if family == "gemma": c.update(hidden_act=pick(["gelu", "gelu_pytorch_tanh", "silu"]))
    if family in ("glm", "glm4", "glm4_moe", "nemotron", "phi", "stablelm") and "short_factor" not in str(c) and flag(): c.update(partial_rotary_factor=1.0)
    if family == "smollm3": c.update(no_rope_layer_interval=rng.randint(1, 4), no_rope_layers=pick([None, [rng.randint(0, 1) for _ in range(layers)]]))
    if "granite" in family: c.update(embedding_multiplier=12.0, attention_multiplier=pick([1.0, 0.02]), residual_multiplier=0.22, logits_scaling=8.0)
    if family == "granite_swa" and flag(): c["layer_rope_theta"] = [pick([0, 500.0]) for _ in range(layers)]
    if family == "gpt_oss": c.update(swiglu_limit=pick([0.5, 2.0, 7.0]), **pick([{}, dict(swiglu_alpha=0.7)]))
    if re.search("qwen3_(5|next)", family):
        keys = pick([1, 2, 3])
        c.update(linear_num_key_heads=keys, linear_num_value_heads=keys * pick([1, 2, 3]), linear_key_head_dim=pick([1, 4, 6, 33, 128]), linear_value_head_dim=pick([1, 4, 10, 34, 64]), linear_conv_kernel_dim=pick([1, 2, 4, 5]),
                 **pick([dict(full_attention_interval=pick([1, 2, 4])), dict(layer_types=[pick(["linear_attention", "full_attention"]) for _ in range(layers)])]))
        if "rope_scaling" not in c and flag(): c["rope_parameters"] = dict(rope_type="default", rope_theta=c.pop("rope_theta"), partial_rotary_factor=pick([0.5, 1.0]), mrope_section=[head_dim // 8] * 3)
    if family in ("granitemoehybrid", "bamba", "falcon_h1"): draw_mamba(rng, family, c)
    if family == "nemotron_h": draw_nemotron(rng, c)
    if family.startswith("lfm2"): draw_lfm(rng, family, c)
    if "_vl_" in family:
        if family.startswith("qwen2"): c.update(hidden_size=heads * head_dim, head_dim=head_dim)
        cut = sorted(rng.sample(range(head_dim // 2 + 1), 2)) if head_dim > 2 else [0, 1]
        scaling = c.setdefault("rope_scaling", pick([dict(type="mrope"), dict(rope_type="default")]) if family.startswith("qwen2") else dict(rope_type="default", mrope_interleaved=True))
        scaling.update(mrope_section=[cut[0], cut[1] - cut[0], head_dim // 2 - cut[1]])
    if family in ("mellum", "exaone_moe") and flag(): c["mlp_layer_types"] = [pick(["dense", "sparse"]) for _ in range(layers)]
    if family in ("glm4_moe", "dots1", "solar_open", "exaone_moe", *LATENT[:3]):
        experts = pick([2, 4, 6, 33])
        groups = pick([n for n in (1, 2, 3, 11) if experts % n == 0 and experts // n > 1])
        of_best = rng.randint(1, groups)
        c.update({"num_experts" if family == "exaone_moe" else "n_routed_experts": experts}, num_shared_experts=pick([1, 2]), n_group=groups, topk_group=of_best, num_experts_per_tok=pick([1, min(3, of_best * experts // groups), of_best * experts // groups]), norm_topk_prob=flag(),
                 n_shared_experts=pick([1, 2]), moe_intermediate_size=rng.randint(1, 50), routed_scaling_factor=pick([1.0, 2.5]), first_k_dense_replace=rng.randint(0, layers), use_qk_norm=flag())
    elif family == "ernie4_5_moe":
        c.update(moe_num_experts=experts, moe_k=min(experts, pick([1, 3, experts])), moe_num_shared_experts=pick([0, 1, 2]), moe_intermediate_size=rng.randint(1, 50), use_bias=rng.random() < 0.1,
                 moe_layer_start_index=rng.randint(0, layers), moe_layer_interval=pick([1, 1, 2]), moe_layer_end_index=pick([-1, layers - 1, 0]))
    elif family == "llama4_text":
        c.update(num_local_experts=experts, num_experts_per_tok=min(experts, pick([1, 3, experts])), intermediate_size_mlp=rng.randint(1, 99), use_qk_norm=flag(), attention_chunk_size=pick([None, 1, 5, 16, 300]),
                 attn_temperature_tuning=flag(), floor_scale=pick([1, 7, 8192]), attn_scale=pick([0.1, 0.5]), no_rope_layer_interval=rng.randint(1, 4), no_rope_layers=pick([None, [], [rng.randint(0, 1) for _ in range(layers)]]),
                 **pick([dict(interleave_moe_layer_step=pick([1, 2])), dict(moe_layers=sorted(rng.sample(range(layers), rng.randint(0, layers))))]))
        if c["attention_chunk_size"] and flag(): c["layer_types"] = [pick(["chunked_attention", "full_attention"]) for _ in range(layers)]
    elif family == "hunyuan_v1_moe":
        chosen = min(experts, pick([1, 3, experts]))
        c.update(num_experts=experts, moe_topk=pick([chosen, [chosen] * layers]))
    elif re.search("moe(_text|shared)?$|mixtral|minimax|gpt_oss|flex_olmo|mellum", family):
        if family == "minimax_m2" and "head_dim" in c: c.update(rotary_dim=2 * rng.randint(1, head_dim // 2))
        c.update(shared_intermediate_size=pick([0, 13]))
        c.update({"num_local_experts" if family in ("mixtral", "granitemoe", "granitemoeshared", "minimax_m2", "gpt_oss") else "num_experts": experts}, num_experts_per_tok=min(experts, pick([1, 3, experts])), norm_topk_prob=flag(),
                 moe_intermediate_size=rng.randint(1, 50), shared_expert_intermediate_size=c["intermediate_size"], mlp_only_layers=rng.sample(range(layers), rng.randint(0, layers - 1)))
    return c


def draw_lfm(rng, family, c):
    pick, flag, layers = rng.choice, lambda: rng.random() < 0.5, c["num_hidden_layers"]
    c.update(conv_L_cache=pick([2, 3, 3, 4, 5]), conv_bias=flag(), layer_types=[pick(["conv", "full_attention"]) for _ in range(layers)])
    c["layer_types"][rng.randrange(layers)] = "full_attention"
    c["tie_embedding"] = c.pop("tie_word_embeddings")
    if family == "lfm2":
        if flag(): c.update(full_attn_idxs=[i for i, kind in enumerate(c.pop("layer_types")) if kind != "conv"])
        if flag(): c["block_ff_dim"] = rng.randint(5, 99)
        c.update(pick([dict(block_auto_adjust_ff_dim=False), dict(block_ffn_dim_multiplier=pick([None, 1.0, 1.3]), block_multiple_of=pick([1, 7, 32]))]))
        c["intermediate_size"] += 4
    else: c.update(num_dense_layers=rng.randint(0, layers), use_expert_bias=flag(), routed_scaling_factor=pick([1.0, 2.5]))


def draw_mamba(rng, family, c):
    pick, flag, layers = rng.choice, lambda: rng.random() < 0.5, c["num_hidden_layers"]
    groups = pick([1, 1, 2, 3])
    heads, dim = groups * pick([1, 2, 3]), pick([1, 4, 10, 34, 64])
    kinds = [pick(["linear_attention", "full_attention"]) for _ in range(layers)]
    kinds[rng.randrange(layers)] = "full_attention"
    expand = pick([e for e in (1, 2, 3) if heads * dim % e == 0])
    c.update(hidden_size=heads * dim // expand, mamba_expand=expand, mamba_n_heads=heads, mamba_n_groups=groups, mamba_d_head=pick([dim, "auto"]), mamba_d_state=pick([1, 4, 6, 33, 128]),
             mamba_d_conv=pick([1, 2, 4, 4, 5]), mamba_conv_bias=flag(), mamba_proj_bias=flag(), mamba_chunk_size=pick([4, 8, 256]), **pick([{}, {}, dict(time_step_limit=[0.1, pick([0.8, float("inf")])])]))
    if "head_dim" not in c: c["head_dim"] = pick([2, 4, 10])
    if family == "falcon_h1":
        one = lambda: pick([1.0, 0.3, 2.5])
        c.update(mamba_d_ssm=pick([None, heads * dim]), mamba_rms_norm=flag(), mamba_norm_before_gate=flag(), projectors_bias=flag(), mlp_multipliers=pick([None, [one(), one()]]), ssm_multipliers=pick([None, [one() for _ in range(5)]]))
        c.update({f"{name}_multiplier": one() for name in ("lm_head", "embedding", "key", "attention_out", "attention_in", "ssm_in", "ssm_out")})
        if flag(): c.update(mamba_proj_bias=False, projectors_bias=False, attention_bias=False, mlp_bias=False)
        else: c.update(ssm_in_multiplier=1.0, ssm_out_multiplier=1.0, attention_in_multiplier=1.0, attention_out_multiplier=1.0, mlp_multipliers=[one(), 1.0])
    elif family == "bamba": c.update(attn_layer_indices=[i for i, kind in enumerate(kinds) if kind == "full_attention"], head_dim=2 * c["head_dim"])
    else: c.update(layer_types=kinds, position_embedding_type=pick([None, "rope"]), num_local_experts=pick([0, 0, 1, 5]), shared_intermediate_size=rng.randint(1, 50))
    if c.get("num_local_experts"): c.update(num_experts_per_tok=rng.randint(1, c["num_local_experts"]))


def draw_nemotron(rng, c):
    pick, flag, layers, experts = rng.choice, lambda: rng.random() < 0.5, c["num_hidden_layers"], rng.choice([2, 5, 33])
    kinds = [pick(["linear_attention", "full_attention", "mlp", "moe"]) for _ in range(layers)]
    kinds[rng.randrange(layers)] = "full_attention"
    groups = pick([1, 1, 2, 3])
    for field in [name for name in c if "rope" in name]: del c[field]
    c.update(layers_block_type=kinds, mamba_num_heads=groups * pick([1, 2, 3]), n_groups=groups, mamba_head_dim=pick([1, 4, 10, 34, 64]), ssm_state_size=pick([1, 4, 6, 33, 128]), conv_kernel=pick([1, 2, 4, 5]),
             use_conv_bias=flag(), use_bias=flag(), chunk_size=pick([4, 8, 256]), mlp_hidden_act=pick(["relu2", "relu2", "gelu_pytorch_tanh", "gelu_new"]), n_routed_experts=experts,
             num_experts_per_tok=rng.randint(1, experts), moe_intermediate_size=rng.randint(1, 50), moe_shared_expert_intermediate_size=rng.randint(1, 50), routed_scaling_factor=pick([1.0, 2.5]), norm_topk_prob=flag(),
             **pick([{}, {}, dict(time_step_min=0.3, time_step_limit=[0.1, pick([0.8, float("inf")])])]))


def draw_latent(rng, family, c):
    """Gives how many components of a head are rotated."""
    pick, heads, rope_dim = rng.choice, c["num_attention_heads"], rng.choice([2, 4, 8, 34, 64])
    del c["head_dim"]
    nope_dim = pick([2, 6, 10, 32, 100, 128])
    c.update(hidden_size=heads * rng.randint(1, 20), num_key_value_heads=heads, q_lora_rank=pick([None, 1, 7, 40]), kv_lora_rank=pick([1, 5, 16, 70, 512]), qk_nope_head_dim=nope_dim, qk_rope_head_dim=rope_dim,
             v_head_dim=pick([1, nope_dim, nope_dim + rope_dim + 3, rng.randint(1, nope_dim + rope_dim)]), topk_method=pick(["greedy", "group_limited_greedy"]), rope_interleave=pick([True, True, False]))
    if family == "youtu": c.update(pad_token_id=None)  # whose row of a tied embedding Transformers 5.24 sets to zero
    if family == "minicpm3": c.update(scale_emb=pick([1, 12, 7.5]), scale_depth=pick([None, 1.4, 0.3]), dim_model_base=pick([None, 1, 256]))
    return rope_dim


def draw_gemma4(rng, family, c):
    pick, flag, layers = rng.choice, lambda: rng.random() < 0.5, c["num_hidden_layers"]
    heads, kinds = c["num_attention_heads"], [pick(["sliding_attention", "full_attention"]) for _ in range(layers - 1)] + ["full_attention"]
    sharing = [n for n in range(layers) if set(kinds[layers - n:]) <= set(kinds[:layers - n])]
    if set(kinds) - set(kinds[:layers - max(sharing)]): sharing = [0]
    c.update(layer_types=kinds, global_head_dim=pick([2, 4, 12, 32, 66, 160, 512]), attention_k_eq_v=flag(), num_global_key_value_heads=pick([None, *(n for n in range(1, heads + 1) if heads % n == 0)]),
             num_kv_shared_layers=pick(sharing), use_double_wide_mlp=flag(), use_bidirectional_attention=pick([None, "vision"]),
             **pick([{}, dict(rope_parameters=dict(sliding_attention=dict(rope_type="default", rope_theta=pick([100.0, 1e4])),
                                                   full_attention=pick([dict(rope_type="proportional", rope_theta=1e6, partial_rotary_factor=pick([0.0, 0.25, 0.5, 1.0]), factor=pick([1.0, 8.0])), dict(rope_type="linear", rope_theta=1e4, factor=8.0)])))]))
    if family == "gemma4_text":
        c.update(pick([dict(hidden_size_per_layer_input=0), dict(hidden_size_per_layer_input=rng.randint(1, 40), vocab_size_per_layer_input=c["vocab_size"] + pick([0, 3]))]))
        if flag(): c.update(enable_moe_block=True, num_experts=pick([1, 2, 5, 33]), top_k_experts=1, moe_intermediate_size=rng.randint(1, 50))
        if c.get("num_experts", 0) > 1: c.update(top_k_experts=rng.randint(1, c["num_experts"]))


def draw_lora(rng, model, layers):
    pick, flag = rng.choice, lambda share: rng.random() < share
    names = [n for n, m in model.named_modules() if isinstance(m, (torch.nn.Linear, torch.nn.Embedding)) and not re.search("vision|multi_modal|visual", n)]
    inner = [n for n in names if ".layers." in n]
    leaves, of_layer = sorted({n.split(".")[-1] for n in inner}), rf".*\.{rng.randrange(layers)}\..*"
    some = rng.sample(leaves, rng.randint(1, len(leaves)))
    keys = [*leaves, of_layer, pick(inner), "self_attn.(q|k)_proj", r"layers\.\d+\.mlp\.\w+", "^" + pick(inner)]
    o = dict(r=pick([1, 2, 8, 33, 256]), lora_alpha=pick([1, 32, 0.5]), use_rslora=flag(0.3), use_dora=flag(0.25), init_lora_weights=pick([True, False, "gaussian"]),
             target_modules=pick([some, leaves, some + ["lm_head"], some + ["embed_tokens"], rng.sample(names, 3), some + ["c_attn"], "all-linear", rf".*\.({'|'.join(some)})", rf"(?!.*\.1\.).*\.{some[0]}"]))
    for field in ("rank_pattern", "alpha_pattern"): o[field] = {key: pick([1, 4, 20]) for key in rng.sample(keys, pick([0, 0, 2]))}
    if flag(0.2): o["exclude_modules"] = pick([leaves[:1], of_layer, [pick(inner)]])
    if flag(0.2): o.update(layers_to_transform=pick([rng.randrange(layers), [layers - 1]]), layers_pattern=pick([None, "layers", ["h", "layers"]]))
    bare = {".".join(n.split(".")[-2:]) for n, _ in model.named_parameters() if re.search(r"(mlp|block_sparse_moe|feed_forward|mixer)\.((gate|router)\.weight|experts\.\w+_proj)$", n)}
    return dict(o, target_parameters=rng.sample(sorted(bare), rng.randint(1, len(bare))), use_dora=False) if bare and flag(0.5) else o


def randomize(named, generator, dtype, gemma=False):
    for name, p in named:
        noise = torch.randn(p.shape, generator=generator)
        if "magnitude" in name: value = p.data * (1 + 0.2 * noise)
        elif re.search("layer_scalar|router.scale|per_expert", name): value = 0.5 + noise.abs()
        elif "norm" in name: value = noise * 0.2 + (not gemma)
        else: value = noise * (0.3 if re.search("bias|embedding_A", name) else 0.7 if "embed_tokens" in name else (0.5 if "lora_" in name else 1.2) / p.shape[-1] ** 0.5)
        p.data = value.to(dtype).float()


def auto_class(family): return AutoModelForImageTextToText if re.match(r"mistral3|qwen._(5_)?vl|qwen3_5(_moe)?([-+]|$)|(gemma|llama)4([-+]|$)", family) else AutoModelForCausalLM


def as_published(rng, family, folder):
    """Qwen's vision models as they are published, and by the other names of their language model."""
    config, weights = json.loads((folder / "config.json").read_text()), folder / "model.safetensors"
    if "_vl" not in family or not weights.exists(): return
    if family.startswith("qwen2") and rng.random() < 0.5:
        text = config.pop("text_config")
        rope = text.pop("rope_parameters")
        config = dict(text, **{**config, "model_type": family}, rope_theta=rope.pop("rope_theta"), rope_scaling=rope)
    (folder / "config.json").write_text(json.dumps(config))
    tensors, transpose = load_file(weights), rng.random() < 0.7
    if family.startswith("qwen2") and rng.random() < 0.5: tensors = {re.sub("^model(?!.visual)", "model.language_model", n): t for n, t in tensors.items()}
    shape = config.get("text_config", config)
    if family == "qwen3_vl_moe" and transpose and shape["hidden_size"] not in (shape["moe_intermediate_size"], 2 * shape["moe_intermediate_size"]):
        tensors = {n: t.transpose(1, 2).contiguous() if ".experts." in n else t for n, t in tensors.items()}
    save_file(tensors, weights, metadata=dict(format="pt"))


def in_e4m3(rng, folder):
    """The same numbers in float32 beside it: dequantizing, Transformers 5.24 forgets the scales of experts that are one tensor."""
    config, path = json.loads((folder / "config.json").read_text()), folder / "model.safetensors"
    block, tensors, wide = rng.choice([None, [8, 16], [3, 5], [128, 128], "rows"]), load_file(path), {}
    suffix = "_scale" if block == "rows" else "_scale_inv"
    for name, t in list(tensors.items()):
        wide[name] = t.float()
        if t.ndim < 2 or not re.search(r"_proj|(input|output)_linear", name) or re.search("visual|vision|multi_modal", name): continue
        by_input = ".experts." in name and t.ndim == 3 and t.shape[-1 if "down" in name else -2] == fields_of(config)["hidden_size"] != t.shape[-2 if "down" in name else -1]
        rows, columns = t.shape[-2:]
        m, n = (rows, columns) if block is None else ((rows, 1) if by_input else (1, columns)) if block == "rows" else block
        scale = 2.0 ** torch.randint(-3, 1, (*t.shape[:-2], -(-rows // m), -(-columns // n)), generator=torch.Generator().manual_seed(rng.randrange(1 << 30)))
        each = scale.repeat_interleave(m, -2)[..., :rows, :].repeat_interleave(n, -1)[..., :columns]
        tensors[name] = (t.float() / each).to(torch.float8_e4m3fn)
        wide[name] = tensors[name].float() * each
        tensors[name + suffix] = scale if block is not None or t.ndim == 3 else scale.reshape(())
    shutil.copytree(folder, folder.parent / "wide")
    save_file(wide, folder.parent / "wide" / "model.safetensors", metadata=dict(format="pt"))
    save_file(tensors, path, metadata=dict(format="pt"))
    by_row = dict(quant_method="compressed-tensors", format="float-quantized", config_groups=dict(group_0=dict(targets=["Linear"], weights=dict(num_bits=8, type="float", strategy="channel"))))
    config["quantization_config"] = by_row if block == "rows" else dict(quant_method="fp8", weight_block_size=block)
    (folder / "config.json").write_text(json.dumps(config))


def fields_of(config): return config.get("text_config", config)


def load(folder, adapter=None):
    auto = auto_class(folder.parent.name)
    if (folder.parent / "wide").exists(): folder = folder.parent / "wide"
    model = auto.from_pretrained(folder, dtype=torch.float32, **EAGER)
    return (model if adapter is None else PeftModel.from_pretrained(model, adapter)).eval()


def logits(net, prompt):
    """Llama4ForConditionalGeneration of Transformers 5.24 asks its language model what it saw, and fails."""
    whole = net.get_base_model() if isinstance(net, PeftModel) else net
    return (whole.language_model if whole.config.model_type == "llama4" else net)(input_ids=prompt[None]).logits[0]


@torch.no_grad()
def write_model(rng, family, folder):
    generator, dtype = torch.Generator().manual_seed(rng.randrange(1 << 30)), rng.choice(DTYPES)
    family, *stored = family.split("+")
    text, vision = WRAPPED.get(family, (family, None))
    fields = draw_config(rng, text)
    if "_vl" in family or family in ("qwen3_5", "qwen3_5_moe"): vision = dict(vision, **{"hidden_size" if family == "qwen2_vl" else "out_hidden_size": fields["hidden_size"]})
    if family == "gemma4": vision = dict()
    outer = dict(text_config=dict(fields, model_type=text), vision_config=vision or None, tie_word_embeddings=fields["tie_word_embeddings"], mm_tokens_per_image=1) if vision is not None else fields
    model = auto_class(family).from_config(AutoConfig.for_model(family, **outer), **EAGER).float()
    randomize([*model.named_parameters(), *((n, b) for n, b in model.named_buffers() if n.endswith(("correction_bias", "expert_bias", "layer_scalar")))], generator, dtype, re.search("gemma(?!4)", family))
    model.to(dtype).save_pretrained(folder / "model", max_shard_size="5GB" if stored else rng.choice(["4KB", "5GB"]))
    as_published(rng, family, folder / "model")
    if stored: in_e4m3(rng, folder / "model")
    prompts = [torch.randint(0, fields["vocab_size"], (n,), generator=generator) for n in (1, 2, *rng.sample([15, 16, 17, 33, 47], 2))]
    cases, tensors = [], {}

    def record(label, adapter, net, chosen):
        for prompt in chosen:
            tensors[f"{label}/{len(prompt)}/logits"] = logits(net, prompt).contiguous()
            cases.append(dict(name=f"{label}/{len(prompt)}", adapter=adapter, promptTokens=prompt.tolist()))

    def record_adapter(place, name, numbers):
        base = load(folder / "model")
        lora = draw_lora(rng, base, fields["num_hidden_layers"])
        if not lora["use_dora"] and rng.random() < 0.2:
            prompt = rng.choice(prompts[1:3]).tolist()
            lora["alora_invocation_tokens"] = prompt[rng.randrange(len(prompt)):][:rng.choice([1, 2, 3])]
        elif rng.random() < 0.3:
            some, others = ([*dict.fromkeys(torch.cat(prompts).tolist()[at::2])][:rng.choice([1, 3, 9])] for at in (0, 1))
            lora["trainable_token_indices"] = rng.choice([some, some, dict(lm_head=some), dict(embed_tokens=some, lm_head=others), dict(embed_tokens=some, lm_head=some)])
        net = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM" if "alora_invocation_tokens" in lora else rng.choice(["CAUSAL_LM", None]), **lora), adapter_name=name)
        randomize([(n, p) for n, p in net.named_parameters() if re.search("lora_|trainable_tokens", n)], generator, numbers)
        net.save_pretrained(place, state_dict={n: p.to(numbers if re.search("lora_|trainable_tokens", n) else dtype) for n, p in net.state_dict().items()})
        if name != "default": shutil.copytree(place / name, place, dirs_exist_ok=True)
        config = place / "adapter_config.json"
        # Older versions of PEFT know fewer fields.
        if rng.random() < 0.3: config.write_text(json.dumps({f: value for f, value in json.loads(config.read_text()).items() if value}))
        # What counts is what PEFT makes of the files: it sorts patterns when it saves them.
        record(place.name, place.name, load(folder / "model", place), prompts[1:3])

    record("base", None, load(folder / "model"), prompts)
    for i in range(6):
        try: record_adapter(folder / "adapters" / f"{i} é", rng.choice(["default", "v1-2"]), rng.choice(DTYPES))
        except Exception as error: print(f"drawn again: {str(error)[:90]!r}")
    (folder / "golden.json").write_text(json.dumps(dict(model="model", cases=cases)))
    save_file(tensors, folder / "golden.safetensors")


def main(root, models="60", seed="1", *families):
    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    known, counts = [f for f in families or FAMILIES if f.removesuffix("+fp8") in transformers.CONFIG_MAPPING], Counter()
    for i in range(int(models)):
        rng, family = random.Random(f"{seed}/{i}"), known[i % len(known)]
        folder = Path(root).resolve() / f"{family}-{seed}-{i}"
        while not (folder / "golden.json").exists():
            try: write_model(rng, family, folder)
            except Exception as error:
                print(f"drawn again: {family}: {str(error)[:90]!r}")
                shutil.rmtree(folder, ignore_errors=True)
        run = subprocess.run(["node", SGMV, "golden", folder, "--tolerance", "2e-5", "--device", "cpu"], capture_output=True, text=True)
        for line in run.stdout.splitlines()[:-1] or [f"CRASH {run.returncode} {run.stderr}"]:
            counts[kind := "matches" if line.startswith("ok") else "differs" if "logits: " in line else "refused"] += 1
            if kind != "matches": print(kind, folder.name, line)
    print(dict(counts))


if __name__ == "__main__": main(*sys.argv[1:])
