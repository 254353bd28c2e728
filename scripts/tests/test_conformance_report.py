import contextlib
import io
import pathlib
import tempfile
import unittest

import fixtures  # first: it makes scripts/ importable
import conformance_report
from report import conformance
from report.fields import InputError


class ConformanceReport(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_script(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = conformance_report.main([str(a) for a in arguments])
        return status, out.getvalue(), err.getvalue()

    def load(self, results=None):
        return conformance.load(fixtures.write(self.folder, "run.json", fixtures.conformance_run(results=results)))

    def test_two_libraries_make_one_matrix(self):
        ours = fixtures.write(self.folder, "ours.json", fixtures.conformance_run())
        deviations = {
            "GFPQ-SPECIAL-02": ("expected failure", 4, "expected 0x410b95c2, got 0x3d11eab7"),
            "GFPQ-BLOCK-01": ("not run", 0, ""),
        }
        vendor = fixtures.write(self.folder, "vendor.json", fixtures.conformance_run("libgfpq.so.1.1.5", deviations))
        html, markdown = self.folder / "out" / "page.html", self.folder / "out" / "table.md"
        status, out, _ = self.run_script(ours, vendor, "--html", html, "--markdown", markdown)
        self.assertEqual(status, 0)
        self.assertIn("libgfpq.so.1.2.0, cpu computes GFPQ: 5 of 5 requirements hold\n", out)
        self.assertIn("libgfpq.so.1.1.5, cpu deviates in 1 of 5 requirements, all known; 1 not run\n", out)
        table = markdown.read_text()
        self.assertIn("| Infinity becomes the largest value of its sign | 1,153 ✓ | 1,149 of 1,153 ≠ |", table)
        self.assertIn("| A block whose words disagree is refused | 1,154 ✓ | – |", table)
        self.assertIn("\n    expected 0x410b95c2, got 0x3d11eab7\n", table)
        page = html.read_text()
        self.assertIn("computes GFPQ: 5 of 5 requirements hold", page)
        self.assertIn("expected 0x410b95c2, got 0x3d11eab7", page)
        self.assertIn("2026-11-23 10:00 UTC", page)
        for area in ("Ladder", "Special", "Block"):
            self.assertIn(f">{area}</th>", page)
        self.assertNotRegex(page, r"(src|href)=")  # self-contained

    def test_each_kind_of_verdict_is_shown(self):
        for results, verdict in (
            ({}, "computes GFPQ: 5 of 5 requirements hold"),
            (
                {"GFPQ-BLOCK-01": ("not run", 0, "")},
                "computes GFPQ as far as tested: 4 of 5 requirements hold; 1 not run",
            ),
            ({"GFPQ-BLOCK-01": ("expected failure", 1, "")}, "deviates in 1 of 5 requirements, all known"),
            ({"GFPQ-BLOCK-01": ("unexpected failure", 1, "")}, "does NOT conform: it fails 1 of 5 requirements"),
            (
                {"GFPQ-BLOCK-01": ("unexpected failure", 1, ""), "GFPQ-SPECIAL-01": ("expected failure", 1, "")},
                "does NOT conform: it fails 1 of 5 requirements, and in 1 more as known",
            ),
        ):
            self.assertEqual(self.load(results).verdict[0], verdict)
        self.assertIn("correct the list", self.load({"GFPQ-BLOCK-01": ("unexpected pass", 0, "")}).verdict[0])
        nothing = {r.id: ("not run", 0, "") for r in self.load().requirements}
        self.assertIn("was not tested", self.load(nothing).verdict[0])

    def test_text_from_files_cannot_become_markup(self):
        attack = {"GFPQ-LADDER-01": ("unexpected failure", 1, "<script>alert(1)</script>")}
        run = fixtures.conformance_run("<img src=x onerror=alert(2)>|.so.1", attack)
        html, markdown = self.folder / "page.html", self.folder / "table.md"
        path = fixtures.write(self.folder, "run.json", run)
        self.assertEqual(self.run_script(path, "--html", html, "--markdown", markdown)[0], 0)
        self.assertNotIn("<script", html.read_text())
        self.assertNotIn("<img", html.read_text())
        self.assertIn("&lt;script&gt;", html.read_text())
        self.assertNotIn("<img", markdown.read_text())
        self.assertIn(r"\|.so.1", markdown.read_text())

    def test_a_library_that_does_not_tell_its_build_is_shown(self):
        run = fixtures.conformance_run()
        del run["library"]["revision"], run["library"]["build_time"]
        self.assertIn("not told", conformance.load(fixtures.write(self.folder, "run.json", run)).build)

    def test_same_library_twice_gets_two_labels(self):
        paths = [fixtures.write(self.folder, name, fixtures.conformance_run()) for name in ("a.json", "b.json")]
        self.assertEqual(len({run.label for run in conformance.load_all(paths)}), 2)

    def test_a_requirement_that_one_file_lacks_is_shown_as_such(self):
        short = fixtures.conformance_run()
        del short["requirements"][0], short["tests"][0]
        short["summary"]["expected pass"] = 4
        paths = [
            fixtures.write(self.folder, "a.json", short),
            fixtures.write(self.folder, "b.json", fixtures.conformance_run()),
        ]
        rows = {row.id: row for _, rows in conformance.matrix(conformance.load_all(paths)) for row in rows}
        self.assertIsNone(rows["GFPQ-LADDER-01"].cells[0])
        self.assertEqual(rows["GFPQ-LADDER-01"].cells[1].result, "expected pass")

    def test_bad_files_are_refused_with_file_and_field(self):
        def without(*path):
            run = fixtures.conformance_run()
            place = run
            for key in path[:-1]:
                place = place[key]
            del place[path[-1]]
            return run

        def with_value(value, *path):
            run = fixtures.conformance_run()
            place = run
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            return run

        for content, field in (
            ("{ not json", "not JSON"),
            ("", "is empty"),
            ([], "(top level)"),
            ({"benchmarks": []}, "schema"),
            (with_value("other/1", "schema"), "schema"),
            (without("library", "version"), "library.version"),
            (without("requirements", 2, "checks"), "requirements[2].checks"),
            (with_value("fine", "requirements", 1, "result"), "requirements[1].result"),
            (with_value(-1, "requirements", 1, "failed"), "requirements[1].failed"),
            (with_value(3, "requirements", 1, "failed"), "requirements[1].result"),
            (with_value(True, "tests", 0, "checks"), "tests[0].checks"),
            (with_value("GFPQ-NONE-01", "tests", 0, "requirement"), "tests[0].requirement"),
            (with_value(4, "summary", "expected pass"), "summary.expected pass"),
            (with_value(float("nan"), "seconds"), "seconds"),
        ):
            with self.subTest(field=field):
                path = fixtures.write(self.folder, "bad.json", content)
                status, _, err = self.run_script(path, "--html", self.folder / "never.html")
                self.assertEqual(status, 2)
                self.assertIn("bad.json", err)
                self.assertIn(field, err)
                self.assertFalse((self.folder / "never.html").exists())
        status, _, err = self.run_script(self.folder / "absent.json")
        self.assertEqual(status, 2)
        self.assertIn("absent.json", err)

    def test_a_binary_file_is_refused(self):
        path = self.folder / "picture.json"
        path.write_bytes(b"\x89PNG\xff\xfe")
        with self.assertRaisesRegex(InputError, "picture.json"):
            conformance.load(path)


if __name__ == "__main__":
    unittest.main()
