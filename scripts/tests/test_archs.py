import contextlib
import io
import pathlib
import re
import tempfile
import unittest

import fixtures  # first: it makes scripts/ importable
from gpu_code import readers
from report import archs

PTXAS = """ptxas info    : 0 bytes gmem, 64 bytes cmem[4]
ptxas info    : Compiling entry function '_ZN4gfpq4cuda3fitIfNS_8BitWidthILi8ELi16EEEEvPTyi' for 'sm_75'
ptxas info    : Function properties for _ZN4gfpq4cuda3fitIfNS_8BitWidthILi8ELi16EEEEvPTyi
    0 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 26 registers, used 1 barriers, 1024 bytes smem, 384 bytes cmem[0], 16 bytes cmem[2]
ptxas info    : Compiling entry function '_ZN4gfpq4cuda13fake_quantizeIdNS_8BitWidthILi16ELi128EEEEvPTyS4_' for 'sm_75'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 64 registers
"""
PTX = """.visible .entry _ZN4gfpq4cuda3fitIdNS_8BitWidthILi8ELi16EEEEvPTyi(
  ld.global.v2.u64 {%rd1, %rd2}, [%rd3];
  ld.volatile.global.u32 %r1, [%rd3];
  st.global.u32 [%rd4], %r1;
.visible .entry _ZN4gfpq4cuda13fake_quantizeIfNS_8BitWidthILi8ELi16ELi127ELi511EEEEEvPTyS4_(
  ld.global.u32 %r1, [%rd3];
  st.global.v4.u32 [%rd4], {%r1, %r2, %r3, %r4};
"""


class Compilers(unittest.TestCase):
    """What is read from the compilers' output."""

    def setUp(self):
        self.script = fixtures.script("check_archs.py")

    def test_registers_and_spilled_bytes_are_read_from_ptxas(self):
        facts = readers.read_ptxas(PTXAS)
        self.assertEqual(
            facts["fit<float, 8 bit>"], dict(registers=26, spill_bytes=12, shared_bytes=1024, constant_bytes=400)
        )
        self.assertEqual(
            facts["fake_quantize<double, 16 bit>"],
            dict(registers=64, spill_bytes=0, shared_bytes=None, constant_bytes=None),
        )

    def test_widths_are_read_from_ptx_and_local_memory_is_refused(self):
        widths = readers.read_ptx(PTX)
        self.assertEqual(widths["fit<double, 8 bit>"], dict(load_bits=128, store_bits=32))
        self.assertEqual(widths["fake_quantize<float, 8 bit>"], dict(load_bits=32, store_bits=128))
        with self.assertRaises(readers.CompileError):
            readers.read_ptx(PTX + "  st.local.u32 [%rd4], %r1;")

    def test_a_table_is_outdated_where_it_names_the_same_compiler(self):
        now = [["sm_75", "machine code", "nvcc 13.0.88", "26"], ["sm_90", "machine code", "nvcc 13.0.88", "40"]]
        table = self.script.MARKDOWN_HEAD + self.script.as_markdown(now)
        self.assertEqual(self.script.outdated(now, table), [])
        self.assertEqual(self.script.outdated([[*now[0][:2], "nvcc 13.1.1", "99"]], table), [])
        found = self.script.outdated([[*now[0][:3], "27"]], table)
        self.assertEqual(
            found, ["now sm_75 | machine code | nvcc 13.0.88 | 27, not sm_75 | machine code | nvcc 13.0.88 | 26"]
        )


    def test_a_table_that_another_program_has_reformatted_is_told(self):
        now = [["sm_75", "machine code", "nvcc 13.0.88", "26"]]
        table = self.script.MARKDOWN_HEAD + self.script.as_markdown(now)
        self.assertEqual(self.script.outdated(now, table), [])
        for broken in (table.replace("# The", "#The"), table.replace("|\n|", "| |"), ""):
            self.assertTrue(self.script.outdated(now, broken))


class Page(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def report(self, table):
        """(exit status, standard error, index.html, archs.html)"""
        benchmark = fixtures.write(self.folder, "guide.json", fixtures.quoted_run())
        arguments = [benchmark, "--archs", fixtures.write(self.folder, "archs.json", table)]
        errors = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            status = fixtures.script("report.py").main([*arguments, "--output", str(self.folder / "out")])
        pages = [self.folder / "out" / name for name in ("index.html", "archs.html")]
        return status, errors.getvalue(), *(page.read_text(encoding="utf-8") if page.exists() else "" for page in pages)

    def test_the_report_links_it(self):
        status, _, index, page = self.report(fixtures.archs_table())
        self.assertEqual(status, 0)
        self.assertIn('<a href="archs.html">', index)
        self.assertIn('<a href="index.html">', page)
        headline = "machine code for 1 architectures, and spill no register; to PTX alone for sm_30"
        self.assertIn(headline, index)
        self.assertIn(headline, page)

    def test_the_best_build_comes_first_and_the_others_are_kept(self):
        page = self.report(fixtures.archs_table())[3]
        summary = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL).group(1)
        lines = [" ".join(re.sub(r"<[^>]+>", " ", line).split()) for line in summary.split("</tr>")][:-1]
        self.assertEqual(
            lines,
            [
                "sm_30 Kepler PTX – – – 128, 128 clang 14.0.6",
                "sm_90 Hopper machine code 40 40 0 128, 128 nvcc 13.0.88 and 1 more",
                "compute_121 Blackwell PTX – – – 128, 128 nvcc 13.0.88",
            ],
        )
        self.assertEqual(page.count("<details>"), 3)
        self.assertIn("<td class=\"number\">41</td>", page)

    def test_problems_are_shown(self):
        table = fixtures.archs_table(["fit<double> spills 8 bytes on sm_90"], spill_bytes=8)
        _, _, index, page = self.report(table)
        self.assertIn("1 problems", index)
        self.assertIn("fit&lt;double&gt; spills 8 bytes on sm_90", page)
        self.assertIn('<td class="number fail">0 to 8</td>', page)
        self.assertNotIn("spill no register", page)

    def test_nothing_from_the_file_becomes_markup(self):
        page = self.report(fixtures.archs_table(["<script>"], compiler="<script>"))[3]
        self.assertNotIn("<script", page)

    def test_bad_files_are_refused(self):
        for table, field in (
            ({"schema": "gfpq-archs/2"}, "schema"),
            ({**fixtures.archs_table(), "kernels": []}, "kernels"),
            (fixtures.archs_table(code="soup"), ".code"),
            (fixtures.archs_table(registers="many"), ".registers"),
            (fixtures.archs_table(architecture="gfx90a"), ".architecture"),
        ):
            status, error, index, _ = self.report(table)
            self.assertEqual(status, 2)
            self.assertNotIn("archs.html", index)  # the rest of the report is written
            self.assertRegex(error, rf"archs.json: field '.*{field}")

    def test_versions_are_ordered_as_numbers(self):
        kernels = [
            archs.Kernel("sm_90", compiler, "machine code", "fit<float, 8 bit>", 1, 0, 0, None, 128, 128)
            for compiler in ("nvcc 9.2", "clang 14.0.6", "nvcc 13.0.88", "NVRTC 11.8")
        ]
        found = [build.compiler for build in archs.Architectures("", kernels, []).builds]
        self.assertEqual(found, ["nvcc 13.0.88", "nvcc 9.2", "NVRTC 11.8", "clang 14.0.6"])


if __name__ == "__main__":
    unittest.main()
