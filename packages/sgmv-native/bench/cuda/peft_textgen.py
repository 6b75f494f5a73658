"""Hugging Face Transformers + PEFT on Punica's workload `textgen-lora`: the shape of Llama-2-7B with random weights, rank-16
adapters on all seven projections. Two ways, of which the faster counts:

  one_by_one   requests in their order; neighbours with the same adapter in one batch, as Punica ran it
  mixed        a full batch with an adapter per request (PEFT's `adapter_names`), every slot always busy

Throughput counts prompt and new tokens. Each way runs for a share of --seconds; requests that are not done by then count as
far as they came. Usage: peft_textgen.py --json FILE [--seconds 90] [--batch 32] [--popularity distinct,identical] [--smoke]
"""

import argparse
import json
import math
import sys
import time

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LLAMA_2_7B = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
              "num_key_value_heads": 32, "vocab_size": 32000, "max_position_embeddings": 4096}
TINY = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 4, "vocab_size": 100, "max_position_embeddings": 256}
RANK = 16


def requests_of(count, length_max):
    """(prompt tokens, new tokens) of each; as textgen_workload.h."""
    state, mask = 0xABCDABCD987, (1 << 64) - 1

    def uniform():
        nonlocal state
        state = z = (state + 0x9E3779B97F4A7C15) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return (((z ^ (z >> 31)) >> 11) + 0.5) * 2.0**-53

    requests = []
    for _ in range(count):
        radius = math.sqrt(-2 * math.log(uniform()))
        normal = radius * math.cos(2 * math.pi * uniform())
        prompt = min(max(int(18 * math.exp(0.8 * normal) - 1), 1), length_max - 2)
        total = max(prompt + 2, int(uniform() * length_max))
        requests.append((prompt, total - prompt))
    return requests


class Peer:
    def __init__(self, smoke, adapters):
        self.device = "cpu" if smoke else "cuda"
        shape = TINY if smoke else LLAMA_2_7B
        self.vocab = shape["vocab_size"]
        torch.manual_seed(1)
        with torch.device(self.device):
            base = AutoModelForCausalLM.from_config(LlamaConfig(**shape), dtype=torch.bfloat16)
            # Random adapters, both factors: a zero B would be the base model.
            config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=PROJECTIONS, init_lora_weights=False)
            self.model = get_peft_model(base, config, adapter_name="a0")
            for i in range(1, adapters):
                self.model.add_adapter(f"a{i}", config)
        self.model = self.model.to(torch.bfloat16).eval()

    def run(self, prompts, new_tokens, deadline, names=None):
        """Prefills and decodes `prompts` [requests, tokens] greedily. Returns the number of new tokens of each request."""
        more = {"adapter_names": names} if names else {}
        tokens, past, done = prompts, None, 0
        while done < new_tokens:
            result = self.model(input_ids=tokens, past_key_values=past, use_cache=True, logits_to_keep=1, **more)
            past = result.past_key_values
            tokens = result.logits[:, -1:].argmax(-1)
            tokens.cpu()  # whoever serves must see the token
            done += 1
            if time.perf_counter() > deadline:
                break
        return done

    def prompts(self, lengths):
        """Padded on the right to the longest, as Punica's own baseline does it."""
        return torch.randint(0, self.vocab, (len(lengths), max(lengths)), device=self.device)


def one_by_one(peer, requests, adapters, batch, seconds):
    begin = time.perf_counter()
    deadline, at, tokens = begin + seconds, 0, 0
    while at < len(requests) and time.perf_counter() < deadline:
        end = at + 1
        while end < len(requests) and end - at < batch and adapters[end] == adapters[at]:
            end += 1
        some = requests[at:end]
        peer.model.set_adapter(f"a{adapters[at]}")
        done = peer.run(peer.prompts([prompt for prompt, _ in some]), max(new for _, new in some), deadline)
        tokens += sum(prompt + min(new, done) for prompt, new in some)
        at = end
    return tokens / (time.perf_counter() - begin)


def mixed(peer, requests, adapters, batch, seconds):
    """Tokens per second of decoding alone, in the workload's own proportion of prompts to new tokens: prompts cost nothing here."""
    prompts, new = (sum(column) for column in zip(*requests))
    names = [f"a{i}" for i in adapters[:batch]]
    inputs = peer.prompts([max(1, prompts // len(requests))] * len(names))
    peer.run(inputs, 2, math.inf, names)
    begin = time.perf_counter()
    peer.run(inputs, 1, math.inf, names)
    prefill = time.perf_counter() - begin
    begin = time.perf_counter()
    done = peer.run(inputs, 10**9, begin + seconds, names)
    decode = max(time.perf_counter() - begin - prefill, 1e-6)
    return len(names) * (done - 1) / decode * (prompts + new) / new


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True)
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--popularity", default="distinct,identical")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if not options.smoke and not torch.cuda.is_available():
        sys.exit("peft_textgen: PyTorch sees no CUDA device")
    if options.smoke:
        options.batch, options.seconds = 4, 2
    begin = time.perf_counter()
    popularities = options.popularity.split(",")
    requests = requests_of(1000, 64 if options.smoke else 2048)
    peer = Peer(options.smoke, options.batch)
    peer.run(peer.prompts([4]), 3, math.inf)  # libraries load, kernels compile
    left = options.seconds - (time.perf_counter() - begin)
    if left < 20 and not options.smoke:
        print("peft_textgen: no time was left after setting up", file=sys.stderr)
        sys.exit(77)
    with open(options.json, "a") as out:
        def add(name, value):
            row = {"id": name, "value": value, "target": None, "unit": "tokens/s"}
            print(f"{name:52} {value:12.4g} tokens/s", flush=True)
            out.write(json.dumps(row) + "\n")
            out.flush()

        for popularity in popularities:
            # More adapters than fit a batch are never needed at a time.
            adapters = [i % options.batch if popularity == "distinct" else 0 for i in range(len(requests))]
            share = left / (2 * len(popularities))
            rates = {way.__name__: way(peer, requests, adapters, options.batch, share) for way in (one_by_one, mixed)}
            for way, rate in rates.items():
                add(f"textgen.{popularity}.peft.{way}.throughput", rate)
            add(f"textgen.{popularity}.peft.throughput", max(rates.values()))


if __name__ == "__main__":
    try:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM, LlamaConfig
    except ImportError as error:
        print(f"peft_textgen: {error}", file=sys.stderr)
        sys.exit(77)
    with torch.inference_mode():
        main()
