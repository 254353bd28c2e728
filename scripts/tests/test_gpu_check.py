"""scripts/gpu_check.sh, as far as it goes without a GPU: with an nvidia-smi that is made up."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "gpu_check.sh"


class GpuCheck(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for part in ("scripts", "samples", "bin"):
            (self.folder / part).mkdir()
        shutil.copy(SCRIPT, self.folder / "scripts")
        shutil.copy(SCRIPT.parents[1] / "samples" / "get_gpu_version.sh", self.folder / "samples")

    def run_script(self, *arguments, driver=True):
        if driver:
            program = self.folder / "bin" / "nvidia-smi"
            program.write_text("#!/bin/sh\necho '0, Pretended GPU, 1.2, 9.0'\n")
            program.chmod(0o755)
        done = subprocess.run(
            [self.folder / "scripts" / SCRIPT.name, "--out", self.folder / "out", *arguments],
            env={**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def steps(self):
        return [json.loads(line) for line in (self.folder / "out" / "steps.jsonl").read_text().splitlines()]

    @unittest.skipIf(shutil.which("nvidia-smi"), "this machine has NVIDIA's driver")
    def test_without_a_driver_it_skips(self):
        status, output = self.run_script(driver=False)
        self.assertEqual(status, 77)
        self.assertIn("no NVIDIA driver", output)

    def test_an_unknown_step_is_refused(self):
        status, output = self.run_script("bnech")
        self.assertEqual(status, 2)
        self.assertIn("no step bnech; there are: facts build tests", output)

    def test_a_step_leaves_a_log_and_its_result(self):
        status, output = self.run_script("facts")
        self.assertEqual(status, 0, output)
        self.assertIn("GPU 0: Pretended GPU", (self.folder / "out" / "facts.log").read_text())
        self.assertEqual([(step["step"], step["result"]) for step in self.steps()], [("facts", "passed")])

    def test_a_failed_step_is_told_and_the_next_one_runs(self):
        status, output = self.run_script("exhaustive8", "facts")
        self.assertEqual(status, 1)
        self.assertRegex(output, r"exhaustive8 +\d+ s +failed: status 127")
        self.assertIn("gfpq_gpu_exhaustive: No such file", output)
        self.assertEqual([step["result"] for step in self.steps()], ["failed: status 127", "passed"])

    def test_every_step_is_a_function_with_a_limit_below_ten_minutes(self):
        text = SCRIPT.read_text()
        steps = text.split("\nsteps=(")[1].split(")")[0].split()
        for step in steps:
            self.assertIn(f"\n{step}() {{", text)
        self.assertIn(" ".join(steps[:5]), text.split("set -uo")[0])
        self.assertIn("timeout --kill-after=10 590 bash -c", text)


if __name__ == "__main__":
    unittest.main()
