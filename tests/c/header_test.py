#!/usr/bin/python3
"""The headers in C: C89 for the declarations, a program in C99 that calls the library, by each compiler that is there.

    header_test.py SOURCE_FOLDER LIBRARY
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE, LIBRARY = pathlib.Path(sys.argv.pop(1)), pathlib.Path(sys.argv.pop(1))
HERE = pathlib.Path(__file__).parent
INCLUDE = SOURCE / "include"
COMPILERS = [name for name in ("gcc", "clang-14") if shutil.which(name)]
WARNINGS = ["-Wall", "-Wextra", "-Wstrict-prototypes", "-Wmissing-prototypes", "-pedantic", "-Werror"]


def run(*command):
    return subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)


class HeaderTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def compile(self, compiler, standard, source, *arguments):
        done = run(compiler, f"-std={standard}", *WARNINGS, f"-I{INCLUDE}", source, *arguments)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_there_is_a_c_compiler(self):
        self.assertTrue(COMPILERS)

    def test_its_declarations_are_c89(self):
        for compiler in COMPILERS:
            for standard in ("c89", "c99", "c11"):
                with self.subTest(compiler=compiler, standard=standard):
                    self.compile(compiler, standard, HERE / "declarations.c", "-c", "-o", self.folder / "declarations.o")

    def test_a_program_in_c99_calls_the_library(self):
        for compiler in COMPILERS:
            with self.subTest(compiler=compiler):
                program = self.folder / "client"
                self.compile(compiler, "c99", HERE / "client.c", "-o", program, LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}",
                             "-ldl", "-lm")
                done = run(program)
                self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_they_are_cpp98(self):
        for compiler in ("g++", "clang++-14"):
            if shutil.which(compiler):
                with self.subTest(compiler=compiler):
                    done = run(compiler, "-std=c++98", *WARNINGS[:2], "-pedantic", "-Werror", "-fsyntax-only", "-x", "c++",
                               INCLUDE / "gfpq_jobs.hpp")
                    self.assertEqual(done.returncode, 0, done.stdout)

    def test_they_list_the_names_that_the_library_exports(self):
        exported = {line.split()[0] for line in (SOURCE / "src/exported_symbols.txt").read_text().splitlines()}
        comment, of_jobs = ((INCLUDE / name).read_text().split("*/")[0] for name in ("gfpq.hpp", "gfpq_jobs.hpp"))
        listed = set(re.findall(r"\b_Z\w+", comment))
        with_c_names = set(re.findall(r"\w+", comment.rsplit("with C names:", 1)[1].split("\n")[0]))
        jobs = set(re.findall(r"\w+", of_jobs.rsplit("exported:", 1)[1]))
        self.assertEqual(listed | with_c_names | jobs, exported)


if __name__ == "__main__":
    unittest.main()
