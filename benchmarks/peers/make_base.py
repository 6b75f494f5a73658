"""Dequantizes a GGUF of a Llama-shaped model to a bf16 Hugging Face folder: make_base.py MODEL.gguf CONFIG_DIR OUT_DIR"""

import shutil
import sys
from pathlib import Path

from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

weights, config, out = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
quantized = AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name, dtype="bfloat16")
model = LlamaForCausalLM(LlamaConfig.from_pretrained(config)).bfloat16()
model.load_state_dict(quantized.state_dict())
model.tie_weights()
model.save_pretrained(out)
for name in ("tokenizer.json", "generation_config.json"):
    shutil.copy(config / name, out / name)
(out / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
