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
        vendor = fixtures.write(self.folder, "vendor.json", fixtures.conformance_run(
            "libgfpq.so.1.1.5", deviations, verdict="computes GFPQ but for 1 known deviation"))
        html = self.folder / "out" / "page.html"
        status, out, _ = self.run_script(ours, vendor, "--html", html)
        self.assertEqual(status, 0)
        self.assertIn("libgfpq.so.1.2.0, cpu: computes GFPQ\n", out)
        self.assertIn("libgfpq.so.1.1.5, cpu: computes GFPQ but for 1 known deviation\n", out)
        page = html.read_text()
        self.assertIn("computes GFPQ but for 1 known deviation", page)
        self.assertIn("0.3 %", page)  # 4 of 1153 checks
        for words in ("4 hold", "not offered", "1 of 1 fail"):
            self.assertIn(words, page)
        self.assertIn("expected 0x410b95c2, got 0x3d11eab7", page)
        self.assertIn("2026-11-23 10:00 UTC", page)
        for area in ("Ladder", "Special", "Block"):
            self.assertIn(f">{area}</th>", page)
        self.assertNotRegex(page, r"(src|href)=")  # self-contained

    def test_the_verdict_has_the_colour_of_the_worst_result(self):
        for result, css in (("expected pass", "pass"), ("expected failure", "known"), ("unexpected failure", "fail"),
                            ("unexpected pass", "surprise")):
            failed = 1 if result.endswith("failure") else 0
            self.assertEqual(self.load({"GFPQ-BLOCK-01": (result, failed, "")}).verdict, ("computes GFPQ", css))
        nothing = {r.id: ("not run", 0, "") for r in self.load().requirements}
        self.assertEqual(self.load(nothing).verdict[1], "skipped")

    def test_text_from_files_cannot_become_markup(self):
        attack = {"GFPQ-LADDER-01": ("unexpected failure", 1, "<script>alert(1)</script>")}
        run = fixtures.conformance_run("<img src=x onerror=alert(2)>|.so.1", attack)
        html = self.folder / "page.html"
        path = fixtures.write(self.folder, "run.json", run)
        self.assertEqual(self.run_script(path, "--html", html)[0], 0)
        self.assertNotIn("<script", html.read_text())
        self.assertNotIn("<img", html.read_text())
        self.assertIn("&lt;script&gt;", html.read_text())

    def test_a_library_that_does_not_tell_its_build_is_shown(self):
        run = fixtures.conformance_run()
        del run["library"]["revision"], run["library"]["build_time"]
        self.assertIn("not told", conformance.load(fixtures.write(self.folder, "run.json", run)).build)

    def test_a_kind_that_is_not_offered_does_not_fail(self):
        run = fixtures.conformance_run()
        run["profiles"][1]["failing"] = ["GFPQ-BLOCK-01"]
        double = conformance.load(fixtures.write(self.folder, "a.json", run)).profiles[1]
        self.assertEqual((double.words, double.outcome.css), ("not offered", "skipped"))

    def test_shares_of_numbers_stand_side_by_side(self):
        other, old = fixtures.conformance_run("port.so"), fixtures.conformance_run("old.so")
        other["shares"][0]["other_codes"] = 935000
        other["shares"][0]["data"] = other["shares"][1]["data"] = "data/mine.npy"
        del old["shares"]
        runs = [fixtures.conformance_run(), other, old]
        paths = [fixtures.write(self.folder, f"{i}.json", run) for i, run in enumerate(runs)]
        rows = conformance.share_rows(conformance.load_all(paths))
        self.assertEqual([(data, kind, [cell and cell.words for cell in cells]) for data, kind, cells in rows], [
            ("weights", "8 bit float", ["none", None, None]), ("weights", "8 bit double", ["not measured", None, None]),
            ("mine.npy", "8 bit float", [None, "93.5 %", None]), ("mine.npy", "8 bit double", [None, "not measured", None])])
        html = self.folder / "page.html"
        self.assertEqual(self.run_script(*paths, "--html", html)[0], 0)
        self.assertIn("935,000 of 1,000,000 numbers", html.read_text())
        self.assertEqual(self.run_script(paths[2], "--html", html)[0], 0)
        self.assertNotIn("How much it matters", html.read_text())

    def test_what_a_library_offers_in_part_and_in_its_own_way_is_told(self):
        run = fixtures.conformance_run()
        run["profiles"][0]["offered_whole"] = False
        run["library"]["own_blocks"] = True
        run["suite"]["left_out"] = {"State.ManyCalls": ["calls of each series: 2500 instead of 66000"]}
        path = fixtures.write(self.folder, "a.json", run)
        self.assertEqual(conformance.load(path).profiles[0].words, "4 hold, offered in part")
        html = self.folder / "page.html"
        self.assertEqual(self.run_script(path, "--html", html)[0], 0)
        self.assertIn("blocks of its own layout", html.read_text())
        self.assertIn("fewer calls in State.ManyCalls", html.read_text())

    def test_a_title_heads_the_column(self):
        run = fixtures.conformance_run()
        run["library"]["title"] = "this library, AVX2"
        self.assertEqual(conformance.load_all([fixtures.write(self.folder, "a.json", run)])[0].label, "this library, AVX2")

    def test_same_library_twice_gets_two_labels(self):
        paths = [fixtures.write(self.folder, name, fixtures.conformance_run()) for name in ("a.json", "b.json")]
        self.assertEqual(len({run.label for run in conformance.load_all(paths)}), 2)

    def test_a_requirement_that_one_file_lacks_is_shown_as_such(self):
        short = fixtures.conformance_run()
        del short["requirements"][0]
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
            (with_value([{"checks": True}], "findings"), "findings[0]"),
            (with_value([{"requirement": "GFPQ-NONE-01"}], "findings"), "findings[0].requirement"),
            (without("suite", "cases_run"), "suite.cases_run"),
            (without("profiles", 0, "offered"), "profiles[0].offered"),
            (with_value(-1, "shares", 0, "other_codes"), "shares[0].other_codes"),
            (with_value(1000001, "shares", 0, "other_codes"), "shares[0].other_codes"),
            (without("shares", 1, "double"), "shares[1].double"),
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
