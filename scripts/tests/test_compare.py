import contextlib
import io
import pathlib
import random
import tempfile
import unittest

import fixtures  # first: it makes scripts/ importable
from report import benchmark, compare, significance
from report.fields import InputError


def noisy(median, seed, number=15, share=0.02):
    generator = random.Random(seed)
    return [median * (1 + share * generator.uniform(-1, 1)) for _ in range(number)]


class Significance(unittest.TestCase):
    def verdict(self, old, new):
        return significance.compare({"row": old}, {"row": new})[0].verdict

    def test_a_certain_and_large_difference_is_faster_or_slower(self):
        self.assertEqual(self.verdict(noisy(100, 1), noisy(80, 2)), "faster")
        self.assertEqual(self.verdict(noisy(100, 1), noisy(125, 2)), "slower")
        self.assertEqual(self.verdict(noisy(100, 1), noisy(100, 2)), "cannot tell")

    def test_a_certain_difference_too_small_to_matter_is_none(self):
        row = significance.compare({"row": noisy(100, 1, share=0.001)}, {"row": noisy(102, 2, share=0.001)})[0]
        self.assertEqual(row.verdict, "cannot tell")
        self.assertLess(row.p, 0.001)
        self.assertIn("below 3 % of the median", row.why)

    def test_a_large_but_uncertain_difference_is_none(self):
        old = [100, 101, 99, 100, 180, 190, 185, 170, 175]
        new = [175, 176, 174, 101, 102, 181, 191, 186, 171]
        row = significance.compare({"row": old}, {"row": new})[0]
        self.assertGreater(abs(row.ratio - 1), 0.0)
        self.assertEqual(row.verdict, "cannot tell")

    def test_both_units_have_to_be_certain(self):
        certain = noisy(100, 1), noisy(150, 2)
        uncertain = [1.0, 2.0, 3.0] * 5, [1.0, 2.2, 3.0] * 5
        for first, second in ((certain, uncertain), (uncertain, certain)):
            rows = ({"row": values} for values in (*first, *second))
            old, new, old_second, new_second = rows
            row = significance.compare(old, new, old_second=old_second, new_second=new_second)[0]
            self.assertTrue(all(ratio > 1.03 for ratio in row.ratios))
            self.assertEqual(row.verdict, "cannot tell")
            self.assertIn("chance", row.why)

    def test_too_few_repetitions_decide_nothing(self):
        row = significance.compare({"row": noisy(100, 1, 8)}, {"row": noisy(200, 2, 20)})[0]
        self.assertEqual(row.verdict, "cannot tell")
        self.assertIn("too few repetitions: 8 and 20, 9 needed", row.why)
        self.assertEqual(self.verdict(noisy(100, 1, 9), noisy(200, 2, 9)), "slower")

    def test_nine_repetitions_suffice_among_a_thousand_rows(self):
        old = {str(i): noisy(100, i, 9) for i in range(1000)}
        new = {str(i): noisy(200 if i == 7 else 100, 5000 + i, 9) for i in range(1000)}
        found = [row.name for row in significance.compare(old, new) if row.verdict == "slower"]
        self.assertEqual(found, ["7"])

    def test_without_differences_few_alarms(self):
        alarms = 0
        for trial in range(20):
            old = {str(i): noisy(100, (trial, i, "old").__repr__(), 9, 0.3) for i in range(40)}
            new = {str(i): noisy(100, (trial, i, "new").__repr__(), 9, 0.3) for i in range(40)}
            alarms += any(row.verdict != "cannot tell" for row in significance.compare(old, new))
        self.assertLessEqual(alarms, 4)

    def test_holms_correction_is_right(self):
        for value, expected in zip(significance.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]):
            self.assertAlmostEqual(value, expected)
        self.assertEqual(significance.holm([0.9, 0.8]), [1.0, 1.0])

    def test_p_is_exact(self):
        """Nine against nine, completely apart: two of the C(18, 9) orders."""
        self.assertAlmostEqual(significance.rank_test(list(range(9)), list(range(9, 18))), 2 / 48620)


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def results(self, name, times, limit=4.0e6, **context):
        rows = []
        for row, values in times.items():
            rows += fixtures.repetitions(row, values, limit if row.startswith("quantize") else None)
        return benchmark.load(
            fixtures.write(self.folder, name, {"context": fixtures.bench_context(**context), "benchmarks": rows})
        )

    def outcome(self, old, new, **arguments):
        stream = io.StringIO()
        return compare.run(old, new, stream=stream, **arguments), stream.getvalue()

    def test_exit_status_and_table(self):
        row = fixtures.quantize_name()
        old = self.results("old.json", {row: noisy(5e6, 1)})
        for factor, status, verdict in ((0.8, 0, "faster"), (1.25, 1, "slower"), (1.0, 0, "cannot tell")):
            got, table = self.outcome(old, self.results("new.json", {row: noisy(5e6 * factor, 2)}))
            self.assertEqual(got, status)
            line = next(line for line in table.splitlines() if row in line)
            self.assertTrue(line.strip().startswith(verdict), line)
            self.assertIn(f"1 {verdict}", table)
            self.assertIn("alpha 0.05", table)
            self.assertIn(f"medians do not overlap in {int(factor != 1)} of 1 rows", table)

    def test_medians_and_ratio_are_printed(self):
        row = fixtures.quantize_name()
        old = self.results("old.json", {row: noisy(5e6, 1, share=0)})
        _, table = self.outcome(old, self.results("new.json", {row: noisy(7e6, 2, share=0)}))
        self.assertRegex(table, r"slower +5000 +7000 +1\.400 +1\.400")

    def test_a_machine_in_another_mood_is_no_regression(self):
        """Twice the time, while the limit beside it takes twice the time too."""
        row = fixtures.quantize_name()
        old = self.results("old.json", {row: noisy(5e6, 1)}, limit=4e6)
        status, table = self.outcome(old, self.results("new.json", {row: noisy(10e6, 2)}, limit=8e6))
        self.assertEqual(status, 0)
        self.assertIn("1 cannot tell", table)
        opposite = self.results("opposite.json", {row: noisy(4e6, 2)}, limit=2e6)  # faster, but less than the machine
        self.assertIn("machine's own speed changed", self.outcome(old, opposite)[1])

    def test_slower_limits_and_peers_are_no_regression(self):
        ours, peer = fixtures.quantize_name(), fixtures.quantize_name(lib="peer")
        limit = "limit/op:scale/type:f32/count:13107200/threads:1/cache:cold"
        old = self.results("old.json", {ours: noisy(5e6, 1), peer: noisy(9e8, 2), limit: noisy(4e6, 3)})
        new = self.results("new.json", {ours: noisy(5e6, 4), peer: noisy(18e8, 5), limit: noisy(8e6, 6)})
        status, table = self.outcome(old, new)
        self.assertEqual(status, 0)
        self.assertEqual(table.count("  slower "), 2)

    def test_rows_that_vanished_or_failed_are_named(self):
        first, second = fixtures.quantize_name(), fixtures.quantize_name(bits=16)
        old = self.results("old.json", {first: noisy(5e6, 1), second: noisy(5e6, 2)})
        new = self.results("new.json", {first: noisy(5e6, 3)})
        status, table = self.outcome(old, new)
        self.assertEqual(status, 0)
        self.assertIn("1 rows of the old file are missing", table)
        new.failed[second] = benchmark.Row(second, "quantize", {}, new, label="wrong result")
        status, table = self.outcome(old, new)
        self.assertEqual(status, 1)
        self.assertIn("wrong result", table)

    def test_other_machine_is_refused_unless_forced(self):
        row = fixtures.quantize_name()
        old = self.results("old.json", {row: noisy(5e6, 1)}, limit=4e6)
        new = self.results("new.json", {row: noisy(10e6, 2)}, limit=8e6, cpu_model="Slow CPU")
        with self.assertRaisesRegex(InputError, r"new\.json.*context\.cpu_model.*Slow CPU.*--force"):
            compare.run(old, new)
        status, table = self.outcome(old, new, force=True)  # half as fast, but so is the machine
        self.assertEqual(status, 0)
        self.assertIn("DIFFERENT machines", table)
        worse = self.results("worse.json", {row: noisy(15e6, 2)}, limit=8e6, cpu_model="Slow CPU")
        self.assertEqual(self.outcome(old, worse, force=True)[0], 1)

    def test_unknown_machines_are_not_the_same_machine(self):
        row = fixtures.quantize_name()
        old, new = (self.results(f"{seed}.json", {row: noisy(5e6, seed)}, cpu_model="unknown") for seed in (1, 2))
        with self.assertRaisesRegex(InputError, "not known to be the machine"):
            compare.run(old, new)

    def test_a_machine_is_more_than_the_name_of_its_model(self):
        row = fixtures.quantize_name()
        old = self.results("old.json", {row: noisy(5e6, 1)})
        for key, value in (("threads_all", 128), ("logical_cpus", 2), ("physical_cores", 64), ("architecture", "i686"),
                           ("cache_l3_bytes", 1 << 20), ("numa_nodes", 2)):  # fmt: skip
            with self.assertRaisesRegex(InputError, rf"new\.json.*context\.{key}'.*{value}.*--force"):
                compare.run(old, self.results("new.json", {row: noisy(5e6, 2)}, **{key: value}))

    def test_a_gpu_is_more_than_its_name(self):
        def run(name, **changes):
            content = fixtures.gpu_run()
            content["context"]["gpu"].update(changes)
            return benchmark.load(fixtures.write(self.folder, name, content))

        self.assertEqual(self.outcome(run("old.json"), run("new.json"))[0], 0)
        for key, value in (("multiprocessors", 14), ("memory_bytes", 10 << 30), ("power_limit_watts", 250)):
            with self.assertRaisesRegex(InputError, rf"context\.gpu\.{key}'.*{value}"):
                compare.run(run("old.json"), run("new.json", **{key: value}))

    def test_a_run_is_on_the_machine_of_itself(self):
        run = self.results("run.json", {fixtures.quantize_name(): noisy(5e6, 1)}, cpu_model="unknown")
        status, table = self.outcome(run, run)
        self.assertEqual(status, 0)
        self.assertIn("Same machine", table)

    def test_files_with_nothing_in_common_are_refused(self):
        old = self.results("old.json", {fixtures.quantize_name(): noisy(5e6, 1)})
        new = self.results("new.json", {fixtures.quantize_name(bits=16): noisy(5e6, 1)})
        with self.assertRaisesRegex(InputError, "no row of the library under test is in both"):
            compare.run(old, new)


class CommandLine(unittest.TestCase):
    def test_exit_statuses_tell_the_kinds_of_end(self):
        with tempfile.TemporaryDirectory() as folder:

            def file(name, seed, factor):
                rows = fixtures.repetitions(fixtures.quantize_name(), noisy(5e6 * factor, seed))
                return fixtures.write(folder, name, {"context": fixtures.bench_context(), "benchmarks": rows})

            old, same, slow = file("old.json", 1, 1), file("same.json", 2, 1), file("slow.json", 3, 2)
            broken = fixtures.write(folder, "broken.json", {"context": {"schema": "other"}})
            script = fixtures.script("report.py")
            for arguments, status in (((old, same), 0), ((old, slow), 1), ((slow, old), 0), ((old, broken), 2)):
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
                    self.assertEqual(script.main(["--compare", *arguments]), status)
            self.assertIn("broken.json: field 'context.schema'", err.getvalue())


if __name__ == "__main__":
    unittest.main()
