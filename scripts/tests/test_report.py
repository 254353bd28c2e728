import contextlib
import copy
import html
import io
import math
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import warnings
import xml.etree.ElementTree

import fixtures  # first: it makes scripts/ importable
from report import benchmark, document, doubts, overviews, picture, style, units
from report.fields import InputError
from report.spread import Spread, order_statistics

NAME = fixtures.quantize_name()


class Report(unittest.TestCase):
    """One whole report, made once: drawing takes seconds."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        folder = pathlib.Path(cls.temporary.name)
        one = fixtures.write(folder, "one.json", fixtures.bench_run())
        two = fixtures.write(
            folder, "two.json", fixtures.bench_run(2.0, title="<script>alert(1)</script> | CPU", cpu_model="Other")
        )
        quoted = fixtures.write(folder, "guide.json", fixtures.quoted_run())
        conformance = fixtures.write(folder, "conformance.json", fixtures.conformance_run())
        cls.folder = folder / "out"
        cls.script = fixtures.script("report.py")
        cls.seen = []
        draw = document.draw

        def draw_and_keep(everything):
            pictures, missing = draw(everything)
            cls.seen.extend(pictures)
            return pictures, missing

        document.draw = draw_and_keep
        try:
            with contextlib.redirect_stdout(io.StringIO()) as cls.printed:
                arguments = [one, two, quoted, "--output", str(cls.folder), "--conformance", conformance]
                cls.status = cls.script.main(arguments)
        finally:
            document.draw = draw
        cls.page = (cls.folder / "index.html").read_text(encoding="utf-8")
        cls.markdown = (cls.folder / "report.md").read_text(encoding="utf-8")

    def test_all_figures_are_made(self):
        self.assertEqual(self.status, 0)
        expected = {
            "throughput_by_machine", "limit_share_by_machine", "throughput_by_size_1", "throughput_by_size_2",
            "call_time", "thread_scaling", "instruction_sets", "peer_1", "peer_2", "guide_rate",
        }  # fmt: skip
        self.assertEqual({item.name for item in self.seen}, expected)
        self.assertEqual({path.stem for path in self.folder.glob("*.svg")}, expected)
        for path in self.folder.glob("*.svg"):
            self.assertEqual(xml.etree.ElementTree.parse(path).getroot().tag, "{http://www.w3.org/2000/svg}svg")
            self.assertIn(f"]({path.name})", self.markdown)
        self.assertEqual(self.page.count("data:image/svg+xml;base64,"), len(expected))
        self.assertNotIn("left out", self.printed.getvalue())

    def test_every_value_axis_starts_at_zero(self):
        for item in self.seen:
            self.assertEqual(
                bool(item.value_axes), item.name != "call_time", item.name
            )  # that one is logarithmic, and says so
            for axes, direction in item.value_axes:
                low, high = axes.get_xlim() if direction == "x" else axes.get_ylim()
                self.assertEqual(low, 0, item.name)
                self.assertGreater(high, 0, item.name)
                scale = axes.get_xscale() if direction == "x" else axes.get_yscale()
                self.assertEqual(scale, "linear", item.name)

    def test_nothing_is_drawn_beyond_the_axes(self):
        for item in self.seen:
            for axes, direction in item.value_axes:
                end = (axes.get_xlim() if direction == "x" else axes.get_ylim())[1]
                for patch in axes.patches:
                    self.assertLessEqual(patch.get_width() if direction == "x" else patch.get_height(), end)
                for line in axes.lines if direction == "y" else ():
                    if line.get_linestyle() != ":":  # the caches' verticals are in parts of the axis
                        self.assertLessEqual(max(line.get_ydata(), default=0), end)

    def test_axes_are_labelled_with_units(self):
        for item in self.seen:
            for axes, direction in item.value_axes:
                label = axes.get_xlabel() if direction == "x" else axes.get_ylabel()
                self.assertRegex(label, r"GB/s|GiB/s|%|ms", item.name)

    def test_every_caption_names_its_sources(self):
        for item in self.seen:
            self.assertRegex(item.caption, r"Sources?: ")
            for source in item.sources:
                self.assertIn(source.short_file, item.caption)
            self.assertIn("whiskers the interval that holds the true median with at least 95 %", item.caption)

    def test_medians_are_right(self):
        everything = benchmark.load(pathlib.Path(self.temporary.name) / "one.json")
        row = everything.rows[NAME]
        self.assertAlmostEqual(row.spread("gbytes_per_second").median, 8 * 13107200 / row.time.median, places=6)
        shown = picture.main_rows(everything, mode="apply", bits="8", threads="1")
        self.assertEqual([r.name for r in shown], [NAME])
        self.assertIn(f"| APPLY | 8 bit | 1 | {row.time.median / 1e6:#.3g} (", self.markdown)

    def test_median_and_spread(self):
        spread = Spread.of([5, 1, 2, 100])
        self.assertEqual((spread.median, spread.low, spread.high, spread.repetitions), (3.5, 1, 100, 4))
        spread = Spread.of([9, 8, 7, 6, 5, 4, 3, 2, 1])
        self.assertEqual((spread.median, spread.low, spread.high, spread.smallest, spread.largest), (5, 2, 8, 1, 9))

    def test_the_interval_of_the_median_covers_what_it_says(self):
        for number, left_out, coverage in ((1, 0, 0), (2, 0, 0.5), (5, 0, 0.9375), (6, 0, 0.96875), (9, 1, 0.9609375)):
            self.assertEqual(order_statistics(number), (left_out, coverage))
        generator = random.Random(1)
        for number in (9, 20):
            left_out, coverage = order_statistics(number)
            held = 0
            for _ in range(4000):  # of a skewed distribution with the median ln 2
                spread = Spread.of([generator.expovariate(1) for _ in range(number)])
                held += spread.low <= math.log(2) <= spread.high
            self.assertAlmostEqual(held / 4000, coverage, delta=0.01)
            self.assertGreaterEqual(coverage, 0.95)

    def test_limit_is_the_same_bytes_in_the_limits_time(self):
        everything = benchmark.load(pathlib.Path(self.temporary.name) / "one.json")
        row = everything.rows[NAME]
        expected = 8 * 13107200 / min(row.limit, row.best_limit)
        self.assertAlmostEqual(overviews.limit_rate(row) / expected, 1, places=6)

    def test_bars_show_the_medians(self):
        item = next(item for item in self.seen if item.name == "limit_share_by_machine")
        everything = benchmark.load_all(pathlib.Path(self.temporary.name) / name for name in ("one.json", "two.json"))
        for axes, _ in item.value_axes:
            mode, threads = axes.get_title(loc="left").split(", ")
            rows = [
                row
                for file in everything
                for bits in ("16", "8")
                for row in picture.main_rows(
                    file, mode=mode.lower(), bits=bits, threads="1" if threads == "1 thread" else "4"
                )
            ]
            expected = [100 * row.spread("best_limit_ratio").median for row in rows]
            self.assertEqual([patch.get_width() for patch in axes.patches], expected)

    def test_only_quoted_bars_look_quoted(self):
        item = next(item for item in self.seen if item.name == "guide_rate")
        hollow = [patch.get_hatch() == "////" for patch in item.value_axes[0][0].patches]
        self.assertEqual(hollow, [True] * 2 + [False] * 6)

    def test_text_from_files_cannot_become_markup(self):
        self.assertNotIn("<script", self.page)
        self.assertNotIn("<script", self.markdown)
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;", self.page)
        self.assertIn(r"\| CPU", self.markdown)

    def test_page_is_self_contained(self):
        ids = re.findall(r'id="([^"]*)"', self.page)
        self.assertEqual(len(ids), len(set(ids)))
        for _, target in re.findall(r'(src|href)="([^"]*)"', self.page):
            if target.startswith("#"):
                self.assertIn(target[1:], ids)
            elif not target.startswith("data:image/svg+xml;base64,"):
                self.assertTrue((self.folder / target).is_file(), target[:60])

    def test_the_contents_name_every_section(self):
        sections = re.findall(r'<h2 id="([^"]*)"', self.page)
        self.assertEqual(re.findall(r'<li><a href="#([^"]*)"', self.page), sections)
        self.assertEqual(self.page.count("<h2"), len(sections))
        self.assertEqual(sections[0], "machines")

    def test_alternative_texts_say_what_is_seen(self):
        for item in self.seen:
            self.assertRegex(item.alt, r"\d", item.name)
            self.assertIn(f'alt="{item.title}', html.unescape(self.page))
        row = benchmark.load(pathlib.Path(self.temporary.name) / "one.json").rows[NAME]
        shown = next(item for item in self.seen if item.name == "throughput_by_machine")
        self.assertIn(f"{row.spread('gbytes_per_second').median:#.3g} of ", shown.alt)

    def test_all_rows_are_in_the_table_and_the_files_beside_the_page(self):
        lines = (self.folder / "rows.csv").read_text(encoding="utf-8").splitlines()
        everything = [benchmark.load(pathlib.Path(self.temporary.name) / name) for name in ("one.json", "guide.json")]
        self.assertEqual(sum(line.startswith("one.json,") for line in lines), len(everything[0].rows))
        self.assertEqual(len(lines), 1 + 2 * len(everything[0].rows) + len(everything[1].rows))
        self.assertEqual({path.name for path in (self.folder / "data").iterdir()}, {"one.json", "two.json", "guide.json"})

    def test_quoted_figures_are_marked(self):
        self.assertIn("Quoted: Vendor&#39;s guide", self.page)
        self.assertIn("Not measured here. Source: the vendor&#39;s user guide of 2019", self.page)

    def test_conformance_verdict_is_on_the_page(self):
        self.assertIn("computes GFPQ</summary>", self.page)
        self.assertIn(": computes GFPQ (", self.markdown)


class Gpus(unittest.TestCase):
    """Two GPUs and a CPU, all made up."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        folder = pathlib.Path(cls.temporary.name)
        files = [
            fixtures.write(folder, "cpu.json", fixtures.bench_run()),
            fixtures.write(folder, "one.json", fixtures.gpu_run(1.0, "Made-up GPU")),
            fixtures.write(folder, "two.json", fixtures.gpu_run(2.0, "Other made-up GPU")),
        ]
        cls.everything = benchmark.load_all(files)
        cls.pictures, cls.missing = document.write(cls.everything, folder / "out", "GPUs")
        cls.page = (folder / "out" / "index.html").read_text(encoding="utf-8")
        cls.markdown = (folder / "out" / "report.md").read_text(encoding="utf-8")

    def picture(self, name):
        return next(item for item in self.pictures if item.name == name)

    def test_gpus_stand_beside_each_other_and_beside_the_cpu(self):
        item = self.picture("gpu_throughput_by_machine")
        self.assertEqual({r.title for r in item.sources}, {"Made-up CPU", "Made-up GPU", "Other made-up GPU"})
        for axes, _ in item.value_axes:
            labels = [tick.get_text().replace("\n", " ") for tick in axes.get_yticklabels()]
            self.assertIn(labels, (["Made-up CPU", "Made-up GPU", "Other made-up GPU"], [""] * 3))
            cpu, gpu, other = ([patch.get_width() for patch in axes.patches[i : i + 2]] for i in (0, 2, 4))
            self.assertTrue(max(cpu) < min(gpu) and max(gpu) < min(other))

    def test_the_cpus_own_figure_is_on_their_own_scale(self):
        item = self.picture("throughput_by_machine")
        self.assertEqual({r.title for r in item.sources}, {"Made-up CPU"})
        self.assertLess(item.value_axes[0][0].get_xlim()[1], 100)

    def test_curves_of_a_gpu_show_its_own_cache(self):
        marked = {}
        for item in self.pictures:
            if item.name.startswith("throughput_by_size"):
                marked[item.sources[0].title] = {text.get_text() for text in item.value_axes[0][0].texts}
        self.assertEqual(marked["Made-up GPU"], {"L2\n50 MiB"})
        self.assertIn("L3\n32 MiB", marked["Made-up CPU"])

    def test_what_the_caller_waits_is_told(self):
        row = self.everything[1].rows[fixtures.gpu_name()]
        end = row.spread("end_to_end_time").median * 1e-3
        self.assertRegex(self.markdown, rf"\| APPLY \| 8 bit \| GPU \| .* 4.00 \(4.00–4.00\) \| {end:#.3g} \(")
        self.assertIn("µs until the<br>GPU is done", self.page)

    def test_the_facts_about_the_gpus(self):
        facts = dict(document.provenance(self.everything))
        for fact, cell in (
            ("GPU", "Made-up GPU, compute capability 9.0"),
            ("Code that the GPU runs", "machine code sm_90"),
            ("Driver and toolkit", "driver 1.2.3, for CUDA 13.0, built with CUDA 13.0"),
            ("GPU's memory", "80 GiB, 4096 bits wide, peak 2,000 GB/s, ECC on"),
            ("GPU's L2 cache", "50 MiB"),
            ("Compared with", "cub::DeviceTransform (version 3.0.1), targets sm_90"),
        ):
            self.assertEqual(facts[fact][1], cell)
            self.assertIn(facts[fact][0], ("none", "libgfpq.so.1.1.5 (version 1.1.5), targets own"))
        self.assertRegex(facts["GPU's clocks at the start"][1], "multiprocessors 1000 MHz, at most 2000 MHz, memory")

    def test_a_gpu_file_without_its_cache_is_refused(self):
        run = fixtures.gpu_run()
        del run["context"]["gpu"]["l2_bytes"]
        path = fixtures.write(self.temporary.name, "bad.json", run)
        with self.assertRaisesRegex(InputError, "context.gpu.l2_bytes"):
            benchmark.load(path)


class Few(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.script = fixtures.script("report.py")

    def run_script(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = self.script.main([str(argument) for argument in arguments])
        return status, out.getvalue(), err.getvalue()

    def test_figures_without_data_are_left_out_with_a_reason(self):
        run = {"context": fixtures.bench_context(peer=None), "benchmarks": fixtures.repetitions(NAME, [5e6])}
        status, out, _ = self.run_script(fixtures.write(self.folder, "one.json", run), "--output", self.folder / "out")
        self.assertEqual(status, 0)
        self.assertEqual([path.name for path in (self.folder / "out").glob("*.svg")], ["throughput_by_machine.svg"])
        page = (self.folder / "out" / "index.html").read_text(encoding="utf-8")
        self.assertEqual(page.count("Left out: "), 7)
        self.assertEqual(out.count("left out: "), 7)

    def test_doubtful_numbers_are_named(self):
        def doubts_of(rows, **context):
            run = {"context": fixtures.bench_context(**context), "benchmarks": rows}
            return " ".join(doubts.doubts(benchmark.load(fixtures.write(self.folder, "one.json", run))))

        good = fixtures.repetitions(NAME, fixtures.spread_around(5e6), limit=4.9e6)
        self.assertEqual(doubts_of(good, load_avg=[0.3, 0.2, 0.1], num_cpus=2), "")
        self.assertIn("load was 3.4 on 2 CPUs", doubts_of(good, load_avg=[3.4, 2.0, 1.0], num_cpus=2))
        self.assertIn("revision", doubts_of(good, project_revision="unknown"))
        quiet = dict(seconds=60.0, steal_share=0.0, others_share=0.01, calibration_start_ns=2e7, calibration_end_ns=2e7)
        for changes, sentence in (
            ({}, ""),
            ({"steal_share": None, "others_share": None}, ""),
            ({"steal_share": 0.04}, "The hypervisor gave 4 % of the CPU time to other machines."),
            ({"others_share": 0.2}, "Other programs used 20 % of the CPU time during the run."),
            ({"calibration_end_ns": 2.4e7}, "fixed loop took 1.20 times as long at the end of the run as at its start"),
        ):
            run = {"context": fixtures.bench_context(), "benchmarks": good, "run": {**quiet, **changes}}
            told = " ".join(doubts.doubts(benchmark.load(fixtures.write(self.folder, "one.json", run))))
            self.assertIn(sentence, told)
            self.assertEqual(not sentence, not told)
        self.assertIn(
            "faster than their own limit", doubts_of(fixtures.repetitions(NAME, fixtures.spread_around(5e6), limit=6e6))
        )
        self.assertIn("fewer than 9", doubts_of(fixtures.repetitions(NAME, [5e6] * 8)))
        self.assertIn("1.5 times as long", doubts_of(fixtures.repetitions(NAME, [5e6] * 8 + [9e6])))

    def test_the_clock_of_a_gpu_is_judged_by_its_own_loops(self):
        def told(slower, cpu, cache=""):
            run = fixtures.gpu_run()
            for op, passes in (("scale", 2), ("max", 1)):
                name = f"limit/device:gpu/op:{op}/type:f32/count:13107200/threads:own/cache:warm"
                run["benchmarks"] += fixtures.repetitions(name, fixtures.spread_around(3e4 * passes), passes=passes)
            run["run"] = dict(seconds=60.0, steal_share=0.0, others_share=0.01, calibration_start_ns=2e7,
                              calibration_end_ns=2e7 * cpu)  # fmt: skip
            for row in run["benchmarks"]:
                is_slower = row["name"].startswith("limit/") and row["name"].endswith(cache)
                if is_slower and row.get("repetition_index", 0) >= 6:
                    row["real_time"] *= slower
                    row["gbytes_per_second"] /= slower
            return " ".join(doubts.doubts(benchmark.load(fixtures.write(self.folder, "gpu.json", run))))

        self.assertEqual(told(1, 1), "")
        self.assertIn("on the CPU took 1.20 times as long", told(1, 1.2))
        self.assertIn("times until a call returns are doubtful", told(1, 1.2))
        self.assertEqual(doubts.unfit(benchmark.load(self.folder / "gpu.json")), [])
        self.assertRegex(told(1.1, 1), "The limits took 1.1. times as long in the last rounds as in the first")
        self.assertIn("speed of the GPU changed", told(0.9, 1))
        self.assertIn("speed of the GPU changed", told(1.1, 1, "warm"))

    def test_the_limit_is_the_best_of_the_run_for_the_same_bytes(self):
        """A row whose own limit was slow at the time is not at its limit; and the row says so."""
        slow = fixtures.quantize_name(mode="apply", bits=16)
        rows = fixtures.repetitions(NAME, fixtures.spread_around(5e6), limit=4.9e6)
        rows += fixtures.repetitions(slow, fixtures.spread_around(9.8e6), limit=9.8e6)
        run = {"context": fixtures.bench_context(), "benchmarks": rows}
        results = benchmark.load(fixtures.write(self.folder, "one.json", run))
        self.assertAlmostEqual(results.rows[slow].spread("best_limit_ratio").median, 0.5)
        self.assertAlmostEqual(results.rows[NAME].spread("best_limit_ratio").median, 0.98)
        peer = fixtures.quantize_name(lib="peer", target="own", mode="apply", bits=8, threads="own")
        rows += fixtures.repetitions(peer, fixtures.spread_around(5e8), limit=9.8e6)  # a slow call before it
        results = benchmark.load(fixtures.write(self.folder, "one.json", run))
        self.assertEqual(list(doubts.contradictions(results)), [slow])
        self.assertIn("2.00 times as long as the best", doubts.contradictions(results)[slow][0])
        with contextlib.redirect_stdout(io.StringIO()):
            document.write([results], self.folder / "out", "A title")
        for page in ("index.html", "report.md"):
            text = (self.folder / "out" / page).read_text(encoding="utf-8")
            self.assertRegex(text, "(?i)doubtful.*2.00 times as long as the best")

    def test_rows_that_contradict_each_other_are_found(self):
        def found(*rows):
            run = {"context": fixtures.bench_context(), "benchmarks": [row for group in rows for row in group]}
            results = benchmark.load(fixtures.write(self.folder, "one.json", run))
            return [text for sentences in doubts.contradictions(results).values() for text in sentences]

        def row(time, limit=None, **name):
            return fixtures.repetitions(
                fixtures.quantize_name(**name), fixtures.spread_around(time), limit,
                passes=2 if name.get("mode", "apply") == "apply" else 3,
            )  # fmt: skip

        def limit(time, kind, size):
            rows = fixtures.repetitions(
                f"limit/op:scale/type:{kind}/count:13107200/threads:1/cache:cold", fixtures.spread_around(time)
            )
            for entry in rows[:-1]:
                entry["gbytes_per_second"] *= size / 4
            return rows

        self.assertEqual(found(row(5e6), row(6e6, bits=16), row(7e6, mode="init"), row(7e6, mode="update")), [])
        self.assertRegex(found(row(6e6), row(5e6, bits=16))[0], "16 bit took 1.20 times less time")
        self.assertRegex(found(row(7e6, mode="init"), row(9e6, mode="update"))[0], "UPDATE took 1.29 times as long")
        self.assertEqual(found(limit(4e6, "f32", 4), limit(8e6, "f64", 8)), [])
        self.assertRegex(found(limit(4e6, "f32", 4), limit(4e6, "f64", 8))[0], "0.50 times as long a byte as for floats")

    def test_a_peers_factor_needs_more_than_one_sample_and_a_small_spread(self):
        for times, told in (([5e6], "–"), ([5e6] * 9, "10.0"), ([5e6, 10e6] * 5, "at least 5.00")):
            run = {"context": fixtures.bench_context(), "benchmarks": fixtures.repetitions(NAME, times, peer=5e7)}
            results = benchmark.load(fixtures.write(self.folder, "one.json", run))
            self.assertEqual(units.factor(results.rows[NAME].peer_factor), told)

    def test_a_file_that_contradicts_itself_is_not_fit_to_be_published(self):
        good = fixtures.repetitions(NAME, fixtures.spread_around(5e6), limit=4.9e6)
        wide = fixtures.quantize_name(bits=16)
        bad = good + fixtures.repetitions(wide, fixtures.spread_around(9.8e6), limit=9.8e6)
        for rows, status, wanted in ((good, 0, "fit to be published"), (bad, 1, f"not fit.*{wide}")):
            path = fixtures.write(self.folder, "one.json", {"context": fixtures.bench_context(), "benchmarks": rows})
            got, out, _ = self.run_script("--check", path)
            self.assertEqual(got, status)
            self.assertRegex(out.replace("\n", " "), wanted)

    def test_what_disturbed_a_run_makes_it_unfit_and_the_load_before_it_does_not(self):
        rows = fixtures.repetitions(NAME, fixtures.spread_around(5e6), limit=4.9e6)
        context = fixtures.bench_context(load_avg=[2.0, 2.0, 2.0], num_cpus=2)
        for others, status, wanted in ((0.01, 0, "fit to be"), (0.3, 1, "not fit.*Other programs used 30 %")):
            run = {"context": context, "benchmarks": rows, "run": {"others_share": others}}
            got, out, _ = self.run_script("--check", fixtures.write(self.folder, "one.json", run))
            self.assertEqual(got, status)
            self.assertRegex(out.replace("\n", " "), wanted)
            self.assertNotIn("When the run began", out)

    def test_quoted_figures_alone(self):
        path = fixtures.write(self.folder, "guide.json", fixtures.quoted_run())
        self.assertEqual(self.run_script(path, "--output", self.folder / "out")[0], 0)

    def test_quoted_figures_are_not_judged(self):
        status, out, _ = self.run_script("--check", fixtures.write(self.folder, "guide.json", fixtures.quoted_run()))
        self.assertEqual(status, 0)
        self.assertEqual(out, f"{self.folder}/guide.json: quoted, not measured: not judged\n")

    def test_a_python_that_lacks_a_library_is_told_in_one_line(self):
        path = fixtures.write(self.folder, "run.json", {"context": fixtures.bench_context(), "benchmarks": []})
        for module in ("jinja2", "matplotlib", "numpy"):
            fake = self.folder / module
            fake.mkdir()
            (fake / f"{module}.py").write_text(f"raise ImportError('No module named {module}')", encoding="utf-8")
            program = [sys.executable, fixtures.SCRIPTS / "report.py", path, "--output", self.folder / "out"]
            environment = {**os.environ, "PYTHONPATH": str(fake)}
            done = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr, rf"^error: .*{module}.*/usr/bin/python3.*scripts/setup.sh run.*\n$")

    def test_failed_rows_are_shown(self):
        run = fixtures.bench_run()
        failed = fixtures.quantize_name(mode="update")
        run["benchmarks"] = fixtures.repetitions(NAME, [5e6, 6e6]) + [
            {
                "name": failed,
                "run_name": failed,
                "run_type": "iteration",
                "error_occurred": True,
                "error_message": "wrong <b>result</b>",
            }
        ]
        path = fixtures.write(self.folder, "one.json", run)
        self.assertEqual(self.run_script(path, "--output", self.folder / "out")[0], 0)
        page = (self.folder / "out" / "index.html").read_text(encoding="utf-8")
        self.assertIn("wrong &lt;b&gt;result&lt;/b&gt;", page)

    def test_bad_files_are_refused_with_file_and_field(self):
        good = {"context": fixtures.bench_context(), "benchmarks": fixtures.repetitions(NAME, [5e6, 6e6])}

        def changed(*path, value):
            run = copy.deepcopy(good)
            place = run
            for key in path[:-1]:
                place = place[key]
            if value is ...:
                del place[path[-1]]
            else:
                place[path[-1]] = value
            return run

        for content, field in (
            ("[1, 2", "not JSON"),
            ({"a": 1}, "context"),
            (fixtures.conformance_run(), "context"),
            (changed("context", "schema", value="gfpq-bench/2"), "context.schema"),
            (changed("context", "quoted", value="no"), "context.quoted"),
            (changed("context", "title", value=...), "context.title"),
            (changed("context", "library", value={"file": 3}), "context.library.file"),
            (changed("context", "environment", value=["OMP_X=1"]), "context.environment"),
            (changed("run", value={"seconds": "long"}), "run.seconds"),
            (changed("benchmarks", value={}), "benchmarks"),
            (changed("benchmarks", value=[]), "benchmarks"),
            (changed("benchmarks", 1, "real_time", value="fast"), "benchmarks[1].real_time"),
            (changed("benchmarks", 1, "real_time", value=-1), "benchmarks[1].real_time"),
            (changed("benchmarks", 1, "real_time", value=float("nan")), "benchmarks[1].real_time"),
            (changed("benchmarks", 0, "time_unit", value="us"), "benchmarks[0].time_unit"),
            (changed("benchmarks", 0, "run_name", value="BM_copy/8"), "benchmarks[0].run_name"),
            (changed("benchmarks", 0, "run_name", value=NAME.replace("bits:8", "bits:4")), "benchmarks[0].run_name"),
            (changed("benchmarks", 0, "run_name", value=NAME.replace("/cache:cold", "")), "benchmarks[0].run_name"),
            (changed("benchmarks", 1, "gbytes_per_second", value=1.0), "benchmarks[1].gbytes_per_second"),
            (changed("benchmarks", 1, "guide_gib_per_second", value=...), "guide_gib_per_second"),
        ):
            with self.subTest(field=field):
                path = fixtures.write(self.folder, "bad.json", content)
                status, _, err = self.run_script(path, "--output", self.folder / "never")
                self.assertEqual(status, 2)
                self.assertIn("bad.json", err)
                self.assertIn(field, err)
                self.assertFalse((self.folder / "never").exists())

    def test_one_bad_file_does_not_stop_the_report_of_the_others(self):
        good = fixtures.write(self.folder, "good.json", fixtures.bench_run(title="The good one"))
        bad = [fixtures.write(self.folder, name, text) for name, text in (("bad.json", "[1, 2"), ("none.json", ""))]
        bad.append(str(self.folder / "missing.json"))
        conformance = fixtures.write(self.folder, "tests.json", "{}")
        status, _, err = self.run_script(
            bad[0], good, *bad[1:], "--conformance", conformance, "--output", self.folder / "out"
        )
        self.assertEqual(status, 2)
        for file in (*bad, conformance):
            self.assertIn(file, err)
        page = (self.folder / "out" / "index.html").read_text(encoding="utf-8")
        self.assertIn("The good one", page)
        self.assertNotIn(str(self.folder), page)

    def test_titles_are_not_read_as_mathematics(self):
        path = fixtures.write(self.folder, "run.json", fixtures.bench_run(title="$\\frac{x$ costs $1$"))
        status, _, err = self.run_script(path, "--output", self.folder / "out")
        self.assertEqual((status, err), (0, ""))

    def test_letters_that_no_font_has_are_told(self):
        path = fixtures.write(self.folder, "run.json", fixtures.bench_run(title="\U0010fffd"))
        status, _, err = self.run_script(path, "--output", self.folder / "out")
        self.assertEqual(status, 0)
        self.assertRegex(err, "^no font .* has .*: they are boxes in the figures; .* fonts-noto-cjk\n$")

    def test_a_font_for_chinese_is_used_where_there_is_one(self):
        self.assertEqual(style.families({"DejaVu Sans", "Noto Sans CJK JP"}), ["DejaVu Sans", "Noto Sans CJK JP"])
        self.assertEqual(style.families({"DejaVu Sans"}), ["DejaVu Sans"])

    def test_same_names_in_two_folders_are_told_apart_without_absolute_paths(self):
        paths = []
        for name in ("a", "b"):
            (self.folder / name).mkdir()
            paths.append(fixtures.write(self.folder / name, "run.json", fixtures.bench_run()))
        everything = benchmark.load_all(paths)
        self.assertEqual([results.label[-12:] for results in everything], ["(a/run.json)", "(b/run.json)"])

    def test_many_machines_leave_no_figures_open(self):
        paths = []
        for index in range(22):
            rows = [
                row for count in (1024, 13107200)
                for row in fixtures.repetitions(fixtures.quantize_name(count=count), [4e-1 * count], count=count)
            ]  # fmt: skip
            run = {"context": fixtures.bench_context(title=f"Machine {index}"), "benchmarks": rows}
            paths.append(fixtures.write(self.folder, f"{index}.json", run))
        with warnings.catch_warnings(), unittest.mock.patch.object(document, "MOST_MACHINES", 22):
            warnings.simplefilter("error")
            status, _, err = self.run_script(*paths, "--output", self.folder / "out")
        self.assertEqual((status, err), (0, ""))
        self.assertGreater(len(list((self.folder / "out").glob("*.svg"))), 20)

    def test_files_or_a_comparison_but_not_both_and_not_nothing(self):
        for arguments in ((), ("a.json", "--compare", "b.json", "c.json")):
            with self.assertRaises(SystemExit) as stop, contextlib.redirect_stderr(io.StringIO()):
                self.script.main(list(arguments))
            self.assertEqual(stop.exception.code, 2)


if __name__ == "__main__":
    unittest.main()
