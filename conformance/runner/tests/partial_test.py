#!/usr/bin/python3
"""A right library with a part of the interface, or with a block or messages of its own, is judged by what it has; what it
lacks is told as not offered, and arithmetic that holds is said to hold. So for a right library of which a part is left
out (partial_library.cpp), and for ports in C (port.c)."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

RUNNER, FOLDER = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
FILTER = ("--gtest_filter=Interface.*:Ladder.*:Round.NumbersFromAllOver:Special.*:"
          "Zero.ZeroStaysZero:Sample.*:Param.Blocks*:Mode.Without*:Jobs.*")
PORTS_FILTER = (f"{FILTER}:Param.*:Mode.*:Delta.*:Zero.*Zone:Record.*:Digest.*"
                "-Delta.MaximumAnywhereInLongTensors:Mode.AllCodesOfEveryDelta")  # logarithms take seconds for them
KINDS = ["8 bit float", "16 bit float", "8 bit double", "16 bit double"]


def library(name):
    return FOLDER / f"libgfpq_{name}.so"


def judge(name, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder) / "results.json"
        run = subprocess.run([RUNNER, f"--library={library(name)}", f"--json={results}", *arguments],
                             text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return run, json.loads(results.read_text())


def failing(results):
    return {entry["id"] for entry in results["requirements"] if entry["result"] == "unexpected failure"}


def arithmetic(results):
    """(kinds that hold, kinds that are not offered)"""
    lines = {line["name"].removeprefix("arithmetic, "): line for line in results["profiles"] if
             line["name"].startswith("arithmetic")}
    return ([kind for kind in KINDS if lines[kind]["offered"] and not lines[kind]["failing"] and lines[kind]["holding"]],
            [kind for kind in KINDS if not lines[kind]["offered"]])


class PartialTest(unittest.TestCase):
    def assert_fair(self, name, holding, lacking, *fails):
        run, results = judge(name, FILTER)
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertEqual(arithmetic(results), (holding, lacking), run.stdout)
        self.assertEqual(failing(results), set(fails), run.stdout)
        self.assertNotIn("does NOT", run.stdout)
        self.assertIn("arithmetic holds", run.stdout)
        self.assertIn("\njobs                      not offered\n", run.stdout)
        self.assertLess(len(run.stdout.splitlines()), 50)
        return run.stdout, [cause["requirement"] for cause in results["causes"]]

    def test_the_py_function_alone(self):
        output, causes = self.assert_fair("partial_py_alone", KINDS[:2], KINDS[2:], "GFPQ-INTERFACE-01")
        self.assertEqual(causes, [])
        self.assertIn("arithmetic holds for 8 bit float, 16 bit float, and so does all else that it offers; "
                      "not offered: 8 bit double, 16 bit double, 6 functions.", output)
        self.assertEqual(output.count("_Z15HI_GFPQ_GetInfoP13_GFPQ_INFO_ST"), 1, output)

    def test_float_alone(self):
        output, causes = self.assert_fair("partial_float_alone", KINDS[:2], KINDS[2:], "GFPQ-INTERFACE-01")
        self.assertEqual(causes, [])
        self.assertIn("all else that it offers", output)

    def test_8_bit_alone(self):
        output, causes = self.assert_fair("partial_8_bit_alone", KINDS[0::2], KINDS[1::2], "GFPQ-INTERFACE-01",
                                          "GFPQ-INTERFACE-08")
        self.assertEqual(causes, [])
        self.assertIn("HI_GFPQ_QuantAndDeQuant(float, 16 bit, INIT)", output)

    def test_other_words(self):
        output, causes = self.assert_fair("partial_other_words", KINDS, [], "GFPQ-INTERFACE-01", "GFPQ-INTERFACE-06",
                                          "GFPQ-INTERFACE-09")
        self.assertEqual(causes, ["GFPQ-INTERFACE-06"])
        self.assertIn("arithmetic holds; messages differ", output)
        self.assertIn("what is printed is another line", output)

    def test_a_silent_one(self):
        output, causes = self.assert_fair("partial_silent", KINDS, [], "GFPQ-INTERFACE-01", "GFPQ-INTERFACE-06",
                                          "GFPQ-INTERFACE-09")
        self.assertEqual(causes, ["GFPQ-INTERFACE-06"])
        self.assertIn("nothing is printed where a call fails", output)

    def test_what_it_has_passes_by_profile(self):
        for name, profile in (("py_alone", "arithmetic-8f,arithmetic-16f"), ("8_bit_alone", "arithmetic-8f,arithmetic-8d"),
                              ("other_words", "arithmetic,modes")):
            run, _ = judge(f"partial_{name}", FILTER, f"--profile={profile}")
            self.assertEqual(run.returncode, 0, run.stdout)
            self.assertIn("INCOMPLETE", run.stdout)

    def test_another_block_is_one_cause(self):
        run, results = judge("partial_swapped_words", FILTER)
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertLessEqual(len(run.stdout.splitlines()), 50, run.stdout)
        causes = [cause["requirement"] for cause in results["causes"]]
        self.assertEqual(causes, ["GFPQ-PARAM-01"], run.stdout)
        self.assertIn("w2 and w3 are swapped", run.stdout)
        self.assertEqual(arithmetic(results), (KINDS, []), run.stdout)
        self.assertIn("arithmetic holds; parameter block (a layout of its own, with which all else was judged)", run.stdout)

    def assert_port(self, name, holding, lacking, causes, verdict):
        if not library(name).exists():
            self.skipTest("there are no ports in C here")
        run, results = judge(name, PORTS_FILTER)
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertEqual(arithmetic(results), (holding, lacking), run.stdout)
        self.assertEqual([cause["requirement"] for cause in results["causes"]], causes, run.stdout)
        self.assertIn(verdict, run.stdout)
        self.assertLessEqual(len(run.stdout.splitlines()), 50, run.stdout)
        return run.stdout

    def test_a_port_in_c_with_the_py_functions(self):
        self.assert_port("port_py_alone", KINDS[:2], KINDS[2:], ["GFPQ-INTERFACE-06"],
                         "arithmetic holds for 8 bit float, 16 bit float; messages differ; not offered: 8 bit double, "
                         "16 bit double, 5 functions")

    def test_a_port_in_c_with_float_alone(self):
        self.assert_port("port_float_alone", KINDS[:2], KINDS[2:], ["GFPQ-INTERFACE-06"],
                         "arithmetic holds for 8 bit float, 16 bit float; messages differ; not offered: 8 bit double, "
                         "16 bit double, 6 functions")

    def test_a_port_with_a_block_of_its_own(self):
        output = self.assert_port("port_own_block", KINDS[:2], KINDS[2:], ["GFPQ-PARAM-01", "GFPQ-INTERFACE-06"],
                                  "arithmetic holds for 8 bit float, 16 bit float; parameter block (a layout of its own, "
                                  "with which all else was judged), messages differ")
        self.assertIn("modes                     holds", output)

    def test_a_port_by_logarithms_in_double(self):
        """Floats hold; what the logarithm loses shows in doubles, beyond 2^32 and at the zero zone."""
        self.assert_port("port_double", KINDS[:2], [], ["GFPQ-ZERO-02", "GFPQ-DELTA-09", "GFPQ-INTERFACE-06"],
                         "arithmetic differs for 8 bit double, 16 bit double, holds for 8 bit float, 16 bit float; "
                         "messages differ")

    def test_traps_that_strike_are_not_told_as_a_crash(self):
        if not library("port_py_alone").exists():
            self.skipTest("there are no ports in C here")
        run, results = judge("port_py_alone", "--gtest_filter=Fpenv.Traps")
        self.assertEqual([cause["requirement"] for cause in results["causes"]], ["GFPQ-FPENV-03"], run.stdout)
        self.assertIn("SIGFPE", run.stdout)


if __name__ == "__main__":
    unittest.main()
