"""The committed results of the conformance runner, and the page that compares them."""

import pathlib
import re
import tempfile
import unittest

import fixtures  # noqa: F401  first: it makes scripts/ importable
import conformance_report
from report import conformance

PROJECT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "conformance" / "results"


class ConformanceResults(unittest.TestCase):
    files = sorted(FOLDER.glob("*.json"))

    def test_each_is_read_and_has_a_title(self):
        self.assertTrue(self.files)
        for file in self.files:
            with self.subTest(file.name):
                run = conformance.load(file)
                self.assertTrue(run.title)
                self.assertEqual("INCOMPLETE" in run.stated, "--gtest_filter" in run.suite)
                self.assertEqual([r.id for r in run.with_result("unexpected pass")], [])

    def test_none_tells_of_the_machines_folders(self):
        for file in self.files:
            self.assertNotRegex(file.read_text(encoding="utf-8"), r'[" (](/|Z:|C:)[\w\\]')

    def test_this_library_computes_gfpq_everywhere(self):
        ours = [conformance.load(file) for file in self.files if file.name.startswith("gfpq-")]
        self.assertGreaterEqual(len(ours), 4)
        for run in ours:
            self.assertEqual(run.verdict[1], "pass", run.title)
            self.assertNotIn("INCOMPLETE", run.stated)

    def test_the_page_for_readers_names_each(self):
        named = set(re.findall(r"`([\w.-]+\.json)`", (FOLDER / "README.md").read_text(encoding="utf-8")))
        self.assertEqual(named, {file.name for file in self.files})

    def test_the_matrix_is_made_of_them(self):
        self.assertEqual(len({run.label for run in conformance.load_all(self.files)}), len(self.files))
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "matrix.html"
            self.assertEqual(conformance_report.main([*map(str, self.files), "--html", str(page)]), 0)
            self.assertEqual((FOLDER / "matrix.html").read_text(encoding="utf-8"), page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
