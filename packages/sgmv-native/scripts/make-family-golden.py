"""Writes test/golden/<family>: tiny random models of the families beside Llama, and what Transformers + PEFT compute.

Usage: python scripts/make-family-golden.py [FOLDER]     needs torch, transformers, peft

The shapes are odd on purpose (nothing is a multiple of 32, one key/value head) and the folders small: weights are
stored in bfloat16 and computed with in float32. Prompts are longer and shorter than every window and every original
context, so that both sides of each are seen. Format: as of `sgmv golden`.
"""
import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

SEPARATE = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
FUSED = ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]
SHAPE = dict(hidden_size=48, num_attention_heads=3, num_key_value_heads=1, intermediate_size=72, vocab_size=101, num_hidden_layers=2,
             max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0, tie_word_embeddings=False)


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
}


def adapters(fused):
    everything = FUSED if fused else SEPARATE
    return {"all-r5": dict(r=5, lora_alpha=9, target_modules=everything),
            "dora": dict(r=3, lora_alpha=6, use_dora=True, use_rslora=True, target_modules=everything + ["lm_head"]),
            "ends": dict(r=4, lora_alpha=8, target_modules=["embed_tokens", "lm_head", "o_proj"])}


def randomize(model, gemma, generator):
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if "norm" in name: p.data = noise * 0.2 + (0.0 if gemma else 1.0)
        elif name.endswith("bias"): p.data = noise * 0.3
        else: p.data = noise * (1.2 / p.shape[-1] ** 0.5 if "embed" not in name else 0.7)
        p.data = p.data.bfloat16().float()


def randomize_adapter(model, generator):
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if "lora_magnitude" in name: p.data = p.data * (1 + 0.2 * noise)
        elif "lora_" in name: p.data = noise * (0.6 / p.shape[-1] ** 0.5 if "embedding_A" not in name else 0.3)


@torch.no_grad()
def write_family(family, folder):
    kind, options = FAMILIES[family]
    generator = torch.Generator().manual_seed(sum(map(ord, family)))
    config = AutoConfig.for_model(kind, **{**SHAPE, **options})
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    randomize(model, "gemma" in kind, generator)
    model.bfloat16().save_pretrained(folder / "model")
    prompts = [torch.randint(3, config.vocab_size, (n,), generator=generator) for n in (1, 12, 40)]
    cases, tensors = [], {}

    def record(label, adapter, net):
        for i, prompt in enumerate(prompts):
            tensors[f"{label}/{i}/logits"] = net(input_ids=prompt[None]).logits[0].float().contiguous()
            cases.append({"name": f"{label}/{i}", "adapter": adapter, "promptTokens": prompt.tolist()})

    def base():
        return AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32, attn_implementation="eager").eval()

    record("base", None, base())
    for label, lora in adapters(kind == "phi3").items():
        net = get_peft_model(base(), LoraConfig(task_type="CAUSAL_LM", **lora)).eval()
        net.peft_config["default"].base_model_name_or_path = f"tiny-{family}"
        randomize_adapter(net, generator)
        net.save_pretrained(folder / "adapters" / label)
        (folder / "adapters" / label / "README.md").unlink(missing_ok=True)
        record(label, label, net)
    (folder / "golden.json").write_text(json.dumps({"model": "model", "cases": cases}) + "\n")
    save_file(tensors, folder / "golden.safetensors")
    print(family, {c["name"]: round(float(tensors[c["name"] + "/logits"].abs().max()), 1) for c in cases if c["name"].endswith("/2")})


if __name__ == "__main__":
    torch.set_num_threads(2)
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "test" / "golden"
    for name in FAMILIES: write_family(name, root / name)
