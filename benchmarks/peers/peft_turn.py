"""One turn of Hugging Face Transformers + PEFT on the CPU: peft_turn.py SPEC OUT (the files of ../workload.mjs).

Requests with one adapter run with it active; requests with several as PEFT's mixed batch (`adapter_names`).
"""

import json
import os
import sys
import time

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, StoppingCriteria, StoppingCriteriaList

torch.set_num_threads(len(os.sched_getaffinity(0)))


class Clock(StoppingCriteria):
    """Notes when each token was there; stops nothing."""

    def __init__(self):
        self.times = []

    def __call__(self, input_ids, scores, **kwargs):
        self.times.append(time.perf_counter())
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)


def with_adapters(base, folders):
    model = PeftModel.from_pretrained(base, folders[0], adapter_name="a0")
    for i, folder in enumerate(folders[1:], 1):
        model.load_adapter(folder, adapter_name=f"a{i}")
    return model.eval()


def measured(model, prompts, run, new_tokens):
    arguments, names = {}, {i for i in run["adapters"] if i >= 0}
    if len(names) == 1:
        model.set_adapter(f"a{names.pop()}")
    elif names:
        arguments["adapter_names"] = [f"a{i}" for i in run["adapters"]]
    clock = Clock()
    begin = time.perf_counter()
    with torch.no_grad():
        model.generate(input_ids=prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=new_tokens,
                       min_new_tokens=new_tokens, do_sample=False, pad_token_id=2,
                       stopping_criteria=StoppingCriteriaList([clock]), **arguments)
    seconds = time.perf_counter() - begin
    first, last, count = clock.times[0], clock.times[-1], len(prompts)
    return {"name": run["name"], "seconds": seconds, "tokens": count * new_tokens,
            "ttftMs": [(first - begin) * 1e3] * count, "tpotMs": [(last - first) * 1e3 / (new_tokens - 1)] * count}


def main():
    spec = json.load(open(sys.argv[1]))
    model = AutoModelForCausalLM.from_pretrained(spec["model"], dtype=torch.bfloat16).eval()
    prompts = torch.tensor(spec["prompts"])
    base_only = [run for run in spec["runs"] if max(run["adapters"]) < 0]
    tuned = [run for run in spec["runs"] if max(run["adapters"]) >= 0]
    runs = []
    if base_only:
        measured(model, prompts, base_only[0], 4)
        runs += [measured(model, prompts, run, spec["newTokens"]) for run in base_only]
    if tuned:
        model = with_adapters(model, spec["adapters"])
        measured(model, prompts, tuned[-1], 4)
        runs += [measured(model, prompts, run, spec["newTokens"]) for run in tuned]
    json.dump({"runs": runs}, open(sys.argv[2], "w"))


main()
