"""Writes test/golden/gguf-<architecture>: tiny random models as llama.cpp's own converter writes them, and what Transformers + PEFT compute.

Usage: python scripts/make-gguf-golden.py LLAMA_CPP [FOLDER [FAMILY…]]     needs torch, transformers 5, peft
LLAMA_CPP: a source tree of llama.cpp; that in the source distribution of llama-cpp-python 0.3.36 was used. gguf-quantized is written by its quantizer:
GGML_BASE in the environment is the path of its libggml-base.so.

Hybrids have three value heads to each of two key heads: with as many of one as of the other, their order is its own inverse.
"""
import ctypes
import importlib
import json
import os
import shutil
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), sys.argv[1], str(Path(sys.argv[1]) / "gguf-py")]
import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize
from peft import set_peft_model_state_dict
from safetensors.torch import load_file, save_file

golden = importlib.import_module("make-family-golden")
converter = importlib.import_module("convert_hf_to_gguf")

HYBRID = dict(golden.HYBRID, linear_num_value_heads=6, linear_key_head_dim=8, linear_value_head_dim=8,
              rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5, mrope_section=[1, 1, 0]))
EXPERTS = dict(num_experts=3, num_experts_per_tok=2, moe_intermediate_size=6, shared_expert_intermediate_size=7)
LATENT = dict(golden.LATENT, hidden_size=16, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=4, n_shared_experts=1)
LFM2 = dict(golden.TINY, head_dim=8, num_hidden_layers=2, layer_types=["conv", "full_attention"], tie_word_embeddings=True)
MAMBA = dict(golden.TINY, **golden.MAMBA)
NEMOTRON = dict({name: value for name, value in golden.TINY.items() if name != "num_hidden_layers"}, mamba_num_heads=4, mamba_head_dim=8, ssm_state_size=6, conv_kernel=4)
FAMILIES = {
    "gguf-qwen35": ("qwen3_5_text", HYBRID), "gguf-qwen35moe": ("qwen3_5_moe_text", dict(HYBRID, **EXPERTS, tie_word_embeddings=True)),
    "gguf-qwen3next": ("qwen3_next", dict(HYBRID, **EXPERTS)),
    # All that Gemma 4's sizes differ in, at once.
    "gguf-gemma4": ("gemma4_text", dict(golden.GEMMA4, hidden_size=12, num_attention_heads=4, num_key_value_heads=2, num_global_key_value_heads=1, attention_k_eq_v=True, global_head_dim=8, num_hidden_layers=4,
                                        layer_types=golden.SLIDES_EVERY_SECOND * 2, num_kv_shared_layers=2, use_double_wide_mlp=True, hidden_size_per_layer_input=3, vocab_size_per_layer_input=33,
                                        final_logit_softcapping=6.0, enable_moe_block=True, num_experts=3, top_k_experts=2, moe_intermediate_size=4)),
    "gguf-deepseek2": ("deepseek_v3", dict(LATENT, first_k_dense_replace=1, n_group=2, topk_group=1, routed_scaling_factor=1.5, scoring_func="sigmoid",
                                           rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16, mscale=0.7, mscale_all_dim=0.7))),
    # What the file does not say is that of MiniCPM3-4B.
    "gguf-minicpm3": ("minicpm3", dict(LATENT, v_head_dim=8, tie_word_embeddings=True, scale_emb=12, scale_depth=1.4, dim_model_base=256,
                                       rope_parameters=golden.longrope(2, factor=1.0, original_max_position_embeddings=256))),
    "gguf-lfm2moe": ("lfm2_moe", dict(LFM2, num_dense_layers=1, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=6)),
    "gguf-granitehybrid": ("granitemoehybrid", dict(MAMBA, layer_types=["linear_attention", "full_attention"], mamba_n_groups=2, intermediate_size=6, num_local_experts=3, num_experts_per_tok=2, shared_intermediate_size=7, embedding_multiplier=4.0, attention_multiplier=0.3,
                                                    residual_multiplier=0.5, logits_scaling=2.0, rms_norm_eps=1e-2, tie_word_embeddings=True)),
    "gguf-bamba": ("bamba", dict(MAMBA, attn_layer_indices=[1])),
    # All of its multipliers.
    "gguf-falcon-h1": ("falcon_h1", dict(golden.FAMILIES["falcon-h1"][1], num_hidden_layers=1)),
    "gguf-nemotron_h": ("nemotron_h", dict(NEMOTRON, layers_block_type=["linear_attention", "mlp", "full_attention"], n_groups=2)),
    "gguf-nemotron_h_moe": ("nemotron_h", dict(NEMOTRON, layers_block_type=["moe", "linear_attention", "full_attention"], n_groups=1, n_routed_experts=3, num_experts_per_tok=2, moe_intermediate_size=6,
                                               moe_shared_expert_intermediate_size=7, routed_scaling_factor=2.5, n_group=1, topk_group=1)),
    # A row of the K-quants.
    "gguf-quantized": ("llama", dict(golden.TINY, hidden_size=256, num_attention_heads=4, head_dim=8, intermediate_size=32, vocab_size=16, num_hidden_layers=1)),
    "gguf-chatglm": ("glm", dict(golden.TINY, hidden_size=16, head_dim=8, rms_norm_eps=1e-5, attention_bias=True)),
}
FLAGS = {"gguf-qwen35moe": ["--fuse-gate-up-exps"], "gguf-chatglm": ["--fuse-qkv"]}


TYPES = {"embed_tokens": Type.Q4_K, "lm_head": Type.Q6_K, "q_proj": Type.Q2_K, "k_proj": Type.Q3_K, "v_proj": Type.IQ4_XS, "o_proj": Type.IQ4_NL, "gate_proj": Type.Q5_K, "up_proj": Type.Q3_K, "down_proj": Type.Q5_0}
GGUF_LEAVES = dict(token_embd="embed_tokens", output="lm_head", attn_q="q_proj", attn_k="k_proj", attn_v="v_proj", attn_output="o_proj", ffn_gate="gate_proj", ffn_up="up_proj", ffn_down="down_proj")
STATES = {"lfm2_moe": ["q_proj", "k_proj", "v_proj", "in_proj", "out_proj", "w1", "w2", "w3"], "granitemoehybrid": golden.SEPARATE[:4] + ["in_proj", "out_proj", "input_linear", "output_linear"],
          "bamba": golden.SEPARATE + ["in_proj", "out_proj"], "nemotron_h": golden.SEPARATE[:4] + ["in_proj", "up_proj", "down_proj"]}


def adapters(kind, _):
    if kind == "llama": return {"ends": dict(r=2, lora_alpha=4, target_modules=["embed_tokens", "lm_head", "o_proj"])}
    if kind == "qwen3_next" or kind.startswith("qwen3_5"):
        inputs = ["in_proj_qkvz", "in_proj_ba"] if kind == "qwen3_next" else ["in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a"]
        return {"dora": dict(r=1, lora_alpha=2, use_dora=True, target_modules=golden.SEPARATE[:4] + inputs + ["out_proj"])}
    if kind == "gemma4_text": return {"experts": dict(r=1, lora_alpha=2, target_modules=[*golden.SEPARATE, "proj", "per_layer_input_gate"], target_parameters=["experts.gate_up_proj", "experts.down_proj"])}
    if kind == "falcon_h1": return {}  # see docs/models.md
    if kind in STATES: return {"dora": dict(r=1, lora_alpha=2, use_dora=True, target_modules=STATES[kind])}
    return {"dora": dict(r=1, lora_alpha=2, use_dora=True, target_modules=golden.LATENTS if kind in ("deepseek_v3", "minicpm3") else golden.SEPARATE[:4] + ["gate_up_proj"])}


def without_vocabulary(model):
    model._set_vocab_none()
    if "Qwen" in model.hf_arch: model.gguf_writer.add_vocab_size(model.hparams["vocab_size"])


def quantize(values, kind):
    """[rows, columns] as the bytes of their blocks."""
    library, (block, size) = ctypes.CDLL(os.environ["GGML_BASE"]), gguf.GGML_QUANT_SIZES[kind]
    values = np.ascontiguousarray(values, np.float32)
    blocks = np.zeros((len(values), values.shape[1] // block * size), np.uint8)
    library.ggml_quantize_chunk(ctypes.c_int(kind), ctypes.c_void_p(values.ctypes.data), ctypes.c_void_p(blocks.ctypes.data), ctypes.c_int64(0), ctypes.c_int64(len(values)), ctypes.c_int64(values.shape[1]), None)
    return blocks


def round_model(path):
    """A checkpoint's matrices as TYPES have them, row by row."""
    tensors = load_file(path)
    for name, tensor in tensors.items():
        kind = TYPES.get(name.split(".")[-2])
        if kind is not None: tensors[name] = torch.from_numpy(dequantize(quantize(tensor.float().numpy(), kind), kind))
    save_file(tensors, path, metadata=dict(format="pt"))


def write_quantized(folder):
    """What Transformers + PEFT compute with the rounded numbers; the file in F32 by the converter, then in TYPES; the adapter's base weights as before."""
    golden.write_family(folder.name, folder)
    weights, cases = folder / "model" / "model.safetensors", json.loads((folder / "golden.json").read_text())["cases"]
    convert(folder, "f32", keep=True)
    exact = load_file(weights)
    round_model(weights)
    config = json.loads((folder / "model" / "config.json").read_text())
    (folder / "model" / "config.json").write_text(json.dumps(dict(config, dtype="float32", torch_dtype="float32")))
    tensors = {}
    for case in cases:
        net = golden.AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32, **golden.EAGER).eval()
        if case["adapter"]:
            net = golden.get_peft_model(net, golden.LoraConfig(task_type="CAUSAL_LM", **adapters("llama", None)["ends"])).eval()
            saved = {name: t.float() for name, t in load_file(folder / "adapters" / case["adapter"] / "adapter_model.safetensors").items() if "lora_" in name}
            set_peft_model_state_dict(net, saved)
        with torch.no_grad(): tensors[case["name"] + "/logits"] = net(input_ids=torch.tensor([case["promptTokens"]])).logits[0].contiguous()
    save_file(tensors, folder / "golden.safetensors")
    assert all(torch.equal(exact[n.removeprefix("base_model.model.").replace(".base_layer", "")], t) for n, t in load_file(folder / "adapters" / "ends" / "adapter_model.safetensors").items() if "base_layer" in n)
    shutil.rmtree(folder / "model")
    reader = gguf.GGUFReader(folder / "model.gguf")
    writer = gguf.GGUFWriter(folder / "quantized.gguf", "llama")
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture": writer.add_key_value(key, field.contents(), field.types[0], sub_type=field.types[-1] if len(field.types) > 1 else None)
    for tensor in reader.tensors:
        kind = TYPES[GGUF_LEAVES[tensor.name.split(".")[-2]]] if tensor.data.ndim == 2 else None
        writer.add_tensor(tensor.name, tensor.data if kind is None else quantize(tensor.data, kind), raw_dtype=kind)
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()
    (folder / "quantized.gguf").rename(folder / "model.gguf")


def respell(folder, config):
    """In the words of Transformers 4, which the converter knows alone."""
    if config["model_type"] == "granitemoehybrid": config["layer_types"] = ["attention" if kind == "full_attention" else "mamba" for kind in config["layer_types"]]
    if config["model_type"] == "bamba": config["attn_rotary_emb"] = config["hidden_size"] // config["num_attention_heads"] // 2
    if config["model_type"] != "nemotron_h": return
    kinds = config.pop("layers_block_type")
    config.update(d_head=config["mamba_head_dim"], num_hidden_layers=len(kinds))
    config["hybrid_override_pattern"] = "".join(dict(linear_attention="M", full_attention="*", mlp="-", moe="E")[kind] for kind in kinds)
    for name in () if "moe" in kinds else ("num_experts_per_tok", "n_routed_experts", "n_group", "topk_group"): config.pop(name)
    converter.ModelBase.load_hparams = staticmethod(lambda *_, **__: dict(config))  # otherwise Transformers' idea of it
    path = folder / "model" / "model.safetensors"
    names = lambda name: name.replace("model.", "backbone.", 1).replace("e_score_correction_bias", "e_score_correction.bias")
    save_file({names(name): tensor for name, tensor in load_file(path).items()}, path, metadata=dict(format="pt"))


def convert(folder, numbers="bf16", keep=False):
    for module, name in [("qwen", "Qwen3NextModel"), ("gemma", "Gemma4Model"), ("deepseek", "DeepseekV2Model"), ("minicpm", "MiniCPM3Model"), ("chatglm", "ChatGLMModel"), ("llama", "LlamaModel"), ("lfm2", "LFM2Model"),
                         ("lfm2", "LFM2MoeModel"), ("granite", "GraniteHybridModel"), ("falcon_h1", "FalconH1Model"), ("nemotron", "NemotronHModel")]:
        getattr(importlib.import_module("conversion." + module), name).set_vocab = without_vocabulary
    path = folder / "model" / "config.json"
    config = json.loads(path.read_text())
    # The converter reads the first of its own configuration class, the second of ChatGLM's; and Gemma's vocabulary for its size.
    respell(folder, config)
    path.write_text(json.dumps(dict(config, global_head_dim=FAMILIES[folder.name][1].get("global_head_dim"), seq_length=config["max_position_embeddings"])))
    (folder / "model" / "tokenizer.json").write_text(json.dumps(dict(added_tokens=[], model=dict(vocab={str(i): i for i in range(config["vocab_size"])}))))
    mtp = ["--no-mtp"] if "qwen" in folder.name else []
    sys.argv[1:] = [str(folder / "model"), "--outfile", str(folder / "model.gguf"), "--outtype", numbers, *mtp, *FLAGS.get(folder.name, [])]
    converter.main()
    if not keep: shutil.rmtree(folder / "model")
    cases = json.loads((folder / "golden.json").read_text())
    (folder / "golden.json").write_text(json.dumps({**cases, "model": "model.gguf"}) + "\n")


if __name__ == "__main__":
    root = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent.parent / "test" / "golden"
    golden.few = adapters
    for name in sys.argv[3:] or FAMILIES:
        golden.FAMILIES[name] = FAMILIES[name]
        golden.SMALLEST.append(name)
        if name == "gguf-quantized":
            write_quantized(root / name)
            continue
        golden.write_family(name, root / name)
        convert(root / name, "f32" if "falcon" in name else "bf16")  # what multipliers make of a number needs all of it
