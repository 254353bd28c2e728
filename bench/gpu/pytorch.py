#!/usr/bin/env python3
"""PyTorch's own fake quantization on the GPU, for comparison: GPU time of one call.

    pytorch.py [--repetitions N] [--json FILE] [COUNT ...]

Of float32 tensors of COUNT numbers (default: the guide's 13107200, and 2^28): fake_quantize_per_tensor_affine, 8 bit,
which is linear and makes a new tensor and a mask; `mul_`, which reads and writes a tensor in place; `abs().amax()`.
Tensors take turns where one fits into the L2 cache, so that each call finds its tensor in memory.

Exit status: 0; 77 where PyTorch is missing or finds no GPU.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any, Callable

COUNTS = [13107200, 1 << 28]
POOL_BYTES = 256 << 20  # above any L2 cache twice
CALLS = 8  # between two events


def gpu_times(torch: Any, work: Callable[[Any], Any], tensors: list[Any], repetitions: int) -> list[float]:
    """Nanoseconds of one call: each the mean of some in a row, which the GPU begins when all are queued."""
    times = []
    for repetition in range(repetitions + 2):  # the first two load code and allocate
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(2_000_000)  # cycles: longer than queueing takes
        start.record()
        for call in range(CALLS):
            work(tensors[(repetition * CALLS + call) % len(tensors)])
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop) * 1e6 / CALLS)
    return times[2:]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("counts", type=int, nargs="*", metavar="COUNT", default=COUNTS)
    options = parser.parse_args()
    try:
        import torch
    except ImportError as error:
        print(f"pytorch.py: {error}", file=sys.stderr)
        return 77
    if not torch.cuda.is_available():
        print("pytorch.py: PyTorch finds no GPU", file=sys.stderr)
        return 77

    work: dict[str, Callable[[Any], Any]] = {
        "fake_quantize_per_tensor_affine": lambda x: torch.fake_quantize_per_tensor_affine(x, 2 / 127, 0, -127, 127),
        "mul_": lambda x: x.mul_(1.0),
        "abs().amax()": lambda x: x.abs().amax(),
    }
    rows = []
    for count in options.counts:
        pool = max(2, POOL_BYTES // (4 * count))
        tensors = [torch.rand(count, device="cuda") * 4 - 2 for _ in range(min(pool, 64))]
        for name, function in work.items():
            times = gpu_times(torch, function, tensors, options.repetitions)
            rows.append({"name": name, "count": count, "nanoseconds": statistics.median(times), "fastest": min(times),
                         "slowest": max(times), "repetitions": len(times), "calls": CALLS})  # fmt: skip
            print(f"{name:33}{count:12} numbers {rows[-1]['nanoseconds'] / 1e3:10.2f} us")
        del tensors
    if options.json:
        facts = {"torch": torch.__version__, "cuda": torch.version.cuda, "gpu": torch.cuda.get_device_name()}
        options.json.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
