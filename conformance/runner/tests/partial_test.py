#!/usr/bin/python3
"""A right library with a part of the interface is judged by what it has; what it lacks is told once, and arithmetic that
holds is said to hold."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

RUNNER, FOLDER = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))
FILTER = ("--gtest_filter=Interface.*:Ladder.*:Round.NumbersFromAllOver:Special.*:"
          "Zero.ZeroStaysZero:Sample.*:Param.Blocks*:Mode.Without*")
KINDS = ["8 bit float", "16 bit float", "8 bit double", "16 bit double"]


def judge(name, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder) / "results.json"
        run = subprocess.run([RUNNER, f"--library={FOLDER / f'libgfpq_partial_{name}.so'}", f"--json={results}", *arguments],
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
        self.assertLess(len(run.stdout.splitlines()), 50)
        return run.stdout

    def test_the_py_function_alone(self):
        output = self.assert_fair("py_alone", KINDS[:2], KINDS[2:], "GFPQ-INTERFACE-01")
        self.assertIn("interface differs; not offered: 8 bit double, 16 bit double, 6 functions", output)

    def test_float_alone(self):
        self.assert_fair("float_alone", KINDS[:2], KINDS[2:], "GFPQ-INTERFACE-01")

    def test_8_bit_alone(self):
        self.assert_fair("8_bit_alone", KINDS[0::2], KINDS[1::2], "GFPQ-INTERFACE-01", "GFPQ-INTERFACE-08")

    def test_other_words(self):
        output = self.assert_fair("other_words", KINDS, [], "GFPQ-INTERFACE-01", "GFPQ-INTERFACE-06", "GFPQ-INTERFACE-09")
        self.assertIn("arithmetic holds; interface, messages differ", output)

    def test_what_it_has_passes_by_profile(self):
        for name, profile in (("py_alone", "arithmetic-8f,arithmetic-16f"), ("8_bit_alone", "arithmetic-8f,arithmetic-8d"),
                              ("other_words", "arithmetic,modes")):
            run, _ = judge(name, FILTER, f"--profile={profile}")
            self.assertEqual(run.returncode, 0, run.stdout)
            self.assertIn("INCOMPLETE", run.stdout)

    def test_another_block_is_one_cause(self):
        run, results = judge("swapped_words", FILTER)
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertLessEqual(len(run.stdout.splitlines()), 50, run.stdout)
        causes = [cause["requirement"] for cause in results["causes"]]
        self.assertEqual(causes, ["GFPQ-INTERFACE-01", "GFPQ-PARAM-01"], run.stdout)
        self.assertIn("w2 and w3 are swapped", run.stdout)


if __name__ == "__main__":
    unittest.main()
