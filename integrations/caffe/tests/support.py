"""What the tests share."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1]  # integrations/caffe
PYTHON = FOLDER.parent / "python"
CAFFE_ROOT = Path(os.environ.get("CAFFE_ROOT", ""))

if not os.environ.get("CAFFE_ROOT"):
    print("skipped: CAFFE_ROOT is not set; set it to a Caffe that apply.sh was run on and that is built with pycaffe")
    sys.exit(77)
if not (CAFFE_ROOT / "python" / "caffe" / "_caffe.so").exists():
    sys.exit(f"CAFFE_ROOT={CAFFE_ROOT}: no python/caffe/_caffe.so there; build it (make lib tools pycaffe)")

os.environ.setdefault("GLOG_minloglevel", "2")
os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (FOLDER, PYTHON, CAFFE_ROOT / "python")))
sys.path[1:1] = os.environ["PYTHONPATH"].split(os.pathsep)

import caffe  # noqa: E402
import gfpq  # noqa: E402
import numpy as np  # noqa: E402


def net(text: str, phase: int = caffe.TEST, weights: Path | None = None) -> caffe.Net:
    """A net of a prototxt's text."""
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(text)
        file.flush()
        arguments = {} if weights is None else {"weights": str(weights)}
        return caffe.Net(file.name, phase, **arguments)


def solver(folder: Path, text: str, net_text: str) -> Any:
    """A solver of its prototxt's and its net's text, which snapshots into the folder."""
    (folder / "net.prototxt").write_text(net_text)
    (folder / "solver.prototxt").write_text(
        f'net: "{folder}/net.prototxt" snapshot_prefix: "{folder}/snapshot" lr_policy: "fixed" random_seed: 1\n{text}'
    )
    return caffe.get_solver(str(folder / "solver.prototxt"))


def block_of(net: caffe.Net, layer: str = "quant") -> bytes:
    """The 16 bytes in a Quant layer's blob."""
    return bytes(net.params[layer][0].data[:16].astype("u1"))


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.tobytes() == b.tobytes()


class Folder(unittest.TestCase):
    """Tests of finetune.py's commands on a model in a folder of its own."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.model, self.weights = self.folder / "model.prototxt", self.folder / "model.caffemodel"

    def save(self, a_net: caffe.Net, text: str) -> None:
        self.model.write_text(text)
        a_net.save(str(self.weights))

    def run_command(self, *arguments: object) -> tuple[int, str, str]:
        import finetune

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = finetune.main([str(argument) for argument in arguments])
        return status, out.getvalue(), err.getvalue()


def run_python(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
