#!/usr/bin/python3
"""Two clones of the source in folders of different names, built at different times in different time zones and languages,
give the same libraries, bit for bit; with debugging information, which likes to hold paths.

    reproducible_test.py CXX_COMPILER
"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import unittest

from support import PROJECT, run

COMPILER = sys.argv.pop(1)
TARGETS = ("gfpq_shared", "gfpq_static")


def copy_source(folder):
    """The source as it is, changes included, with git's history where there is one: it tells the revision."""
    if not (PROJECT / ".git").exists():
        run("cp", "-r", *(PROJECT / name for name in ("CMakeLists.txt", "LICENSE", "Release_note.txt", "cmake", "include",
                                                      "kernels", "samples", "src")), folder)
        return
    run("git", "clone", "--quiet", PROJECT, folder)
    changes = subprocess.run(["git", "-C", PROJECT, "diff", "--binary", "HEAD"], check=True, stdout=subprocess.PIPE)
    if changes.stdout:
        subprocess.run(["git", "-C", folder, "apply"], check=True, input=changes.stdout)


def build(folder, build_folder, **environment):
    """SHA-256 of each library."""
    run("cmake", "-S", folder, "-B", build_folder, f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DCMAKE_BUILD_TYPE=Release",
        "-DCMAKE_CXX_FLAGS=-g", "-DGFPQ_BUILD_GPU=OFF", "-DGFPQ_BUILD_TESTS=OFF", "-DGFPQ_BUILD_BENCHMARKS=OFF",
        **environment)
    run("cmake", "--build", build_folder, "--target", *TARGETS, **environment)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted((build_folder / "lib").iterdir()) if not file.is_symlink()}


class ReproducibleTest(unittest.TestCase):
    maxDiff = None

    def test_two_builds_give_the_same_bits(self):
        with tempfile.TemporaryDirectory() as name:
            here, there = pathlib.Path(name) / "here", pathlib.Path(name) / "quite" / "another place"
            for folder in (here, there):
                folder.mkdir(parents=True)
                copy_source(folder)
            first = build(here, here / "build", TZ="UTC", LC_ALL="C.UTF-8")
            second = build(there, pathlib.Path(name) / "elsewhere", TZ="Asia/Kathmandu", LC_ALL="C", UNRELATED="variable")
        self.assertEqual(len(first), len(TARGETS))
        self.assertEqual(first, second)
        for library, digest in first.items():
            print(f"{digest}  {library}")


if __name__ == "__main__":
    unittest.main()
