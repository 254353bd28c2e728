"""bench/peers.py: the numbers, the formulas, and what becomes of the result file."""

import contextlib
import importlib.util
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import fixtures  # first: it makes scripts/ importable
from report import benchmark, document

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers.py"
specification = importlib.util.spec_from_file_location("peers", SCRIPT)
peers = importlib.util.module_from_spec(specification)
specification.loader.exec_module(peers)

try:
    import numpy
    import torch
except ImportError:
    torch = None

ROW = {"name": "this library", "bits": 8, "threads": 1, "count": 10, "other_codes": {"guide": 0.0}, "times_ns": [4e6] * 9}
OTHER = {**ROW, "name": "another", "other_codes": {"guide": 0.25, "weights": 1e-7}, "times_ns": [1e7] * 9}


class Formulas(unittest.TestCase):
    @unittest.skipUnless(torch, "PyTorch is missing")
    def test_the_numbers_are_those_of_the_standards_generator(self):
        self.assertEqual(numpy.random.RandomState(5489)._bit_generator.random_raw(10000)[-1], 4123659995)
        data = peers.make_data(numpy, "guide", 1000)
        self.assertEqual(data[0], ((3499211612 % 2**20) - 2**19) / 2**18)
        self.assertTrue(-2 <= data.min() < -1.9 and 1.9 < data.max() < 2)
        weights = peers.make_data(numpy, "weights", 100000)
        self.assertAlmostEqual(float(abs(weights).mean()), 0.02, delta=0.001)

    @unittest.skipUnless(torch, "PyTorch is missing")
    def test_the_formulas_keep_the_values_of_the_ladder(self):
        ladder = torch.cat([torch.tensor([0.0]), *(sign * 2 ** ((torch.arange(1, 128) - 127) / 16) for sign in (1, -1))])
        for formula in (peers.mqbench_formula, peers.nnieqat_formula):
            got = formula(torch, ladder, 8)(ladder.clone())
            self.assertEqual(peers.other_codes(torch, got, ladder), 0, formula.__name__)
        moved = formula(torch, ladder, 8)(ladder * 1.005)
        self.assertEqual(peers.other_codes(torch, moved[:-1], ladder[:-1]), 0)

    @unittest.skipUnless(torch, "PyTorch is missing")
    def test_another_code_is_seen(self):
        wanted = torch.tensor([0.0, 1.0, -1.0, 1.0])
        self.assertEqual(peers.other_codes(torch, torch.tensor([0.0, 1.00005, -1.0, -1.0]), wanted), 0.25)
        self.assertEqual(peers.other_codes(torch, torch.tensor([1e-9, 1.0, -1.0, 0.0]), wanted), 0.5)


class ResultFile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_the_peers_are_added_and_replaced_and_all_else_stays(self):
        text = json.dumps(fixtures.bench_run(), indent=0) + "\n"
        once = peers.add(text, {"torch": "1.0", "rows": [dict(ROW)]})
        self.assertEqual(json.loads(once)["peers"], {"torch": "1.0", "rows": [ROW]})
        again = peers.add(once, {"skipped": "no torch"})
        self.assertEqual(json.loads(again), {**json.loads(text), "peers": {"skipped": "no torch"}})

    def run_script(self, run, **environment):
        path = fixtures.write(self.folder, "run.json", run)
        done = subprocess.run(
            [sys.executable, SCRIPT, path], capture_output=True, text=True, check=False, env={**os.environ, **environment}
        )
        return done, json.loads(pathlib.Path(path).read_text(encoding="utf-8"))

    def test_without_pytorch_the_reason_is_written(self):
        (self.folder / "torch.py").write_text("raise ImportError('there is no torch')", encoding="utf-8")
        run = fixtures.bench_run(cpu_model=peers.cpu_model())
        done, written = self.run_script(run, PYTHONPATH=str(self.folder))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("PyTorch's and others' fake quantization were not measured", written["peers"]["skipped"])
        self.assertEqual(written["benchmarks"], run["benchmarks"])

    def test_a_file_of_another_machine_is_refused(self):
        run = fixtures.bench_run(cpu_model="Another")
        done, written = self.run_script(run)
        self.assertEqual(done.returncode, 2)
        self.assertIn("of another machine: Another", done.stderr)
        self.assertEqual(written, run)

    def test_the_report_shows_them(self):
        run = fixtures.bench_run()
        wide = {**OTHER, "name": "a wide one", "times_ns": [1e7, 2e7] * 5}
        run["peers"] = {"torch": "1.0", "rows": [ROW, OTHER, wide]}
        shown = benchmark.load(fixtures.write(self.folder, "one.json", run))
        without = benchmark.load(fixtures.write(self.folder, "two.json", {**run, "peers": {"skipped": "No torch"}}))
        with contextlib.redirect_stdout(io.StringIO()):
            document.write([shown, without], self.folder / "out", "A title")
        markdown = (self.folder / "out" / "report.md").read_text(encoding="utf-8")
        self.assertIn("| another | 8 bit | 1 | 10.0 (10.0–10.0) | 2.50 | 25 % | 1e-05 % |", markdown)
        self.assertIn("| this library | 8 bit | 1 | 4.00 (4.00–4.00) | 1.00 | none | – |", markdown)
        self.assertIn("| a wide one | 8 bit | 1 | 15.0 (10.0–20.0) | – |", markdown)
        page = (self.folder / "out" / "index.html").read_text(encoding="utf-8")
        for text in ("<td>another</td>", "Left out: No torch."):
            self.assertIn(text, page)


if __name__ == "__main__":
    unittest.main()
