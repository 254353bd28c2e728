"""python -m gfpq doctor: what it says, and that its self-test can fail."""

import csv
import json
import unittest
from unittest import mock

from support import FOLDER, run_python

from gfpq import doctor


class DoctorTest(unittest.TestCase):
    def test_digests_are_those_of_the_golden_data(self):
        with open(FOLDER.parents[1] / "golden/generated/digest.csv", newline="", encoding="utf-8") as file:
            golden = {(int(row["bits"]), {"f32": "float32", "f64": "float64"}[row["dtype"]]): row["sha256"]
                      for row in csv.DictReader(file)}  # fmt: skip
        self.assertEqual(doctor.DIGESTS, golden)

    def test_one_screen_and_the_same_as_json(self):
        text = run_python("-m", "gfpq", "doctor")
        self.assertEqual(text.returncode, 0, text.stdout + text.stderr)
        self.assertLess(text.stdout.count("\n"), 30)
        report = json.loads(run_python("-m", "gfpq", "doctor", "--json").stdout)
        self.assertIn(report["target"], report["targets"])
        self.assertEqual(set(report["self-test"].values()), {"passed"})
        labels = ("library", "why", "version", "targets", "threads", "glibc", "messages", "gpu library", "gpu driver")
        for label in labels:
            self.assertIn(f"{label}:", text.stdout)

    def test_what_the_environment_chooses(self):
        result = run_python("-m", "gfpq", "doctor", "--json", GFPQ_TARGET="scalar", OMP_NUM_THREADS="3")
        report = json.loads(result.stdout)
        self.assertEqual((report["target"], report["threads"]), ("scalar", 3))
        self.assertEqual(report["why"], "the environment's GFPQ_LIBRARY")

    def test_a_wrong_number_fails_the_self_test(self):
        def faulty(data, *arguments, **options):
            quantize_(data, *arguments, **options)
            if data.size > 300:
                data[-1] = 1.5
            return data

        quantize_ = doctor.quantize_
        with mock.patch.object(doctor, "quantize_", faulty):
            report = doctor.examine()
        self.assertFalse(doctor.passed(report))
        self.assertEqual(set(report["self-test"].values()), {"FAILED"})

    def test_no_library(self):
        result = run_python("-m", "gfpq", "doctor", GFPQ_LIBRARY="/nonexistent/libgfpq.so")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr.count("Traceback"), 0)


if __name__ == "__main__":
    unittest.main()
