"""One machine over revisions, and the page of all results."""

import contextlib
import io
import json
import pathlib
import random
import tempfile
import unittest

import fixtures  # first: it makes scripts/ importable
from report import benchmark, history, picture, units

PROJECT = pathlib.Path(__file__).resolve().parents[2]
NAME = fixtures.quantize_name(bits=16)


def run(time, date, **context):
    generator = random.Random(date)
    times = [time * (1 + generator.uniform(-0.01, 0.01)) for _ in range(9)]
    rows = fixtures.repetitions(NAME, times, 4e6)
    return {"context": fixtures.bench_context(date=date, project_revision=f"of {date}", **context), "benchmarks": rows}


class History(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.script = fixtures.script("report.py")
        runs = (("c", 8e6, "2026-11-03"), ("a", 5e6, "2026-11-01"), ("b", 5e6, "2026-11-02"))
        self.files = [fixtures.write(self.folder, f"{name}.json", run(time, date)) for name, time, date in runs]

    def run_script(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = self.script.main([str(argument) for argument in arguments])
        return status, out.getvalue(), err.getvalue()

    def test_runs_are_compared_with_the_one_before_oldest_first(self):
        status, out, _ = self.run_script("--history", *self.files)
        self.assertEqual(status, 0)
        lines = [line for line in out.splitlines() if "16 bit" in line]
        self.assertEqual([line.rpartition("  ")[2] for line in lines[1:]], ["cannot tell", "slower"])
        places = [out.index(f"of 2026-11-0{day}") for day in (1, 2, 3)]
        self.assertEqual(places, sorted(places))
        self.assertIn("0 faster, 1 slower, 0 cannot tell", out)

    def test_another_machine_has_another_history(self):
        other = fixtures.write(self.folder, "d.json", run(5e6, "2026-11-04", logical_cpus=64))
        status, _, err = self.run_script("--history", *self.files, other)
        self.assertEqual(status, 2)
        self.assertIn("logical_cpus", err)
        forced = run(5e6, "2026-11-05")
        for row in forced["benchmarks"]:
            row["name"] = row["run_name"] = row["run_name"].replace("avx512", "avx2")
        everything = benchmark.load_all([*self.files, other, fixtures.write(self.folder, "e.json", forced)])
        self.assertEqual([len(group) for group in history.groups(everything)], [3, 1, 1])

    def test_the_page_of_results_has_all_runs_and_the_history(self):
        hostile = fixtures.write(self.folder, "d.json", run(5e6, "2026-11-04", title="<script>alert(1)</script>"))
        quoted = fixtures.write(self.folder, "q.json", fixtures.quoted_run())
        status, out, _ = self.run_script("--index", *self.files, hostile, quoted)
        self.assertEqual((status, out), (0, f"{self.folder}/index.html: 4 runs\n"))
        page = (self.folder / "index.html").read_text(encoding="utf-8")
        self.assertNotIn("<script>alert", page)
        for name in "abcdq":
            self.assertIn(f'href="{name}.json"', page)
        self.assertIn("0 faster, 1 slower, 0 cannot tell", page)
        self.assertIn("<td>fit</td>", page)

    def test_a_bad_file_is_named_and_left_out_of_the_page(self):
        status, out, err = self.run_script("--index", *self.files, fixtures.write(self.folder, "bad.json", "[1, 2"))
        self.assertEqual(status, 2)
        self.assertIn("3 runs", out)
        self.assertIn("bad.json: not JSON", err)

    def test_committed_conformance_results_are_of_the_builds_that_were_measured(self):
        committed = PROJECT / "bench" / "results"
        for file in (committed / "conformance").glob("*.json"):
            with self.subTest(file.name):
                measured = benchmark.load(committed / file.name).fact("library")
                checked = json.loads(file.read_text(encoding="utf-8"))["library"]
                for key in ("revision", "build_time"):
                    self.assertEqual(checked[key], measured[key])

    def test_the_committed_tables_are_made_of_the_committed_results(self):
        committed = PROJECT / "bench" / "results"
        tables = (committed / "report.md").read_text(encoding="utf-8")
        for results in benchmark.load_all(sorted(committed.glob("*.json"))):
            self.assertIn(f" {results.short_file}", tables)
            for row in picture.main_rows(results):
                threads = "GPU" if results.is_gpu else row.threads
                cells = f"| {units.mode_text(row.mode)} | {row.bits} bit | {threads} | {row.time.median / 1e6:#.3g} ("
                self.assertIn(cells, tables)

    def test_the_committed_page_is_made_of_the_committed_results(self):
        committed = PROJECT / "bench" / "results"
        for file in committed.glob("*.json"):
            (self.folder / "results").mkdir(exist_ok=True)
            (self.folder / "results" / file.name).write_bytes(file.read_bytes())
        files = sorted((self.folder / "results").glob("*.json"))
        self.assertEqual(self.run_script("--index", *files)[0], 0)
        made = (self.folder / "results" / "index.html").read_text(encoding="utf-8")
        self.assertEqual((committed / "index.html").read_text(encoding="utf-8"), made)


if __name__ == "__main__":
    unittest.main()
