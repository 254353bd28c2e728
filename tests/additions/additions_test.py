#!/usr/bin/python3
"""A made-up width, a made-up CPU target and wrong constants, each in a copy of the sources.

A new width is one entry in each language's list; a new target is one entry and the CPU features that it needs. Both
must then pass the tests of internals, the conformance suite and the Python package's interface. A wrong constant of the
tables must stop the compiler.

    additions_test.py SOURCE_FOLDER [--compiler=g++] [unittest's arguments]
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()
COMPILER = next((sys.argv.pop(i).split("=")[1] for i, a in enumerate(sys.argv) if a.startswith("--compiler=")), "g++")
FOLDERS = ("bench", "cmake", "conformance", "golden", "include", "integrations", "kernels", "samples", "scripts", "src", "tests")


def run(*command, **environment):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **environment}, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-6000:]}")
    return done.stdout


class CopyTest(unittest.TestCase):
    """Works on a copy of the sources."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="gfpq-additions-")
        self.addCleanup(scratch.cleanup)
        self.copy = pathlib.Path(scratch.name) / "gfpq"
        self.copy.mkdir()
        for name in FOLDERS:
            shutil.copytree(SOURCE / name, self.copy / name, ignore=shutil.ignore_patterns("build*", "__pycache__"))
        for file in SOURCE.iterdir():
            if file.is_file():
                shutil.copy(file, self.copy)

    def edit(self, file, old, new):
        """Replaces what must be there exactly once."""
        text = (self.copy / file).read_text()
        self.assertEqual(text.count(old), 1, f"{file} has {text.count(old)} times: {old}")
        (self.copy / file).write_text(text.replace(old, new))

    def build(self, *targets):
        build = self.copy / "build"
        run("cmake", "-G", "Ninja", "-S", self.copy, "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DGFPQ_BUILD_GPU=OFF",
            "-DGFPQ_BUILD_BENCHMARKS=OFF", f"-DCMAKE_CXX_COMPILER={shutil.which(COMPILER)}")
        run("cmake", "--build", build, "--target", *targets)
        return build

    def conformance(self, build, **environment):
        results = self.copy / "results.json"
        run(build / "bin/gfpq_conformance", f"--json={results}", "--gtest_brief=1", **environment)
        return json.loads(results.read_text())


class WidthTest(CopyTest):
    def test_a_width_is_one_entry_in_each_list(self):
        self.edit("kernels/widths.hpp", "  X(16, 128, 1407, 4095)\n", "  X(12, 64, 703, 2047) \\\n  X(16, 128, 1407, 4095)\n")
        self.edit("conformance/oracle/widths.hpp", "{16, 128, 1407, 4095}", "{12, 64, 703, 2047}, {16, 128, 1407, 4095}")
        self.edit("golden/oracle/arithmetic.py", "    16: Width(16,",
                  "    12: Width(12, steps=64, top=703, limit=2047),\n    16: Width(16,")
        self.edit("integrations/python/gfpq/widths.py", "16: Width(", "12: Width(64, 703, 2047), 16: Width(")
        run(sys.executable, self.copy / "golden/generate.py")

        build = self.build("gfpq_shared", "gfpq_unit", "gfpq_gpu_on_host", "gfpq_conformance")
        units = run(build / "bin/gfpq_unit", "--gtest_filter=-Exhaustive*:Environment.*")
        self.assertRegex(units, r"\[  PASSED  \] \d+ tests")
        run(build / "bin/gfpq_gpu_on_host", "--gtest_filter=-*Exhaustive*")
        verdict = self.conformance(build)
        self.assertIn("12 bit", json.dumps(verdict))
        self.check_python(build)

    def check_python(self, build):
        program = """
import numpy, gfpq
numbers = numpy.random.default_rng(1).standard_normal(10000).astype("f4")
param = gfpq.Param(12)
values = gfpq.quantize(numbers, param=param)
kept = numpy.abs(values) > 0
exponents = numpy.rint(64 * numpy.log2(numpy.abs(numbers[kept].astype("f8"))))
lowest = param.delta + (numbers[kept] < 0)
expected = numpy.sign(numbers[kept]) * 2.0 ** (numpy.clip(exponents, lowest, param.delta + 703) / 64)
assert numpy.allclose(values[kept], expected, rtol=1e-7), abs(values[kept] / expected - 1).max()
assert kept.mean() > 0.98, kept.mean()
"""
        run(sys.executable, "-c", program, GFPQ_LIBRARY=str(build / "lib/libgfpq.so"),
            PYTHONPATH=str(self.copy / "integrations/python"))


class TargetTest(CopyTest):
    @unittest.skipIf(os.uname().machine != "x86_64", "the made-up target is of x86")
    def test_a_target_is_one_entry_and_its_features(self):
        self.edit("kernels/cpu/targets.hpp", "  X(HWY_SSE4, sse4)\n", "  X(HWY_SSE4, sse4) \\\n  X(HWY_SSSE3, ssse3)\n")
        self.edit("kernels/cpu/simd.cpp", "bool has_sse4() {",
                  'bool has_ssse3() {\n  __builtin_cpu_init();\n  return __builtin_cpu_supports("ssse3");\n}\nbool has_sse4() {')
        build = self.build("gfpq_shared", "gfpq_unit", "gfpq_conformance")
        run(build / "bin/gfpq_unit", "--gtest_filter=-Exhaustive*:Environment.*")
        self.conformance(build, GFPQ_TARGET="ssse3")


if __name__ == "__main__":
    unittest.main()
