"""What the page begins with: all machines in one table and on one scale, and their speed from cache to memory."""

import pathlib
import re
import tempfile
import unittest

import fixtures  # first: it makes scripts/ importable
from report import benchmark, document, machines


class Machines(unittest.TestCase):
    """Invented: four CPUs, the third the fastest, and two GPUs of different speed."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        runs = [fixtures.bench_run(speed, title=f"CPU {speed}") for speed in (2.0, 3.0, 1.0, 4.0)]
        runs += [fixtures.gpu_run(1.0, "GPU"), fixtures.gpu_run(2.0, "Other GPU")]
        files = [fixtures.write(cls.folder, f"{index}.json", run) for index, run in enumerate(runs)]
        cls.everything = benchmark.load_all(files)
        cls.overview = machines.overview(cls.everything)

    def test_the_fastest_at_16_bit_comes_first(self):
        order = ["Other GPU", "GPU", "CPU 1.0", "CPU 2.0", "CPU 3.0", "CPU 4.0"]
        self.assertEqual([machine.label for machine in self.overview], order)
        for machine in self.overview:
            rows = [r for r in machine.results.select(kind="quantize", lib="ours", bits="16", mode="apply", cache="cold")
                    if r.count == 13107200 and r.target == machine.target]  # fmt: skip
            self.assertEqual(machine.rows["16"].time.median, min(row.time.median for row in rows))

    def test_only_gpus_have_a_rated_peak(self):
        gpu, cpu = self.overview[1], self.overview[2]
        rate = gpu.rows["8"].spread("gbytes_per_second").median
        self.assertAlmostEqual(gpu.peak_share(gpu.rows["8"]), rate / 2000)
        self.assertIsNone(cpu.peak_share(cpu.rows["8"]))

    def test_on_the_scale_equal_factors_are_equal_distances(self):
        scale = machines.Scale(1, 1000)
        self.assertEqual([scale.at(value) for value in (1, 10, 100, 1000)], [0, 33.33, 66.67, 100])
        self.assertEqual(scale.ticks, [1, 10, 100, 1000])
        self.assertEqual(machines.Scale(8, 120).ticks, [10, 20, 50, 100])
        for machine in self.overview:
            for row in machine.rows.values():
                self.assertTrue(0 < machines.scale_of(self.overview).at(row.spread("gbytes_per_second").median) < 100)

    def test_a_line_of_the_plot_is_told(self):
        rate = self.overview[2].rows["16"].spread("gbytes_per_second").median
        self.assertRegex(machines.seen(self.overview[2]), rf"^CPU 1.0: 16 bit at {rate:#.3g} of [\d.]+ GB/s, 8 bit at .* GB/s$")

    def test_sizes_are_shown_with_the_cache_that_holds_them(self):
        table = machines.from_cache_to_memory(self.overview)
        self.assertEqual(len(table), 12)
        cells = next(cells for machine, bits, cells in table if machine.label == "CPU 1.0" and bits == "8")
        levels = [cell.level if cell else None for cell in cells]
        # 4 KiB in L1 (48 KiB), 4 MiB in L3 (32 MiB); sizes that no row has are empty; the last column is from memory
        self.assertEqual(levels, ["L1", None, None, None, None, "L3", None, None, "memory"])
        row = self.everything[2].rows[fixtures.quantize_name(count=1024, cache="warm")]
        self.assertEqual(cells[0].rate.median, row.spread("gbytes_per_second").median)

    def test_sixty_machines_fit_into_a_page_of_two_megabytes(self):
        files = []
        for index in range(60):
            run = fixtures.bench_run(1 + index / 20, title=f"Invented CPU {index}, with a name as long as they are")
            files.append(fixtures.write(self.folder, f"many-{index}.json", run))
        everything = benchmark.load_all(files)
        _, missing = document.write(everything, self.folder / "out", "Sixty")
        page = (self.folder / "out" / "index.html").read_text(encoding="utf-8")
        self.assertLess(len(page.encode()), 2e6)
        self.assertEqual(len(re.findall('role="listitem"', page)), 60)
        self.assertIn("up to 8 machines", missing[0].reason)

    def test_same_names_of_files_stay_apart_beside_the_page(self):
        other = self.folder / "other"
        other.mkdir()
        files = [fixtures.write(folder, "run.json", fixtures.bench_run()) for folder in (self.folder, other)]
        self.assertEqual(list(machines.data_names(benchmark.load_all(files)).values()), ["run.json", "run-2.json"])


if __name__ == "__main__":
    unittest.main()
