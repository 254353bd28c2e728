#!/usr/bin/python3
"""The conformance runner's command line: what it refuses, what it answers, and the four kinds of result."""

import ctypes
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

RUNNER, FAULTY_LIBRARY = sys.argv.pop(1), sys.argv.pop(1)  # a mutant whose infinities overflow
GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden"
BROKEN = ["GFPQ-SPECIAL-02", "GFPQ-SPECIAL-04"]
QUICK = "--gtest_filter=Special.*:Sample.*"


class RunnerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_runner(self, *arguments):
        run = subprocess.run([RUNNER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             check=False)
        return run.returncode, run.stdout

    def known(self, *requirements, text=None):
        file = self.folder / "known.json"
        deviations = [{"requirement": requirement, "reason": "for the test"} for requirement in requirements]
        file.write_text(text or json.dumps({"deviations": deviations}))
        return f"--known={file}"

    def results(self, *arguments):
        """Status, and each requirement's result."""
        file = self.folder / "results.json"
        status, _ = self.run_runner(QUICK, f"--json={file}", *arguments)
        return status, {entry["id"]: entry["result"] for entry in json.loads(file.read_text())["requirements"]}

    def assert_refused(self, wanted, *arguments):
        status, output = self.run_runner(*arguments)
        self.assertEqual(status, 2, output)
        self.assertIn(wanted, output)

    def test_refuses_what_it_cannot_use(self):
        self.assert_refused("no-such-library.so", "--library=no-such-library.so")
        self.assert_refused("invalid ELF header", f"--library={__file__}")
        self.assert_refused("no-such-file.json", "--known=no-such-file.json")
        self.assert_refused("--device", "--device=abacus")
        self.assert_refused("--no-such-flag", "--no-such-flag")
        self.assert_refused("cannot write", "--json=/no/such/folder/results.json")
        self.assert_refused("known.json", self.known(text="{"))
        self.assert_refused("requirement", self.known(text='{"deviations": [{"reason": "none"}]}'))
        self.assert_refused("GFPQ-NO-99", self.known("GFPQ-NO-99"))

    def test_refuses_damaged_golden_data(self):
        golden = self.folder / "golden"
        shutil.copytree(GOLDEN, golden)
        self.assertEqual(self.run_runner(f"--golden={golden}", QUICK)[0], 0)
        for name in ("generated/ladder_8.csv", "guide/samples.json", "vendor-1.1.5/tensors/all_zero.f32"):
            file = golden / name
            good = file.read_bytes()
            file.write_bytes(bytes([good[0] ^ 1]) + good[1:])
            self.assert_refused(f"{name} is damaged", f"--golden={golden}", QUICK)
            file.write_bytes(good[:-1])
            self.assert_refused(f"{name} is damaged", f"--golden={golden}", QUICK)
            file.unlink()
            self.assert_refused(f"cannot read {file}", f"--golden={golden}", QUICK)
            file.write_bytes(good)
        sums = golden / "SHA256SUMS"
        sums.write_text("".join(line for line in sums.read_text().splitlines(True) if "ladder_8" not in line))
        status, output = self.run_runner(f"--golden={golden}", QUICK)
        self.assertEqual(status, 1, output)
        self.assertIn("does not list generated/ladder_8.csv", output)

    def test_library_without_the_functions(self):
        ctypes.CDLL("libm.so.6")
        mapped = pathlib.Path("/proc/self/maps").read_text().split()
        status, output = self.run_runner("--library=" + next(file for file in mapped if "libm.so" in file))
        self.assertEqual(status, 1, output)
        self.assertIn("GFPQ-THREAD-01: the test could not go on: the library does not export", output)
        self.assertIn("does NOT compute GFPQ", output)

    def test_expected_pass(self):
        status, results = self.results()
        self.assertEqual(status, 0)
        self.assertEqual(results["GFPQ-SPECIAL-02"], "expected pass")
        self.assertEqual(results["GFPQ-LADDER-01"], "not run")  # not in the filter

    def test_unexpected_failure(self):
        status, results = self.results(f"--library={FAULTY_LIBRARY}")
        self.assertEqual(status, 1)
        self.assertEqual([key for key, result in results.items() if result == "unexpected failure"], BROKEN)

    def test_expected_failure(self):
        status, results = self.results(f"--library={FAULTY_LIBRARY}", self.known(*BROKEN))
        self.assertEqual(status, 0)
        self.assertEqual([key for key, result in results.items() if result == "expected failure"], BROKEN)

    def test_unexpected_pass(self):
        status, results = self.results(self.known("GFPQ-SPECIAL-01"))
        self.assertEqual(status, 1)
        self.assertEqual([key for key, result in results.items() if result == "unexpected pass"], ["GFPQ-SPECIAL-01"])

    def test_failure_tells_all(self):
        _, output = self.run_runner(f"--library={FAULTY_LIBRARY}", "--gtest_filter=Special.InfinityInApply")
        for part in ("GFPQ-SPECIAL-02", "8 bit", "APPLY", "delta", "input inf (0x7f800000)", "got", "want", "more wrong",
                     "does NOT compute GFPQ"):
            self.assertIn(part, output)

    def test_gtest_flags(self):
        xml = self.folder / "results.xml"
        status, _ = self.run_runner(QUICK, f"--gtest_output=xml:{xml}")
        self.assertEqual(status, 0)
        self.assertIn("GFPQ-SAMPLE-01", xml.read_text())

    def test_gpu_without_gpu(self):
        status, output = self.run_runner("--device=gpu", "--gtest_filter=Sample.ParameterBytes")
        if status == 0:
            self.skipTest("this machine has a GPU")
        if "Not Support GPU mode" not in output:  # the CPU library, where there is a GPU
            self.assertEqual(status, 77, output)
            self.assertIn("driver", output)


if __name__ == "__main__":
    unittest.main()
