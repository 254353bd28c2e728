"""ruff and mypy find nothing, and the types that a user's editor shows are the ones that come out."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import FOLDER, PROJECT, needs_torch, torch

PINNED = Path(__file__).with_name("tools.txt")

USER = """\
from typing import Any
import gfpq
import gfpq.torch
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import assert_type

Floats = NDArray[np.floating[Any]]


def use(array: NDArray[np.float32], tensor: Tensor, other: NDArray[np.int16]) -> None:
    param = gfpq.Param()
    assert_type(gfpq.quantize(array), Floats)
    assert_type(gfpq.quantize(other, 8, param, gfpq.Mode.INIT), Floats)
    assert_type(gfpq.quantize([1.0, 2.0]), Floats)
    assert_type(gfpq.quantize(3.0), Floats)
    assert_type(gfpq.quantize_(array), NDArray[np.float32])
    assert_type(gfpq.quantize_(tensor), Tensor)
    assert_type(gfpq.torch.quantize(tensor), Tensor)
    assert_type(gfpq.encode(array, param), NDArray[np.signedinteger[Any]])
    assert_type(gfpq.encode(tensor, [param, param], axis=1), Tensor)
    assert_type(gfpq.decode(other, param), Floats)
    assert_type(gfpq.decode(tensor, param), Tensor)
    assert_type(gfpq.quantize(tensor, param=param), Tensor)
"""


class StyleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = os.environ.get("GFPQ_TOOLS")
        if not folder:
            raise unittest.SkipTest("GFPQ_TOOLS names no folder to install ruff and mypy in (ctest sets it)")
        cls.tools = Path(folder)
        installed = cls.tools / PINNED.name  # copied there at the end, so that it stands for all
        if not installed.exists() or installed.read_text() != PINNED.read_text():
            shutil.rmtree(cls.tools, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "1", "--target", folder]
            result = subprocess.run([*pip, "-r", PINNED], capture_output=True, text=True, check=False)
            if result.returncode:
                raise unittest.SkipTest(f"ruff and mypy can't be installed from PyPI: {result.stderr.strip()[-500:]}")
            shutil.copy(PINNED, installed)

    def run_tool(self, *arguments, **environment):
        path = f"{self.tools}{os.pathsep}{FOLDER}"
        changed = {**os.environ, "PYTHONPATH": path, "MYPYPATH": "", "NO_COLOR": "1", **environment}
        command = [sys.executable, "-m", *map(str, arguments)]
        result = subprocess.run(command, cwd=FOLDER, env=changed, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_ruff(self):
        self.run_tool("ruff", "check", "--no-cache", "--quiet", "--output-format", "concise", PROJECT)

    @needs_torch
    def test_mypy(self):
        with tempfile.TemporaryDirectory() as cache:
            mypy = ("mypy", "--config-file", PROJECT / "pyproject.toml", "--cache-dir", cache)
            user = Path(cache) / "user.py"
            # To mypy a tensor of PyTorch 1 is of any type, an array too.
            user.write_text(USER if int(torch.__version__.split(".")[0]) > 1 else USER[: USER.rindex("    assert")])
            self.run_tool(*mypy, "gfpq")
            self.run_tool(*mypy, user)


if __name__ == "__main__":
    unittest.main()
