#!/usr/bin/env python3
"""Training with the Python package on a GPU: what its tests, which train on the CPU, do not show.

    gpu_training.py --write-digits FILE.npz                        where scikit-learn is, for a machine without it
    gpu_training.py [--device cuda] [--digits FILE.npz] [--json FILE] PART ...

The parts: `digits`, the example's post-training quantization and fine-tuning; `distributed`, DistributedDataParallel on
one rank, with NCCL on a GPU, against training without it; `graph`, a training step with fixed ranges captured as a CUDA
graph, against the same steps one by one, bit for bit.

Exit status: 0, or 1 where a part failed. What each found is in the JSON file, also where it failed.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Callable

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # so that sums of products come out the same each time
PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "integrations/python"), str(PROJECT / "integrations/python/examples")]

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

import gfpq.torch as gq  # noqa: E402

BATCHES = 12


def write_digits(file: Path) -> None:
    import numpy
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images.astype("u1"), labels.astype("u1"), test_size=0.5, random_state=0, stratify=labels)
    numpy.savez_compressed(file, **dict(zip(("train_x", "test_x", "train_y", "test_y"), parts)))


def require(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)


def small_network(device: str) -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    """A prepared and calibrated network, and batches for it; from now on the same steps give the same bits."""
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(0)
    batches = [(torch.randn(16, 3, 12, 12), torch.randint(10, (16,))) for _ in range(BATCHES)]
    on_device = [(x.to(device), y.to(device)) for x, y in batches]
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)
    ).to(device)
    gq.prepare(model, example_inputs=on_device[0][0])
    gq.calibrate(model, [x for x, _ in on_device])
    return model, on_device


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> Tensor:
    optimizer.zero_grad(set_to_none=True)
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.detach()


def different(one: nn.Module, other: nn.Module) -> list[str]:
    """The names of what two networks' states do not have bit for bit alike."""
    state = other.state_dict()
    return [name for name, value in one.state_dict().items() if not torch.equal(value, state[name])]


def train_digits(device: str, file: Path | None) -> dict[str, Any]:
    import digits

    data = digits.load(device)
    if file is not None:
        import numpy

        with numpy.load(file) as parts:
            data = digits.from_arrays(*(parts[name] for name in ("train_x", "test_x", "train_y", "test_y")), device)
    outcomes, tuned = digits.run(data, quick=True)
    found: dict[str, Any] = {
        name: {"float": outcome.float_, "post_training_8": outcome.post_training_8, "tuned_8": outcome.tuned_8,
               "post_training_16": outcome.post_training_16}
        for name, outcome in outcomes.items()
    }  # fmt: skip
    usual, hard = outcomes["digits"], outcomes["hard case"]
    require(usual.float_ > 97, f"the float network reaches {usual.float_:.2f} %")
    require(usual.float_ - usual.tuned_8 < 1, f"8 bit, fine-tuned: {usual.tuned_8:.2f} % of {usual.float_:.2f} %")
    lost, recovered = hard.float_ - hard.post_training_8, hard.tuned_8 - hard.post_training_8
    require(recovered >= 0.8 * lost > 0, f"fine-tuning recovers {recovered:.2f} % of {lost:.2f} %")

    # Where the network ends, each quantizer gives on the device what it gives on the CPU.
    compared = 0
    tuned.eval()
    for name, _, quantizer in gq.quantizers(tuned):
        x = torch.randn(1000, quantizer.groups * 3)
        on_cpu = copy.deepcopy(quantizer).cpu().eval()
        if quantizer.policy is gq.Policy.ALWAYS_INIT or quantizer.groups > 1:
            continue
        require(torch.equal(quantizer(x.to(device)).cpu(), on_cpu(x)), f"{name}: another result than on the CPU")
        compared += 1
    require(compared > 0, "no quantizer was compared")
    with tempfile.TemporaryDirectory() as folder:
        gq.export(tuned, folder)
        found["exported"] = sorted(path.name for path in Path(folder).iterdir())
    return {**found, "quantizers_compared": compared}


def train_distributed(device: str, _file: Path | None) -> dict[str, Any]:
    import torch.distributed as dist

    from gfpq.torch import distributed

    backend = "nccl" if device == "cuda" else "gloo"
    for variable in ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME"):
        os.environ.setdefault(variable, "lo")
    alone, batches = small_network(device)
    shared = copy.deepcopy(alone)
    with tempfile.TemporaryDirectory() as folder:
        dist.init_process_group(backend, init_method=f"file://{folder}/meet", rank=0, world_size=1)
        try:
            exponents = torch.tensor([1.5, float("-inf"), -3.25], device=batches[0][0].device)
            require(torch.equal(distributed.largest(exponents), exponents), "the ranks' largest exponents")
            arguments = {"device_ids": [0]} if device == "cuda" else {}
            parallel = nn.parallel.DistributedDataParallel(shared, **arguments)
            optimizers = sgd(alone), sgd(shared)
            for number, (x, y) in enumerate(batches):
                losses = step(alone.train(), optimizers[0], x, y), step(parallel.train(), optimizers[1], x, y)
                require(torch.equal(*losses), f"step {number}: loss {losses[1].item()} instead of {losses[0].item()}")
        finally:
            dist.destroy_process_group()
    require(not different(alone, shared), f"not the same bits: {different(alone, shared)}")
    return {"backend": backend, "steps": len(batches), "loss": losses[1].item()}


def train_graph(device: str, _file: Path | None) -> dict[str, Any]:
    eager, batches = small_network(device)
    for _, _, quantizer in gq.quantizers(eager):
        quantizer.policy = gq.Policy.FIXED  # a range that the step would find is what a graph cannot have
    captured = copy.deepcopy(eager)
    eager_optimizer, optimizer = sgd(eager), sgd(captured)
    x, y = (part.clone() for part in batches[0])
    warm, rest = batches[:3], batches[3:]

    for batch in warm:
        step(eager, eager_optimizer, *batch)
    if device == "cuda":
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for batch in warm:
                step(captured, optimizer, *batch)
        torch.cuda.current_stream().wait_stream(stream)
        optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = step(captured, optimizer, x, y)
        replay = graph.replay
    else:  # the same steps without a graph: only to try this out
        for batch in warm:
            step(captured, optimizer, *batch)
        loss = torch.zeros(())

        def replay() -> None:
            loss.copy_(step(captured, optimizer, x, y))

    times = [0.0, 0.0]
    for number, batch in enumerate(rest):
        for static, new in zip((x, y), batch):
            static.copy_(new)
        start = time.perf_counter()
        replay()
        replayed = loss.item()
        middle = time.perf_counter()
        wanted = step(eager, eager_optimizer, *batch).item()
        times = [times[0] + middle - start, times[1] + time.perf_counter() - middle]
        require(replayed == wanted, f"step {number}: loss {replayed} instead of {wanted}")
        require(not different(eager, captured), f"step {number}: not the same bits: {different(eager, captured)}")
    return {"steps": len(rest), "loss": replayed, "is_a_graph": device == "cuda",
            "replay_ms": times[0] / len(rest) * 1e3, "eager_ms": times[1] / len(rest) * 1e3}  # fmt: skip


PARTS: dict[str, Callable[[str, Path | None], dict[str, Any]]] = {
    "digits": train_digits, "distributed": train_distributed, "graph": train_graph,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--digits", type=Path, metavar="FILE", help="images, where scikit-learn is missing")
    parser.add_argument("--write-digits", type=Path, metavar="FILE", help="write that file")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}")
    if options.write_digits:
        write_digits(options.write_digits)
    if options.parts and options.device == "cuda" and not torch.cuda.is_available():
        print("gpu_training: PyTorch finds no GPU", file=sys.stderr)
        return 77
    results: dict[str, Any] = {"torch": torch.__version__, "device": options.device}
    failed = False
    for name in options.parts:
        start = time.monotonic()
        try:
            results[name] = {"result": "passed", **PARTS[name](options.device, options.digits)}
        except Exception as error:  # the next part is tried all the same
            traceback.print_exc()
            results[name] = {"result": "failed", "error": f"{type(error).__name__}: {error}"}
            failed = True
        results[name]["seconds"] = round(time.monotonic() - start, 1)
        print(name, json.dumps(results[name]), flush=True)
        if options.json:
            options.json.write_text(json.dumps(results, indent=1) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
