"""The LoRA operation y += scale * (x A^T) B^T as PyTorch does it, for the shapes and popularities of lora_bench.cu:

  gather_bmm   every request's factors gathered into one array, then two batched products (two layouts, the faster counts)
  loop         two products per adapter, one adapter after the other

Recorded as CUDA graphs and timed as measure.cu does it: rotating through copies of the data that are several times as large
as the second-level cache. Usage: torch_peers.py --json FILE [--batches 1,2,...] [--smoke]  (--smoke: tiny, on the CPU)
"""

import argparse
import json
import math
import statistics
import sys
import time

SCALE = 0.5
CACHE_TIMES = 4  # as in measure.cu
RUNS = 15
COPIES_MAX = 512


def adapters_of(popularity, requests):
    """Which adapter each request uses, neighbours together; as popularity.h."""
    adapters, share, i = [], 1.0, 0
    while len(adapters) < requests:
        count = 1
        if popularity == "identical":
            count = requests
        elif popularity == "skewed":
            count = max(1, math.floor(share + 0.5))
        elif popularity == "uniform":
            kinds = math.ceil(math.sqrt(requests))
            count = requests // kinds + (1 if i < requests % kinds else 0)
        adapters += [i] * min(count, requests - len(adapters))
        i, share = i + 1, share * 1.5
    return adapters


class Case:
    """A batch and its adapters in as many copies as a rotation needs."""

    def __init__(self, bench, size, adapters):
        self.n_in, self.n_out, self.rank = size
        self.adapters, self.kinds = adapters, adapters[-1] + 1
        set_bytes = 2 * self.kinds * self.rank * (self.n_in + self.n_out)
        self.copies = max(2, min(COPIES_MAX, math.ceil(CACHE_TIMES * bench.cache_bytes / set_bytes)))
        self.activations = min(self.copies, 32)
        tokens = len(adapters)
        random = lambda *shape: torch.rand(shape, device=bench.device).sub_(0.5).to(torch.bfloat16)
        self.a = [random(self.copies * self.kinds, self.rank, self.n_in)]
        self.b = [random(self.copies * self.kinds, self.n_out, self.rank)]
        # The other layout: the inner dimension of the product is the slower one.
        self.a.append(self.a[0].transpose(1, 2).contiguous())
        self.b.append(self.b[0].transpose(1, 2).contiguous())
        self.x = random(self.activations, tokens, self.n_in)
        self.y = torch.zeros(self.activations, tokens, self.n_out, device=bench.device, dtype=torch.bfloat16)
        self.index = torch.tensor([[copy * self.kinds + i for i in adapters] for copy in range(self.copies)], device=bench.device)
        ends = [i + 1 for i in range(tokens) if i + 1 == tokens or adapters[i + 1] != adapters[i]]
        self.segments = list(zip([0, *ends], ends))

    def gather_bmm(self, copy, layout):
        x, y, index = self.x[copy % self.activations], self.y[copy % self.activations], self.index[copy]
        a, b = self.a[layout].index_select(0, index), self.b[layout].index_select(0, index)
        a, b = (a.transpose(1, 2), b.transpose(1, 2)) if layout == 0 else (a, b)  # [tokens, in, rank], [tokens, rank, out]
        v = torch.bmm(x.unsqueeze(1), a)
        y.unsqueeze(1).baddbmm_(v, b, alpha=SCALE)

    def loop(self, copy, _layout=0):
        x, y = self.x[copy % self.activations], self.y[copy % self.activations]
        for number, (begin, end) in enumerate(self.segments):
            at = copy * self.kinds + number
            y[begin:end].addmm_(x[begin:end] @ self.a[0][at].t(), self.b[0][at].t(), alpha=SCALE)

    def check(self, run, layout):
        """A time is worth nothing if the numbers are wrong."""
        self.y.zero_()
        run(0, layout)
        for token in {0, len(self.adapters) // 2, len(self.adapters) - 1}:
            a, b = self.a[0][self.adapters[token]].double(), self.b[0][self.adapters[token]].double()
            wanted = SCALE * (self.x[0][token].double() @ a.t()) @ b.t()
            error = ((self.y[0][token].double() - wanted).norm() / wanted.norm()).item()
            assert error < 0.02, f"relative error {error}"
        self.y.zero_()


class Bench:
    def __init__(self, smoke):
        self.device = torch.device("cpu" if smoke else "cuda")
        self.smoke = smoke
        self.cache_bytes = 1 << 12 if smoke else torch.cuda.get_device_properties(0).L2_cache_size
        self.other_data = torch.ones(CACHE_TIMES * self.cache_bytes // 4, device=self.device)

    def rotating(self, case, run, layout):
        """Microseconds of one copy."""
        if self.smoke:
            begin = time.perf_counter()
            for copy in range(case.copies):
                run(copy, layout)
            return (time.perf_counter() - begin) * 1e6 / case.copies
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # libraries make their workspaces before anything is recorded
            run(0, layout)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for copy in range(case.copies):
                run(copy, layout)
        times = []
        for i in range(3 + RUNS):
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            self.other_data.sum()
            begin.record()
            graph.replay()
            end.record()
            end.synchronize()
            if i >= 3:
                times.append(begin.elapsed_time(end) * 1e3 / case.copies)
        return statistics.median(times)


def rows_of(bench, size, popularity, batch):
    case = Case(bench, size, adapters_of(popularity, batch))
    name = f"peers.lora.{popularity}.{batch}"
    for layout in (0, 1):
        case.check(case.gather_bmm, layout)
    case.check(case.loop, 0)
    gathered = min(bench.rotating(case, case.gather_bmm, layout) for layout in (0, 1))
    looped = bench.rotating(case, case.loop, 0)
    return [
        {"id": f"{name}.gather_bmm.us", "value": gathered, "target": None, "unit": "us"},
        {"id": f"{name}.loop.us", "value": looped, "target": None, "unit": "us"},
        {"id": f"{name}.best.us", "value": min(gathered, looped), "target": None, "unit": "us"},
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True)
    parser.add_argument("--batches", default="1,2,4,8,16,32,64")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if not options.smoke and not torch.cuda.is_available():
        sys.exit("torch_peers: PyTorch sees no CUDA device")
    torch.manual_seed(1)
    bench = Bench(options.smoke)
    size = (64, 160, 8) if options.smoke else (4096, 11008, 16)
    # The largest first: were time to run out, the figure of the target is there.
    batches = [4] if options.smoke else sorted(map(int, options.batches.split(",")), reverse=True)
    with open(options.json, "a") as out:
        for batch in batches:
            for popularity in ("distinct", "uniform", "skewed", "identical"):
                for row in rows_of(bench, size, popularity, batch):
                    print(f"{row['id']:52} {row['value']:12.4g} {row['unit']}", flush=True)
                    out.write(json.dumps(row) + "\n")
                    out.flush()


if __name__ == "__main__":
    try:
        import torch
    except ImportError as error:
        print(f"torch_peers: {error}", file=sys.stderr)
        sys.exit(77)
    with torch.no_grad():
        main()
