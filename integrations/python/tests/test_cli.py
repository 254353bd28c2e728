"""python -m gfpq."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from support import run_python

import gfpq
from gfpq import __main__ as cli


class CommandsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_command(self, *arguments):
        """Returns the exit status, standard output and standard error."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = cli.main([str(argument) for argument in arguments])
        return status, out.getvalue(), err.getvalue()

    def save(self, name, data):
        np.save(self.folder / name, data)
        return self.folder / name

    def test_as_a_program(self):
        result = run_python("-m", "gfpq", "info")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"^GFPQ version\[\d+\.\d+\.\d+\] Compiler revision\[\d+\] Build at\[.*\]\n")
        self.assertEqual(run_python("-m", "gfpq").returncode, 2)

    def test_quantize_by_parts_is_quantize(self):
        rng = np.random.default_rng(0)
        for data in (rng.normal(size=(7, 11)).astype("f4"), np.asfortranarray(rng.normal(size=(7, 11))),
                     rng.integers(-9, 9, 77).astype("i2"), np.empty((0, 3), "f4"), np.array(3.0)):  # fmt: skip
            source, target, block = self.save("in.npy", data), self.folder / "out.npy", self.folder / "param"
            with mock.patch.object(cli, "_PART", 10):
                status, out, _ = self.run_command("quantize", source, target, "--bits", 16, "--save-param", block)
            param = gfpq.Param(16)
            expected = gfpq.quantize(data, param=param)
            self.assertEqual((status, out), (0, f"{param}\n"))
            result = np.load(target)
            self.assertEqual(result.dtype, expected.dtype)
            np.testing.assert_array_equal(result, expected)
            self.assertEqual(block.read_bytes(), bytes(param))

    def test_quantize_with_a_parameter(self):
        source, block = self.save("in.npy", np.array([1, 100], "f4")), self.folder / "param"
        block.write_bytes(bytes(gfpq.Param.from_delta(-77)))
        self.assertEqual(self.run_command("quantize", source, self.folder / "out.npy", "--param", block)[0], 0)
        np.testing.assert_allclose(np.load(self.folder / "out.npy"), [1, 8.724062], rtol=1e-6)

    def test_param(self):
        block = self.folder / "param"
        for content in (bytes(gfpq.Param.from_delta(-77)), b"\2\0\0\0" + bytes(gfpq.Param.from_delta(-77))):
            block.write_bytes(content)
            _, out, _ = self.run_command("param", block)
            self.assertEqual(
                out,
                "Param(bits=8, delta=-77, 0.0355871 ... 8.72406)\n"
                "GFPQ PARAM: 0x60 0x62 -0x7e 0x69 -0x4d -0x1 -0x1 -0x1 -0x3b -0x39 0x27 -0x34 0x3a 0x38 -0x28 0x33\n",
            )
        rows = [{"layer": "conv", "tensor": "data", "group": 0, "bits": 16,
                 "block": bytes(gfpq.Param.from_delta(-1000, 16)).hex()}]  # fmt: skip
        (self.folder / "p.json").write_text(json.dumps(rows))
        self.assertIn("conv data 0: Param(bits=16, delta=-1000", self.run_command("param", self.folder / "p.json")[1])

    def test_compare(self):
        a, b = self.save("a.npy", np.array([3.0, 4.0])), self.save("b.npy", np.array([3.0, 4.5]))
        status, out, _ = self.run_command("compare", a, b)
        self.assertEqual(status, 1)
        self.assertIn("cosine similarity 0.998460, SQNR 20.00 dB, largest difference 0.5, 1 of 2 differ", out)
        status, out, _ = self.run_command("compare", a, a)
        self.assertEqual(status, 0)
        self.assertIn("cosine similarity 1.000000, SQNR inf dB", out)

    def test_progress_on_long_work(self):
        a = self.save("a.npy", np.ones(100))
        with mock.patch.object(cli, "_PART", 10), mock.patch.object(cli.time, "monotonic", side_effect=range(100)):
            _, _, err = self.run_command("compare", a, a)
        self.assertIn("compare: 60% of 100 numbers", err)
        self.assertIn("compare: 100% of 100 numbers", err)

    def test_errors(self):
        a, b = self.save("a.npy", np.ones(3)), self.save("b.npy", np.ones(4))
        (self.folder / "bad").write_bytes(b"x" * 16)
        for command, reason in (
            (("compare", a, b), "shape"),
            (("compare", a, self.folder / "none.npy"), "none.npy"),
            (("quantize", a, a), "same file"),
            (("quantize", self.save("c.npy", np.ones(3, "c8")), self.folder / "o.npy"), "complex64"),
            (("param", self.folder / "bad"), "damaged"),
        ):
            status, _, err = self.run_command(*command)
            self.assertEqual(status, 2, command)
            self.assertIn(reason, err)


if __name__ == "__main__":
    unittest.main()
