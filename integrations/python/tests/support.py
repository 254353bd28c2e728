"""What the tests share."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1]  # integrations/python
PROJECT = FOLDER.parents[1]
GOLDEN = PROJECT / "golden"

sys.path.insert(0, str(FOLDER))  # so that a test's file also runs by itself

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

try:
    import google.protobuf as protobuf
except ImportError:
    protobuf = None  # type: ignore[assignment]

needs_protobuf = unittest.skipIf(protobuf is None, "protobuf is not installed (Debian: python3-protobuf)")
needs_torch = unittest.skipIf(torch is None, "PyTorch is not installed (Debian: python3-torch)")


def needs_compile(test: Any) -> Any:
    """Skips where this package does not use torch.compile."""
    if torch is None:
        return needs_torch(test)
    from gfpq.torch.context import COMPILES

    return unittest.skipUnless(COMPILES, "PyTorch 2.7 or later is needed")(test)


def needs_cuda_torch(test: Any) -> Any:
    """Skips where PyTorch has no GPU to work with."""
    if torch is None:
        return unittest.skip("PyTorch is not installed")(test)
    return unittest.skipUnless(torch.cuda.is_available(), "no CUDA GPU, or a PyTorch without CUDA")(test)


def gpu_library() -> str:
    """The path of the GPU library. Skips the test that asks where there is none."""
    from gfpq import LibraryNotFoundError, library

    try:
        return library.gpu().path
    except LibraryNotFoundError as error:
        raise unittest.SkipTest(f"no GPU library: {error}") from None


def rows(path: Path) -> Iterator[dict[str, str]]:
    """A CSV file's rows, by column."""
    with path.open(newline="") as file:
        yield from csv.DictReader(file)


def run_python(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    """Runs Python with this package on its path, in an environment with the given changes, from a folder without it."""
    changed = {**os.environ, "PYTHONPATH": str(FOLDER), **environment}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=changed, cwd="/", capture_output=True, text=True, timeout=200, check=False)


def compiled(model: Any, backend: str = "aot_eager", full: bool = True) -> Any:
    """What torch.compile makes of a model, from the beginning; with `full` in one program."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    return torch.compile(model, backend=backend, fullgraph=full)


def train(model: Any, batches: Any) -> None:
    """A step for each batch."""
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    for x in batches:
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
