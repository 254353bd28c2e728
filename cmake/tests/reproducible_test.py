#!/usr/bin/python3
"""Sources in folders of different names, built at different times in different time zones and languages, give the same
libraries, bit for bit.

    reproducible_test.py CXX_COMPILER BUILD_FOLDER [CLASS]
"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import unittest

from support import PROJECT, cmake_cache, run

COMPILER = sys.argv.pop(1)
BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
CACHE = cmake_cache(BUILD)
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


def libraries(build_folder):
    """SHA-256 of each."""
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest()
             for file in sorted((build_folder / "lib").glob("libgfpq.*")) if not file.is_symlink()}
    for library, digest in found.items():
        print(f"{digest}  {library}")
    return found


def build(folder, build_folder, more_flags="", **environment):
    """SHA-256 of each library, built as this build's are."""
    flags = f"{CACHE['CMAKE_CXX_FLAGS:STRING']} {more_flags}".strip()
    run("cmake", "-S", folder, "-B", build_folder, "-G", CACHE["CMAKE_GENERATOR:INTERNAL"],
        f"-DCMAKE_CXX_COMPILER={COMPILER}", f"-DCMAKE_BUILD_TYPE={CACHE['CMAKE_BUILD_TYPE:STRING']}",
        f"-DCMAKE_CXX_FLAGS={flags}", "-DGFPQ_BUILD_GPU=OFF", "-DGFPQ_BUILD_TESTS=OFF", "-DGFPQ_BUILD_BENCHMARKS=OFF",
        **environment)
    run("cmake", "--build", build_folder, "--target", *TARGETS, **environment)
    return libraries(build_folder)


class Clones(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def clone(self, name):
        folder = self.folder / name
        folder.mkdir(parents=True)
        copy_source(folder)
        return folder

    def compare(self, first, second):
        self.assertEqual(len(first), len(TARGETS))
        self.assertEqual(first, second)


class BuildTest(Clones):
    def test_a_clone_gives_the_bits_of_this_build(self):
        clone = self.clone("quite/another place")
        self.compare(libraries(BUILD), build(clone, self.folder / "elsewhere", TZ="Asia/Kathmandu", UNRELATED="variable"))


class DebuggingTest(Clones):
    """With debugging information, which likes to hold paths."""

    def test_two_clones_give_the_same_bits(self):
        here, there = self.clone("here"), self.clone("quite/another place")
        self.compare(build(here, here / "build", "-g", TZ="UTC", LC_ALL="C.UTF-8"),
                     build(there, self.folder / "elsewhere", "-g", TZ="Asia/Kathmandu", LC_ALL="C", UNRELATED="variable"))


if __name__ == "__main__":
    unittest.main()
