"""Writes test/golden/<folder>: tiny models quantized by the libraries that people quantize with, and what Transformers + PEFT compute
with the weights as those libraries widen them, in float32.

Usage: python scripts/make-quantized-golden.py [FOLDER [NAME…]]     needs torch, transformers, peft, compressed-tensors, autoawq,
gptqmodel, bitsandbytes

Packing and widening are the libraries' own code, the latter with scales in float32: their 16-bit products would be rounded once more.
Which integers are chosen is not what is tested: always the nearest. Format and shapes: as of make-family-golden.py.
"""
import json
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import bitsandbytes
import torch
from awq.modules.linear.gemm import WQLinear_GEMM
from awq.utils.packing_utils import dequantize_gemm
from compressed_tensors.compressors.base import BaseCompressor
from compressed_tensors.quantization import QuantizationScheme
from compressed_tensors.quantization.utils import calculate_qparams
from compressed_tensors.utils.match import is_match
from gptqmodel.nn_modules.qlinear.torch import TorchLinear
from gptqmodel.quantization import QuantizeConfig
from gptqmodel.utils.model import convert_gptq_v2_to_v1_format_module
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

family = SourceFileLoader("family", str(Path(__file__).with_name("make-family-golden.py"))).load_module()

# AutoAWQ packs outputs in 32s, GPTQ's 3-bit numbers fill words in 32s.
THIRTY_TWOS = dict(family.SMALL, hidden_size=32, num_attention_heads=4, num_key_value_heads=4, head_dim=8, intermediate_size=64)


def compressed(module, linear, groups):
    scheme = next(QuantizationScheme(**group) for group in groups if any(is_match(module, linear, target) for target in group["targets"]))
    args, weight = scheme.weights, linear.weight.data
    blocks = weight.unflatten(-1, (-1, args.group_size or weight.shape[1]))
    scale, zero = calculate_qparams(blocks.amin(-1), blocks.amax(-1), args)
    scale = scale.to(torch.bfloat16)
    compressor = BaseCompressor.get_value_from_registry(scheme.format)
    stored = compressor.compress(dict(weight=weight, weight_scale=scale, weight_zero_point=zero.to(torch.int8)), scheme)
    if args.symmetric: stored.pop("weight_zero_point", None)
    return stored, compressor.decompress({**stored, "weight_scale": scale.float()}, scheme)["weight"]


def awq(module, linear, group):
    grouped = linear.weight.data.reshape(-1, group)
    largest, smallest = grouped.amax(1, keepdim=True), grouped.amin(1, keepdim=True)
    scales = ((largest - smallest).clamp(min=1e-5) / 15).half().float()
    zeros = (-torch.round(smallest / scales)).clamp_(0, 15)
    linear.weight.data = ((torch.round(grouped / scales) + zeros).clamp_(0, 15) - zeros).mul_(scales).view(linear.weight.shape)
    of_groups = [t.view(linear.out_features, -1).t().contiguous() for t in (scales, zeros)]
    packed = WQLinear_GEMM.from_linear(linear, 4, group, scales=of_groups[0], zeros=of_groups[1])
    stored = dict(qweight=packed.qweight, qzeros=packed.qzeros, scales=packed.scales)
    return stored, dequantize_gemm(packed.qweight, packed.qzeros, packed.scales.float(), 4, group).t()


def gptq(module, linear, bits, group, order, sym, v1):
    inputs, maxq = linear.in_features, 2**bits - 1
    g_idx = torch.arange(inputs, dtype=torch.int32) // group
    if order: g_idx = g_idx[torch.randperm(inputs, generator=torch.Generator().manual_seed(inputs))]
    scales, zeros = [], []
    for i in range(inputs // group):
        columns = linear.weight.data[:, g_idx == i]
        low, high = columns.amin(1).clamp(max=0), columns.amax(1).clamp(min=0)
        if sym: high = torch.maximum(-low, high); low = -high
        scales.append(((high - low) / maxq).half().float())
        # One of v1 may not be 0: less one it would take from its neighbour.
        zeros.append(torch.full_like(low, (maxq + 1) // 2) if sym else torch.round(-low / scales[-1]).clamp(1, maxq))
    packed = TorchLinear(bits=bits, group_size=group, sym=sym, desc_act=order, in_features=inputs, out_features=linear.out_features,
                         pack_dtype=torch.int32)
    packed.pack_original(linear, torch.stack(scales, 1), torch.stack(zeros, 1), g_idx)
    packed.post_init()
    wide = dequantized_gptq(packed)
    if v1: convert_gptq_v2_to_v1_format_module(packed, QuantizeConfig(bits=bits))
    return dict(qweight=packed.qweight, qzeros=packed.qzeros, scales=packed.scales, g_idx=packed.g_idx), wide


def dequantized_gptq(packed):
    packed.scales = packed.scales.float()
    wide = packed.dequantize_weight().float().t()
    packed.scales = packed.scales.half()
    return wide


def four_bits(module, linear, kind, nested):
    numbers, state = bitsandbytes.functional.quantize_4bit(linear.weight.data, blocksize=64, compress_statistics=nested, quant_type=kind)
    stored = {"weight": numbers, **{f"weight.{name}": value for name, value in state.as_dict(packed=True).items()}}
    return stored, bitsandbytes.functional.dequantize_4bit(numbers, state)


def eight_bits(module, linear):
    numbers, scales, _ = bitsandbytes.functional.int8_vectorwise_quant(linear.weight.data.half())
    stored = dict(weight=numbers, SCB=scales, weight_format=torch.tensor(0, dtype=torch.uint8))
    return stored, bitsandbytes.functional.int8_vectorwise_dequant(numbers, scales)


def integers(bits, targets, format, **weights):
    dynamic = dict(num_bits=8, type="int", symmetric=True, strategy="token", dynamic=True) if format == "int-quantized" else None
    return dict(targets=targets, format=format, input_activations=dynamic,
                weights=dict(num_bits=bits, type="int", dynamic=False, **{"symmetric": True, "strategy": "channel", **weights}))


def compressed_config(format, groups, ignore):
    return dict(quant_method="compressed-tensors", format=format, quantization_status="compressed", kv_cache_scheme=None, ignore=ignore,
                config_groups={f"group_{i}": group for i, group in enumerate(groups)})


MIXED = [integers(8, ["re:.*down_proj"], "pack-quantized", symmetric=False), integers(8, ["re:.*v_proj"], "naive-quantized", symmetric=False),
         integers(4, ["re:.*mlp"], "pack-quantized", symmetric=False, strategy="group", group_size=12),
         integers(4, ["re:.*self_attn"], "pack-quantized", strategy="group", group_size=8)]
CHANNELS = [integers(8, ["Linear"], "int-quantized")]
GPTQ = dict(quant_method="gptq", group_size=16, damp_percent=0.01, true_sequential=True, lm_head=False)
BNB = dict(quant_method="bitsandbytes", load_in_4bit=True, load_in_8bit=False, bnb_4bit_compute_dtype="bfloat16", llm_int8_skip_modules=["lm_head"])

# The family and its shape, quantization_config, modules that keep their weights, and how the others are quantized.
FOLDERS = {
    "compressed-packed": ("qwen2", dict(family.SMALL, tie_word_embeddings=True), compressed_config("mixed-precision", MIXED, ["lm_head", "re:.*layers.1.mlp.up_proj"]),
                          ["layers.1.mlp.up_proj"], lambda *at: compressed(*at, MIXED)),
    "compressed-int8": ("phi3", family.SMALL_PHI, compressed_config("int-quantized", CHANNELS, ["lm_head"]), [], lambda *at: compressed(*at, CHANNELS)),
    "awq": ("qwen2", THIRTY_TWOS, dict(quant_method="awq", bits=4, group_size=16, zero_point=True, version="gemm", modules_to_not_convert=["o_proj"]),
            ["o_proj"], lambda *at: awq(*at, 16)),
    "gptq": ("llama", dict(THIRTY_TWOS, num_key_value_heads=2), dict(GPTQ, bits=4, sym=False, desc_act=True, checkpoint_format="gptq", dynamic={"-:.*o_proj": {}, ".*down_proj": {"bits": 8}, ".*(gate|up)_proj": {"group_size": 32, "sym": True}}),
             ["o_proj"], lambda module, linear: gptq(module, linear, 8 if "down_proj" in module else 4, 32 if "gate" in module or "up" in module else 16, True, "gate" in module or "up" in module, True)),
    "gptq-v2": ("qwen3", THIRTY_TWOS, dict(GPTQ, bits=3, sym=False, desc_act=False, checkpoint_format="gptq_v2", dynamic={".*up_proj": {"bits": 2}}),
                [], lambda module, linear: gptq(module, linear, 2 if "up_proj" in module else 3, 16, False, False, False)),
    "bnb-nf4": ("gemma2", dict(family.SMALL, query_pre_attn_scalar=10, tie_word_embeddings=True), dict(BNB, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True),
                [], lambda *at: four_bits(*at, "nf4", True)),
    "bnb-fp4": ("mistral", family.SMALL, dict(BNB, bnb_4bit_quant_type="fp4", bnb_4bit_use_double_quant=False),
                [], lambda *at: four_bits(*at, "fp4", False)),
    "bnb-int8": ("llama", family.SMALL, dict(BNB, load_in_4bit=False, load_in_8bit=True, llm_int8_skip_modules=["lm_head", "v_proj"]), ["v_proj"], eight_bits),
}


@torch.no_grad()
def write_folder(name, folder):
    kind, shape, quantization, kept, quantize = FOLDERS[name]
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    config = AutoConfig.for_model(kind, **shape)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    family.randomize(model, "gemma" in kind, True, generator)
    stored = {key: value.bfloat16() for key, value in model.state_dict().items() if key != "lm_head.weight" or not config.tie_word_embeddings}
    for module, linear in list(model.named_modules()):
        if not isinstance(linear, torch.nn.Linear) or module == "lm_head" or any(part in module for part in kept): continue
        parts, wide = quantize(module, linear)
        del stored[module + ".weight"]
        stored |= {f"{module}.{part}": value.contiguous() for part, value in parts.items()}
        assert float((wide - linear.weight).abs().max() / linear.weight.abs().max()) < 0.5, module
        linear.weight.data = wide.float().contiguous()
    path = folder / "model"
    path.mkdir(parents=True, exist_ok=True)
    config.architectures = [type(model).__name__]
    (path / "config.json").write_text(json.dumps({**config.to_diff_dict(), "quantization_config": quantization}, indent=2) + "\n")
    save_file(stored, path / "model.safetensors", metadata=dict(format="pt"))
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    prompts = [torch.randint(3, config.vocab_size, (n,), generator=generator) for n in (2, 20)]
    cases, tensors = [], {}

    def base():
        fresh = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
        fresh.load_state_dict(weights)
        return fresh

    def record(label, adapter, net):
        for i, prompt in enumerate(prompts):
            tensors[f"{label}/{i}/logits"] = net(input_ids=prompt[None]).logits[0].float().contiguous()
            cases.append({"name": f"{label}/{i}", "adapter": adapter, "promptTokens": prompt.tolist()})

    record("base", None, base())
    lora = family.few(kind == "phi3", False)["dora"]
    net = get_peft_model(base(), LoraConfig(task_type="CAUSAL_LM", **lora)).eval()
    net.peft_config["default"].base_model_name_or_path = f"tiny-{name}"
    family.randomize_adapter(net, True, generator)
    net.save_pretrained(folder / "adapters" / "dora", state_dict={key: p.bfloat16() for key, p in net.state_dict().items()})
    (folder / "adapters" / "dora" / "README.md").unlink(missing_ok=True)
    record("dora", "dora", net)
    (folder / "golden.json").write_text(json.dumps({"model": "model", "cases": cases}) + "\n")
    save_file(tensors, folder / "golden.safetensors")
    print(name, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()), "bytes")


if __name__ == "__main__":
    torch.set_num_threads(2)
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "test" / "golden"
    for name in sys.argv[2:] or FOLDERS: write_folder(name, root / name)
