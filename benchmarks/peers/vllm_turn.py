"""One turn of vLLM on the CPU: vllm_turn.py SPEC OUT (the files of ../workload.mjs)."""

import json
import os
import sys
import time

os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", f"0-{len(os.sched_getaffinity(0)) - 1}")


def measured(llm, spec, run, new_tokens):
    from vllm import SamplingParams
    from vllm.lora.request import LoRARequest

    prompts = [{"prompt_token_ids": prompt} for prompt in spec["prompts"]]
    sampling = SamplingParams(temperature=0.0, max_tokens=new_tokens, min_tokens=new_tokens, ignore_eos=True)
    lora = [None if i < 0 else LoRARequest(f"a{i}", i + 1, spec["adapters"][i]) for i in run["adapters"]]
    begin = time.perf_counter()
    outputs = llm.generate(prompts, sampling, lora_request=lora if any(lora) else None, use_tqdm=False)
    seconds = time.perf_counter() - begin
    metrics = [output.metrics for output in outputs if output.metrics]
    return {
        "name": run["name"],
        "seconds": seconds,
        "tokens": sum(len(output.outputs[0].token_ids) for output in outputs),
        "ttftMs": [m.first_token_latency * 1e3 for m in metrics],
        "tpotMs": [(m.last_token_ts - m.first_token_ts) * 1e3 / (new_tokens - 1) for m in metrics],
    }


def main():
    from vllm import LLM

    spec = json.load(open(sys.argv[1]))
    count = len(spec["prompts"])
    lora = {}
    if spec["adapters"]:
        lora = dict(enable_lora=True, max_loras=count, max_lora_rank=spec["rank"], max_cpu_loras=count)
    llm = LLM(model=spec["model"], dtype="bfloat16", max_model_len=1024, max_num_seqs=max(count, 2), seed=0,
              enable_prefix_caching=False, disable_log_stats=False, **lora)
    measured(llm, spec, spec["runs"][-1], 4)
    runs = [measured(llm, spec, run, spec["newTokens"]) for run in spec["runs"]]
    json.dump({"runs": runs}, open(sys.argv[2], "w"))


if __name__ == "__main__":
    main()
