#!/usr/bin/python3
"""Programs built against one library, this project's or the vendor's, run with the other in its place.

    swap_test.py BUILD_FOLDER

The vendor's library, a libgfpq.so.1.1.5, is named by GFPQ_VENDOR_LIBRARY; libgfpq.a, libgfpq_gpu.so... beside it take part
too. Without it everything here is skipped.
"""

import os
import pathlib
import re
import sys
import tempfile
import unittest

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from support import PROJECT, SAMPLE, compile_cxx, run, sample_output

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
OURS = BUILD / "lib"
if not os.environ.get("GFPQ_VENDOR_LIBRARY"):
    print("skipped: set GFPQ_VENDOR_LIBRARY to the path of the vendor's libgfpq.so.1.1.5")
    sys.exit(77)
VENDOR = pathlib.Path(os.environ["GFPQ_VENDOR_LIBRARY"]).resolve(strict=True)
VENDOR_GPU = VENDOR.with_name(VENDOR.name.replace("libgfpq", "libgfpq_gpu"))
VENDOR_STATIC = VENDOR.with_name("libgfpq.a")
OUR_VERSION = re.escape((OURS / "libgfpq.so").resolve().name.removeprefix("libgfpq.so."))
VENDOR_VERSION = re.escape(VENDOR.name.removeprefix("libgfpq.so."))
HEADER = f"-I{PROJECT}/include"


def soname(library):
    with open(library, "rb") as file:
        dynamic = next(section for section in ELFFile(file).iter_sections() if isinstance(section, DynamicSection))
        return next(tag.soname for tag in dynamic.iter_tags("DT_SONAME"))


class SwapTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.theirs = self.folder / "vendor"
        self.theirs.mkdir()
        for library in (VENDOR, VENDOR_GPU):
            if library.exists():
                for name in (library.name.partition(".so")[0] + ".so", soname(library)):
                    (self.theirs / name).symlink_to(library)

    def compile(self, *arguments):
        return compile_cxx(self.folder / "program", SAMPLE, HEADER, *arguments)

    def check(self, program, folder, version):
        for bits in (8, 16):
            output = run(program, bits, LD_LIBRARY_PATH=folder)
            print(output)
            self.assertRegex(output, sample_output(bits, version=version))

    def test_both_have_the_same_sonames(self):
        self.assertEqual(soname(OURS / "libgfpq.so"), soname(VENDOR))
        if VENDOR_GPU.exists() and (OURS / "libgfpq_gpu.so").exists():
            self.assertEqual(soname(OURS / "libgfpq_gpu.so"), soname(VENDOR_GPU))

    def test_built_with_ours_runs_with_theirs(self):
        program = self.compile(f"-L{OURS}", "-lgfpq")
        self.check(program, OURS, OUR_VERSION)
        self.check(program, self.theirs, VENDOR_VERSION)

    def test_built_with_theirs_runs_with_ours(self):
        program = self.compile(f"-L{self.theirs}", "-lgfpq")
        self.check(program, self.theirs, VENDOR_VERSION)
        self.check(program, OURS, OUR_VERSION)

    def test_their_static_library_links_with_our_header(self):
        if not VENDOR_STATIC.exists():
            self.skipTest(f"{VENDOR_STATIC} is not there")
        program = self.compile("-no-pie", VENDOR_STATIC)  # theirs is not position-independent
        self.check(program, "", VENDOR_VERSION)

    def test_python_loads_either(self):
        for folder in (OURS, self.theirs):
            output = run("/usr/bin/python3", PROJECT / "samples/sample_on_python.py", "libgfpq.so.1", LD_LIBRARY_PATH=folder)
            print(output)
            self.assertIn("\nHI_GFPQ_QuantAndDeQuant success\nGFPQ PARAM: 0x60 0x62 -0x7e 0x69 -0x4d ", output)

    def test_built_with_their_gpu_library_runs_with_ours(self):
        if not VENDOR_GPU.exists() or not (OURS / "libgfpq_gpu.so").exists():
            self.skipTest(f"{VENDOR_GPU}, or ours, is not there")
        # Theirs needs a cuBLAS of its time; so it's linked, but not run.
        program = self.compile(f"-L{self.theirs}", "-lgfpq_gpu", "-Wl,--unresolved-symbols=ignore-in-shared-libs")
        self.check(program, OURS, OUR_VERSION)


if __name__ == "__main__":
    unittest.main()
