#!/usr/bin/python3
"""The conformance runner's command line: what it refuses, what it prints, and the four kinds of result."""

import ctypes
import json
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import unittest

RUNNER, FAULTY_LIBRARY = sys.argv.pop(1), sys.argv.pop(1)  # a mutant whose infinities overflow
GOLDEN = pathlib.Path(__file__).resolve().parents[3] / "golden"
BROKEN = ["GFPQ-SPECIAL-02", "GFPQ-SPECIAL-04"]
PLATFORM = f"linux-{platform.machine()}"
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

    def known(self, *requirements, text=None, bound=None, **fields):
        file = self.folder / "known.json"
        library = {"name": "gfpq", "version": self.version(), "platform": PLATFORM, **fields}
        deviations = [{"requirement": requirement, "reason": "for the test", "bound": bound or {"checks": 10**9}}
                      for requirement in requirements]
        file.write_text(text or json.dumps({"library": library, "deviations": deviations}))
        return f"--known={file}"

    def version(self):
        _, output = self.run_runner("--gtest_filter=none")
        return output.splitlines()[0].rpartition(" ")[2]

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
        self.assert_refused("library", self.known(text='{"deviations": [{"reason": "none"}]}'))
        self.assert_refused("bound", self.known("GFPQ-SPECIAL-02", bound={"wishes": 3}))
        self.assert_refused("this library's version is", self.known("GFPQ-SPECIAL-02", version="9.9.9"))
        self.assert_refused("this is ", self.known("GFPQ-SPECIAL-02", platform="amiga-m68k"))
        self.assert_refused("SHA-256", self.known("GFPQ-SPECIAL-02", sha256=["00"]))
        self.assert_refused("--profile", "--profile=looks")
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
        self.assert_refused("does not list generated/ladder_8.csv", f"--golden={golden}", QUICK)

    def test_library_without_the_functions(self):
        ctypes.CDLL("libm.so.6")
        mapped = pathlib.Path("/proc/self/maps").read_text().split()
        status, output = self.run_runner("--library=" + next(file for file in mapped if "libm.so" in file))
        self.assertEqual(status, 1, output)
        self.assertIn("GFPQ-INTERFACE-01", output)
        self.assertIn("the library does not export", output)
        self.assertNotIn("computes GFPQ", output)

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

    def test_worse_than_known_is_unexpected(self):
        for bound, wanted in (({"checks": 1}, "1 are known"), ({"inputs": ["nan"]}, "not only nan"),
                              ({"kinds": ["8 bit float"]}, "16 bit"), ({"ulp": 23}, "border")):
            status, output = self.run_runner(QUICK, f"--library={FAULTY_LIBRARY}", self.known(*BROKEN, bound=bound))
            self.assertEqual(status, 1, output)
            self.assertIn("worse than the known deviation", output)
            self.assertIn(wanted, output)
        status, output = self.run_runner(QUICK, f"--library={FAULTY_LIBRARY}",
                                         self.known(*BROKEN, bound={"inputs": ["infinity"]}))
        self.assertEqual(status, 0, output)

    def test_files_are_written_whole_or_not_at_all(self):
        for option in ("--json=/dev/full", "--details=/dev/full"):
            status, output = self.run_runner(QUICK, option)
            self.assertEqual(status, 2, output)
            self.assertIn("cannot write /dev/full", output)
        with open("/dev/full", "w", encoding="utf-8") as full:
            run = subprocess.run([RUNNER, QUICK], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(run.returncode, 2)
        self.assertIn("standard output", run.stderr)

    def test_a_profile_alone_is_judged(self):
        file = self.folder / "results.json"
        status, output = self.run_runner("--profile=messages,interface", f"--json={file}")
        self.assertEqual(status, 0, output)
        self.assertIn("INCOMPLETE", output)
        requirements = json.loads(file.read_text())["requirements"]
        run = {entry["profile"] for entry in requirements if entry["result"] != "not run"}
        self.assertEqual(run, {"messages", "interface"})

    def test_results_can_be_published(self):
        file = self.folder / "results.json"
        self.run_runner(QUICK, f"--json={file}", f"--library={FAULTY_LIBRARY}", "--title=a faulty one")
        results = json.loads(file.read_text())
        self.assertEqual(results["schema"], "gfpq-conformance/2")
        for digest in (results["suite"]["specification_sha256"], results["suite"]["golden_sha256"],
                       results["library"]["sha256"]):
            self.assertRegex(digest, "^[0-9a-f]{64}$")
        self.assertEqual(results["machine"]["platform"], PLATFORM)
        self.assertEqual(results["library"]["title"], "a faulty one")
        self.assertIn("--gtest_filter", results["suite"]["filter"])
        finding = next(entry for entry in results["findings"] if entry["requirement"] == "GFPQ-SPECIAL-02")
        self.assertLessEqual({"call", "input", "got", "want"}, finding["examples"][0].keys())

    def test_unexpected_pass(self):
        status, results = self.results(self.known("GFPQ-SPECIAL-01"))
        self.assertEqual(status, 1)
        self.assertEqual([key for key, result in results.items() if result == "unexpected pass"], ["GFPQ-SPECIAL-01"])

    def test_what_every_case_looks_after_is_no_unexpected_pass_where_cases_were_left_out(self):
        """A known deviation of a call's environment may show in a case that a filter leaves out."""
        status, results = self.results(self.known("GFPQ-ENV-01"))
        self.assertEqual((status, results["GFPQ-ENV-01"]), (0, "expected pass"))

    def test_failure_tells_all(self):
        _, output = self.run_runner(f"--library={FAULTY_LIBRARY}", "--gtest_filter=Special.InfinityInApply")
        for part in ("GFPQ-SPECIAL-02", "8 bit", "APPLY", "delta", "input inf (0x7f800000)", "got", "want",
                     "does NOT compute GFPQ", "INCOMPLETE"):
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
