"""The same figure in the summary, the page of all results, report.md and rows.csv: one definition, one rule."""

import csv
import html
import pathlib
import re
import tempfile
import unittest
import unittest.mock

import fixtures  # first: it makes scripts/ importable
from report import benchmark, document, machines, overviews, results_page, style

NARROW, WIDE = fixtures.quantize_name(), fixtures.quantize_name(bits=16)
VENDORS = {"file": "libgfpq.so.1.1.5", "version": "1.1.5", "revision": 139977, "build_time": "Oct 11 2019 10:58:56"}
SUMMARY = ("ms", "GB/s", "limit", "peak", "peer")  # each 16 bit, 8 bit
TEMPLATES = pathlib.Path(document.__file__).parent / "templates"


def failed(name):
    row = {"name": name, "run_name": name, "run_type": "iteration"}
    return [{**row, "error_occurred": True, "error_message": "wrong result"}]


def text_of(cell):
    return html.unescape(re.sub(r"<[^>]*>", "", cell)).strip()


class Summary(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, *rows, **context):
        run = {"context": fixtures.bench_context(title=name, **context), "benchmarks": [row for rs in rows for row in rs]}
        return fixtures.write(self.folder, f"{name}.json", run)

    def make(self, *files):
        """Writes all pages, without figures: self.page, .index, .tables, and .rows of the CSV by name."""
        self.everything = benchmark.load_all(files)
        with unittest.mock.patch.object(document, "draw", lambda everything: ([], [])):
            document.write(self.everything, self.folder / "out", "A title")
        results_page.write(files, self.folder / "index.html", [])
        self.page = (self.folder / "out" / "index.html").read_text(encoding="utf-8")
        self.tables = (self.folder / "out" / "report.md").read_text(encoding="utf-8")
        self.index = (self.folder / "index.html").read_text(encoding="utf-8")
        with open(self.folder / "out" / "rows.csv", encoding="utf-8") as stream:
            self.rows = {row["row"]: row for row in csv.DictReader(stream)}

    def cells(self, name, page=None):
        line = re.search(rf"<tr><th>{name}.*?</tr>", page or self.page, re.DOTALL).group()
        return [text_of(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", line, re.DOTALL)]

    def summary(self, name):
        """{(column, bits): text} and 'doubts'."""
        cells = self.cells(name)
        columns = [(column, bits) for column in SUMMARY for bits in ("16", "8")]
        return {**dict(zip(columns, cells)), "doubts": cells[len(columns)]}

    def test_both_limits_are_shown_where_they_differ_and_the_csv_names_each(self):
        narrow = fixtures.repetitions(NARROW, fixtures.spread_around(5e6), limit=4.9e6)
        self.make(self.write("CPU", narrow, fixtures.repetitions(WIDE, fixtures.spread_around(9.8e6), limit=9.8e6)))
        summary = self.summary("CPU")
        self.assertEqual((summary["limit", "16"], summary["limit", "8"]), ("? 50 to 100 %", "98 %"))
        self.assertEqual(self.cells("CPU", self.index)[7:9], ["? 50 to 100 %", "98 %"])
        self.assertIn("| ? 50 to 100 % |", self.tables)
        self.assertEqual([self.rows[WIDE][name] for name in ("limit_ratio", "best_limit_ratio")], ["1", "0.5"])
        self.assertEqual([self.rows[NARROW][name] for name in ("limit_ratio", "best_limit_ratio")], ["0.98", "0.98"])

    def test_doubtful_rows_are_counted_and_marked(self):
        good = fixtures.repetitions(NARROW, fixtures.spread_around(5e6), limit=4.9e6)
        bad = fixtures.repetitions(WIDE, fixtures.spread_around(9.8e6), limit=9.8e6)
        self.make(self.write("Doubtful", good, bad), self.write("Good", good), self.write("Few", good[:8]))
        summary = self.summary("Doubtful")
        self.assertEqual((summary["ms", "16"], summary["ms", "8"]), ("? 9.80", "5.00"))
        self.assertEqual(summary["doubts"], "1 of 2 rows")
        self.assertEqual(self.summary("Good")["doubts"], "none")
        self.assertEqual(self.summary("Few")["doubts"], "of the run")
        self.assertIn("| 1 of 2 rows |", self.tables)
        self.assertIn("2.00 times as long as the best", self.rows[WIDE]["doubt"])
        self.assertEqual(self.rows[NARROW]["doubt"], "")

    def test_a_factor_that_repetitions_do_not_tell_is_at_least_its_lower_end_everywhere(self):
        certain = fixtures.repetitions(NARROW, [5e6] * 9, peer=5e7)
        uncertain = fixtures.repetitions(WIDE, [5e6] * 5 + [9e6] * 4, peer=4.5e7)
        self.make(self.write("CPU", certain, uncertain))
        summary = self.summary("CPU")
        self.assertEqual((summary["peer", "16"], summary["peer", "8"]), ("at least 5.00", "10.0"))
        self.assertEqual(self.cells("CPU", self.index)[9:11], ["at least 5.00", "10.0"])
        self.assertEqual(self.page.count('<td class="number">at least 5.00</td>'), 3)
        self.assertEqual(self.tables.count("| at least 5.00 |"), 2)
        self.assertIn("| 10.0 (10.0–10.0) |", self.tables)
        columns = ("peer_ratio", "peer_ratio_at_least")
        self.assertEqual([self.rows[WIDE][name] for name in columns], ["", "5"])
        self.assertEqual([self.rows[NARROW][name] for name in columns], ["10", ""])
        texts = [text.get_text() for text in overviews.peers(self.everything)[0].value_axes[0][0].texts]
        self.assertTrue(any("(at least 5.00 × as fast)" in text for text in texts), texts)

    def test_a_peer_is_the_vendors_only_where_its_build_is_known(self):
        row = fixtures.repetitions(NARROW, [5e6] * 9, peer=5e7)
        for peer, name in (
            (VENDORS, "the vendor's 1.1.5"),
            ({**VENDORS, "build_time": "Jan  2 2026 10:00:00"}, "libgfpq.so.1.1.5 (version 1.1.5)"),
            ({"file": "libgfpq-ours.so", "version": "1.1.0"}, "libgfpq-ours.so (version 1.1.0)"),
        ):
            self.make(self.write("CPU", row, peer=peer))
            for page in (self.page, self.tables):
                self.assertIn(f"; peer: {name}", html.unescape(page))
            self.assertEqual(self.cells("CPU", self.index)[11], name)
            for page in (self.page, self.tables, self.index):
                self.assertEqual("the vendor's 1.1.5" in html.unescape(page), peer is VENDORS)
                self.assertNotIn("as the vendor's", html.unescape(page))

    def test_a_machine_with_a_wrong_result_is_not_ranked(self):
        def of_threads(threads, time):
            return fixtures.repetitions(fixtures.quantize_name(bits=16, threads=threads), [time] * 9)

        wrong = fixtures.quantize_name(bits=16, threads=4)
        narrow = fixtures.repetitions(NARROW, [1e6] * 9)
        fast = self.write("Fast", narrow, of_threads(1, 1e6), of_threads(4, 1e6), failed(wrong))
        self.make(fast, self.write("Slow", narrow, of_threads(1, 9e6)))
        self.assertEqual([machine.label for machine in machines.overview(self.everything)], ["Slow", "Fast"])
        summary = self.summary("Fast")
        for column in ("ms", "GB/s", "limit"):
            self.assertEqual(summary[column, "16"], "FAILED")
        self.assertEqual(summary["ms", "8"], "1.00")
        self.assertEqual(self.cells("Fast", self.index)[3:5], ["FAILED", "1.00"])
        self.assertIn("not ranked: 1 rows failed", self.page)
        self.assertRegex(self.tables, r"\| Fast, .*not ranked: 1 rows failed\*\* \| FAILED \| FAILED \| FAILED \|")
        self.assertNotIn(wrong, self.everything[0].rows)  # though other repetitions of it were right
        self.assertEqual(self.rows[wrong]["doubt"], "failed: wrong result")

    def test_an_instruction_set_that_fails_everywhere_is_not_replaced_by_another(self):
        slower = fixtures.repetitions(fixtures.quantize_name("avx2", bits=16), [1e6] * 9)
        self.make(self.write("CPU", slower, failed(WIDE)))
        self.assertEqual(self.summary("CPU")["ms", "16"], "FAILED")
        self.assertIn("avx512, no row is right", self.page)

    def test_a_width_has_one_colour_and_one_place(self):
        first, second = (style.COLOURS[overviews.BITS.index(bits)].lower() for bits in ("16", "8"))
        css = (TEMPLATES / "base.html.j2").read_text(encoding="utf-8")
        self.assertIn(f"--one: {first}; --two: {second};", css)
        self.assertIn(".bits16 { fill: var(--one); } .bits8 { fill: var(--two); }", css)
        self.assertEqual([f"{bits} bit" for bits in overviews.BITS], list(overviews.BIT_LABELS))
        self.make(self.write("CPU", *(fixtures.repetitions(name, [5e6] * 9) for name in (NARROW, WIDE))))
        self.assertEqual(re.findall(r"\| APPLY \| (\d+) bit", self.tables), ["16", "8"])

    def test_what_scrolls_sideways_can_be_reached_by_the_keyboard(self):
        for template in TEMPLATES.glob("*.html.j2"):
            for box in re.findall(r'<div class="scroll[^>]*>', template.read_text(encoding="utf-8")):
                self.assertIn('tabindex="0"', box, template.name)

    def test_each_machine_is_a_row_of_the_sources(self):
        row = fixtures.repetitions(NARROW, [5e6] * 9)
        files = [self.write(name, row, peer=peer) for name, peer in (("One", VENDORS), ("Two", None))]
        self.make(*files, fixtures.write(self.folder, "gpu.json", fixtures.gpu_run()))
        table = re.search(r'<table class="sources">.*?</table>', self.page, re.DOTALL).group()
        told = [dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", line)) for line in table.split("<tr>")[1:]]
        self.assertEqual([facts["Result file"] for facts in told], ["One.json", "Two.json", "gpu.json"])
        self.assertEqual([facts["GPU"] for facts in told[:2]], ["none", "none"])
        self.assertIn("Made-up GPU", told[2]["GPU"])
        self.assertEqual(told[1]["Compared with"], "nothing")

    def test_numbers_have_three_digits(self):
        for value, text in ((0.35, "0.350"), (1.4, "1.40"), (99.96, "100"), (0, "0"), (1234.5, "1,234"), (0.064, "0.0640")):
            self.assertEqual(document.units.plain_number(value), text)


if __name__ == "__main__":
    unittest.main()
