"""What Python adds: to a call on numpy arrays, and to a FakeQuantize on a large tensor.

    python benchmark.py [runs]

Alternates the two sides of each comparison and prints medians, so that a machine's other work weighs on both alike.
"""

from __future__ import annotations

import ctypes
import statistics
import sys
import tracemalloc
from functools import partial
from time import perf_counter
from typing import Any, Callable

import numpy as np

import gfpq
from gfpq import Mode, Param, library

COUNT = 13_107_200  # the guide's
CALLS = 2000


def medians(runs: int, *actions: Callable[[], object]) -> list[float]:
    """The median seconds of each action; the first round is not counted."""
    times: list[list[float]] = [[] for _ in actions]
    for run in range(runs + 1):
        for action, taken in zip(actions, times):
            start = perf_counter()
            action()
            if run:
                taken.append(perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def repeated(action: Callable[[], object], calls: int = CALLS) -> Callable[[], None]:
    def run() -> None:
        for _ in range(calls):
            action()

    return run


def compiled(data: np.ndarray, param: Param, mode: Mode) -> Callable[[], object]:
    """The library's own function with its arguments made beforehand: as near to C++ as Python comes."""
    function = library.cpu()._float
    param._struct.mode = mode
    arguments = ctypes.c_void_p(data.ctypes.data), ctypes.c_uint(data.size), ctypes.c_uint(8), param._reference
    return lambda: function(*arguments)


def numpy_overhead(runs: int) -> None:
    data, param = np.arange(10, dtype="f4"), Param()
    gfpq.quantize_(data, 8, param)
    c, python = medians(
        runs, repeated(compiled(data, param, Mode.APPLY)), repeated(lambda: gfpq.quantize_(data, 8, param, Mode.APPLY))
    )
    print(f"numpy, 10 numbers: C {c / CALLS * 1e6:.2f} us, gfpq.quantize_ {python / CALLS * 1e6:.2f} us: "
          f"{(python - c) / CALLS * 1e6:.2f} us more a call")

    data = np.random.default_rng(0).normal(size=COUNT).astype("f4")
    gfpq.quantize_(data, 8, param)
    c, python = medians(
        runs, compiled(data, param, Mode.APPLY), lambda: gfpq.quantize_(data, 8, param, Mode.APPLY)
    )
    tracemalloc.start()
    gfpq.quantize_(data, 8, param, Mode.APPLY)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"numpy, {COUNT} numbers: C {c * 1e3:.2f} ms, gfpq.quantize_ {python * 1e3:.2f} ms, "
          f"{peak} bytes of memory taken meanwhile")


def torch_overhead(runs: int) -> None:
    import torch

    from gfpq.torch import FakeQuantize

    x = torch.randn(COUNT, generator=torch.Generator().manual_seed(0))
    print(f"torch, {COUNT} numbers, {torch.get_num_threads()} threads")
    for mode, training in ((Mode.UPDATE, True), (Mode.APPLY, False)):
        for gradient in (False, True):
            x.requires_grad_(gradient)
            quantizer, param = FakeQuantize(), Param()
            quantizer(x)
            quantizer.train(training)
            data = x.detach().numpy().copy()
            gfpq.quantize_(data, 8, param)
            c, clone, module = medians(
                runs, compiled(data, param, mode), lambda: x.detach().clone(), partial(quantizer, x)
            )
            print(f"  {mode.name:6} {'with' if gradient else 'no'} gradient: C {c * 1e3:.2f} ms + clone "
                  f"{clone * 1e3:.2f} ms, FakeQuantize {module * 1e3:.2f} ms: ratio {module / (c + clone):.2f}")


def beside_pytorch(runs: int) -> None:
    """FakeQuantize in training, and PyTorch's own quantizers on the same numbers: microseconds, and how often as long a
    copy takes."""
    import torch
    from torch.ao.quantization import FusedMovingAvgObsFakeQuantize

    from gfpq.torch import FakeQuantize

    def affine(x: torch.Tensor, bits: int) -> Callable[[torch.Tensor], torch.Tensor]:
        half = 2 ** (bits - 1)
        scale = float(x.abs().max()) / half
        return lambda x: torch.fake_quantize_per_tensor_affine(x, scale, 0, -half, half - 1)

    def fused(_x: torch.Tensor, bits: int) -> Callable[[torch.Tensor], torch.Tensor]:
        half, dtype = 2 ** (bits - 1), torch.qint8 if bits == 8 else torch.qint32
        return FusedMovingAvgObsFakeQuantize(quant_min=-half, quant_max=half - 1, dtype=dtype)

    def own(_x: torch.Tensor, bits: int) -> Callable[[torch.Tensor], torch.Tensor]:
        return FakeQuantize(bits)

    def measured(make: Callable[..., Any], x: torch.Tensor, bits: int, gradient: torch.Tensor | None) -> Any:
        """What is to be timed; None where PyTorch refuses the type."""
        function = make(x, bits)

        def run() -> None:
            for _ in range(calls):
                result = function(x)
                if gradient is not None:  # as of an activation: nothing keeps it
                    torch.autograd.grad(result, x, gradient)

        try:
            run()
        except (RuntimeError, NotImplementedError):
            return None
        return run

    print(f"training, {torch.get_num_threads()} threads, us: FakeQuantize | fake_quantize_per_tensor_affine | "
          "FusedMovingAvgObsFakeQuantize | clone")  # fmt: skip
    for count in (10**4, 10**5, 10**6, 10**7):
        calls = max(1, 10**6 // count)
        for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
            for bits in (8, 16):
                for backward in (False, True):
                    x = torch.randn(count, generator=torch.Generator().manual_seed(0)).to(dtype)
                    gradient = x.clone() if backward else None
                    x.requires_grad_(backward)
                    makes = own, affine, fused
                    runs_of = [measured(make, x, bits, gradient) for make in makes]
                    copy = repeated(x.detach().clone, calls)
                    known = [run for run in runs_of if run is not None]
                    *times, copied = medians(runs, *known, copy)
                    found = iter(times)
                    cells = [f"{next(found) / calls * 1e6:9.1f}" if run else "        -" for run in runs_of]
                    what = "forward, backward" if backward else "forward"
                    print(f"  10^{len(str(count)) - 1} {str(dtype)[6:]:8} {bits:2} bit {what:17}: {' | '.join(cells)} | "
                          f"{copied / calls * 1e6:9.1f}; {times[0] / copied:.2f} copies", flush=True)  # fmt: skip


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    print(gfpq.info().path)
    numpy_overhead(number)
    try:
        torch_overhead(number)
        beside_pytorch(number)
    except ImportError as error:
        print(f"torch: {error}")
