"""Writes test/golden/gguf-<architecture>: tiny random hybrids as llama.cpp's own converter writes them, and what Transformers + PEFT compute.

Usage: python scripts/make-gguf-golden.py LLAMA_CPP [FOLDER]     needs torch, transformers 5, peft
LLAMA_CPP: a source tree of llama.cpp; that in the source distribution of llama-cpp-python 0.3.36 was used.

There are three value heads to each of two key heads: with as many of one as of the other, their order is its own inverse.
"""
import importlib
import json
import shutil
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), sys.argv[1], str(Path(sys.argv[1]) / "gguf-py")]
golden = importlib.import_module("make-family-golden")
converter = importlib.import_module("convert_hf_to_gguf")
qwen = importlib.import_module("conversion.qwen")

HYBRID = dict(golden.HYBRID, linear_num_value_heads=6, linear_key_head_dim=8, linear_value_head_dim=8,
              rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5, mrope_section=[1, 1, 0]))
EXPERTS = dict(num_experts=3, num_experts_per_tok=2, moe_intermediate_size=6, shared_expert_intermediate_size=7)
FAMILIES = {"gguf-qwen35": ("qwen3_5_text", HYBRID), "gguf-qwen35moe": ("qwen3_5_moe_text", dict(HYBRID, **EXPERTS, tie_word_embeddings=True)),
            "gguf-qwen3next": ("qwen3_next", dict(HYBRID, **EXPERTS))}


def adapters(kind, _):
    inputs = ["in_proj_qkvz", "in_proj_ba"] if kind == "qwen3_next" else ["in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a"]
    return {"dora": dict(r=1, lora_alpha=2, use_dora=True, target_modules=golden.SEPARATE[:4] + inputs + ["out_proj"])}


def without_vocabulary(model):
    model._set_vocab_none()
    model.gguf_writer.add_vocab_size(model.hparams["vocab_size"])


def convert(folder):
    fuse = ["--fuse-gate-up-exps"] if folder.name == "gguf-qwen35moe" else []
    sys.argv[1:] = [str(folder / "model"), "--outfile", str(folder / "model.gguf"), "--outtype", "bf16", "--no-mtp", *fuse]
    converter.main()
    shutil.rmtree(folder / "model")
    cases = json.loads((folder / "golden.json").read_text())
    (folder / "golden.json").write_text(json.dumps({**cases, "model": "model.gguf"}) + "\n")


if __name__ == "__main__":
    root = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent.parent / "test" / "golden"
    golden.few = adapters
    qwen.Qwen3NextModel.set_vocab = without_vocabulary
    for name, family in FAMILIES.items():
        golden.FAMILIES[name] = family
        golden.SMALLEST.append(name)
        golden.write_family(name, root / name)
        convert(root / name)
